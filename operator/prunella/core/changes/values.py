"""A change of an object as the core sees it."""

from __future__ import annotations

import dataclasses
import datetime

from prunella.api import change as change_api
from prunella.core import model


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A Change as read, or as it is about to be written."""

    name: str
    namespace: str
    """Where the Change is kept: the object's namespace, or the operator's for nodes."""
    spec: change_api.ChangeSpec
    incidents: tuple[str, ...] = ()
    uid: str = ""
    resource_version: str = ""
    told: change_api.LateAuthor | None = None
    """Who made it, when that became known after it was written."""

    @property
    def by(self) -> change_api.Author:
        """Who made it, as far as it is known by now."""
        if self.told is None:
            return self.spec.by
        return self.spec.by.model_copy(update={"user": self.told.user, "own": self.told.own})

    @property
    def object(self) -> model.Ref:
        """The object that changed."""
        each = self.spec.object
        return model.Ref(each.kind, each.namespace, each.name)

    @property
    def object_uid(self) -> str:
        """The UID of the object that changed; empty for what is outside the cluster."""
        return self.spec.object.uid

    @property
    def class_(self) -> change_api.Class:
        """What sort of change it is."""
        return self.spec.class_

    @property
    def at(self) -> datetime.datetime:
        """When it changed."""
        return self.spec.at
