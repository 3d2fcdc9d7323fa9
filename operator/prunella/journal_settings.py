"""Settings of the change journal: what is journalled and kept, and who tells of more."""

from __future__ import annotations

import pathlib
from typing import Annotated, Self, TypeVar

import pydantic

from prunella import allowed
from prunella.api import offers
from prunella.core.changes import external as outside
from prunella.core.changes import kinds as journalled
from prunella.core.changes import noise, retention

_RETENTION = retention.Retention()


class Retention(pydantic.BaseModel):
    """How much of the journal is kept; what an open incident refers to is kept beside it."""

    model_config = allowed.CONFIG

    age_seconds: Annotated[float, pydantic.Field(ge=3600)] = _RETENTION.age.total_seconds()
    per_object: Annotated[int, pydantic.Field(ge=1, le=1000)] = _RETENTION.per_object
    total: Annotated[int, pydantic.Field(ge=100, le=100_000)] = _RETENTION.total


class ExternalSystem(pydantic.BaseModel):
    """A system that tells of its changes by webhook, on the path ``/changes/NAME``."""

    model_config = allowed.CONFIG

    format: outside.Format = outside.Format.JSON
    texts: outside.Texts = outside.Texts()
    namespaces: tuple[str, ...] = ("*",)
    """Namespaces that it may tell about; ``*`` stands for any characters."""

    @pydantic.model_validator(mode="after")
    def _json_needs_a_summary(self) -> Self:
        """Make sure that there is something to tell: plain JSON has no summary of its own."""
        if self.format is outside.Format.JSON and not self.texts.summary:
            raise ValueError("texts.summary must say what of the body to show, as {message}")
        return self


class Audit(pydantic.BaseModel):
    """The API server's audit webhook on the intake's port: which user made a change."""

    model_config = allowed.CONFIG

    enabled: bool = False
    bearer_token_file: pathlib.Path | None = None
    """A token of its own, for who has it says who did what; by default that of the webhook."""


Names = TypeVar("Names", dict[str, bool], tuple[str, ...])


class Journal(pydantic.BaseModel):
    """The change journal: which kinds, what is noise, how long."""

    model_config = allowed.CONFIG

    enabled: bool = True
    kinds: dict[str, bool] = dict.fromkeys(journalled.BY_NAME, True)
    """Kinds by name; one that is not named here is journalled."""
    values_of: tuple[str, ...] = ()
    """Kinds beyond the role ``view`` whose values are kept: who reads Changes may read them."""
    ignored_annotations: tuple[str, ...] = noise.IGNORED_ANNOTATIONS
    autoscalers: tuple[str, ...] = noise.AUTOSCALERS
    """Field managers whose writes of ``spec.replicas`` are scaling."""
    ignored_objects: tuple[str, ...] = noise.IGNORED_OBJECTS
    retention: Retention = Retention()
    relist_seconds: Annotated[float, pydantic.Field(ge=10)] = 300.0
    """Time between two lists of all journalled kinds."""
    external: dict[offers.Name, ExternalSystem] = {}
    """Systems outside the cluster, by name."""
    audit: Audit = Audit()

    def mapped(self, name: str) -> outside.Mapped | None:
        """How the bodies of a system are read; None for one that is not known."""
        system = self.external.get(name)
        if system is None:
            return None
        return outside.Mapped(name, system.format, system.texts, system.namespaces)

    @pydantic.field_validator("kinds", "values_of")
    @classmethod
    def _kinds_are_known(cls, value: Names) -> Names:
        journalled.check(value)
        return value
