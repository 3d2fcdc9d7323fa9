"""What administrators offer to policies beside the cluster's own objects: templates of Jobs.

They are settings of the operator.  A policy can only name one and fill in its parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Self

import pydantic

from prunella.api import base, types

ANYWHERE = "*"
HELM_ROLLBACK = "helm-rollback"
"""The template of `helmRollback`: no policy can name it."""
PARAMETER = r"^[A-Z][A-Z0-9_]{0,62}$"
"""Names of parameters: they are environment variables."""
_RESERVED = re.compile(r"^(LD_.*|PATH|PRUNELLA_.*|KUBERNETES_.*)$")
"""Variables that change what runs, or that are set anyway."""
_PINNED = r"^[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}$"
_DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

ParameterName = Annotated[str, pydantic.Field(pattern=PARAMETER)]
OfferedName = Annotated[str, pydantic.Field(pattern=_DNS_LABEL)]
Namespaces = Annotated[tuple[str, ...], pydantic.Field(min_length=1)]
Text = Annotated[str, pydantic.Field(min_length=1, max_length=1024)]
Argument = Annotated[str, pydantic.Field(min_length=1, max_length=16_384)]
"""Part of a command line; one may be a script."""


class Parameter(base.ApiModel):
    """What a policy may fill in."""

    pattern: Text
    """Regular expression that the whole value must match."""
    default: Annotated[str, pydantic.Field(max_length=1024)] | None = None
    """The value where a policy gives none; without a default it must give one."""

    @pydantic.model_validator(mode="after")
    def _matches(self) -> Self:
        try:
            pattern = re.compile(self.pattern)
        except re.error as error:
            raise ValueError(
                f"pattern {self.pattern!r} is no regular expression: {error}"
            ) from error
        if self.default is not None and not pattern.fullmatch(self.default):
            raise ValueError(f"default {self.default!r} does not match {self.pattern!r}")
        return self

    def problem(self, value: str) -> str:
        """Why a value is refused; empty when it is not."""
        if re.fullmatch(self.pattern, value):
            return ""
        return f"{value[:80]!r} does not match {self.pattern!r}"


class Offer(base.ApiModel):
    """What is common to all that policies may name."""

    namespaces: Namespaces
    """Namespaces whose policies may name it; ``*`` alone means all."""
    parameters: Annotated[dict[ParameterName, Parameter], pydantic.Field(max_length=16)] = (
        pydantic.Field(default_factory=dict)
    )

    @pydantic.field_validator("parameters")
    @classmethod
    def _not_reserved(cls, value: dict[str, Parameter]) -> dict[str, Parameter]:
        for name in value:
            if _RESERVED.match(name):
                raise ValueError(f"{name} can't be a parameter: it would change what runs")
        return value

    def allows(self, namespace: str) -> bool:
        """Whether policies of a namespace may name it."""
        return ANYWHERE in self.namespaces or namespace in self.namespaces

    def filled(self, given: Mapping[str, str]) -> dict[str, str]:
        """The values of all parameters, in the order in which they are declared."""
        defaults = {name: each.default or "" for name, each in self.parameters.items()}
        return {name: given.get(name, default) for name, default in defaults.items()}

    def problems(self, given: Mapping[str, str]) -> Iterator[str]:
        """What is wrong with a policy's parameters, one sentence each."""
        known = ", ".join(self.parameters) or "none"
        for name in given:
            if name not in self.parameters:
                yield f"parameters.{name} is not declared; declared: {known}"
        for name, each in self.parameters.items():
            if name not in given and each.default is None:
                yield f"parameters.{name} is missing and has no default"
            elif name in given and (problem := each.problem(given[name])):
                yield f"parameters.{name}: {problem}"


class JobTemplate(Offer):
    """A Job that an administrator has prepared. Its pod has one container, restricted."""

    image: Annotated[str, pydantic.Field(max_length=512)]
    """By digest: what was looked at is what runs."""
    service_account: Annotated[str, pydantic.Field(pattern=_DNS_LABEL)]
    """Of the namespace in which it runs; its token is mounted only with ``mountToken``."""
    mount_token: bool = False
    command: Annotated[tuple[Argument, ...], pydantic.Field(max_length=64)] = ()
    args: Annotated[tuple[Argument, ...], pydantic.Field(max_length=64)] = ()
    env: dict[str, str] = pydantic.Field(default_factory=dict)
    secret: Annotated[str, pydantic.Field(pattern=_DNS_LABEL)] | None = None
    """A Secret of the namespace whose keys become environment variables."""
    run_as_user: Annotated[int, pydantic.Field(ge=1, le=types.MAX_INT32)] = 65_534
    resources: dict[str, dict[str, str]] = pydantic.Field(
        default_factory=lambda: {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        }
    )
    active_deadline_seconds: Annotated[int, pydantic.Field(ge=5, le=86_400)] = 300
    ttl_seconds_after_finished: Annotated[int, pydantic.Field(ge=300, le=604_800)] = 3600
    """At least five minutes: until then its end must have been seen."""

    @pydantic.field_validator("image")
    @classmethod
    def _pinned(cls, value: str) -> str:
        if not re.fullmatch(_PINNED, value):
            message = "a tag can be moved: write NAME@sha256:DIGEST (64 hex digits)"
            raise ValueError(f"{value!r} is not pinned by digest: {message}")
        return value

    @pydantic.model_validator(mode="after")
    def _only_in_the_environment(self) -> Self:
        """Make sure that no parameter becomes part of a command line, or replaces a variable."""
        for name in self.parameters:
            if any(f"$({name})" in each for each in (*self.command, *self.args)):
                raise ValueError(
                    f"$({name}) in command or args: parameters are environment variables only; "
                    f'in a shell write "${name}"'
                )
            if name in self.env:
                raise ValueError(f"{name} is both a parameter and a variable of env")
        return self
