"""Change: one observed change of one object.  Together they are the journal.

The spec is written once and never changes: which object, when, by whom, which fields.  The status
tells which open incidents refer to it: those keep it beyond its retention; and the user, when that
becomes known only later.
"""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, types

ShortText = base.ShortText
LongText = base.LongText
Value = Annotated[str, pydantic.Field(max_length=1024)]
MOST_FIELDS = 64
MOST_BEFORE_CHARACTERS = 131_072


class Verb(enum.StrEnum):
    """What happened to the object."""

    CREATED = "Created"
    MODIFIED = "Modified"
    DELETED = "Deleted"


class Class(enum.StrEnum):
    """What sort of change it is."""

    CHANGE = "Change"
    """Of what somebody wants: a spec, a label, an annotation, data."""
    SCALING = "Scaling"
    """Replicas, written by an autoscaler."""
    NODE = "Node"
    """A node's conditions, taints or cordon, written by the cluster or by a person."""
    EXTERNAL = "External"
    """Told by another system: a deployment, a Terraform run, a feature flag."""


class ObjectReference(base.ApiModel):
    """The object that changed."""

    api_version: ShortText = pydantic.Field("", description="Group and version of the object.")
    kind: ShortText = pydantic.Field(description="Kind of the object.")
    namespace: ShortText = pydantic.Field(
        "", description="Namespace of the object; empty for nodes and what is outside the cluster."
    )
    name: ShortText = pydantic.Field(description="Name of the object.")
    uid: ShortText = pydantic.Field("", description="UID of the object.")


class Author(base.ApiModel):
    """Who changed it, as far as the API server tells."""

    manager: ShortText = pydantic.Field("", description="Field manager, such as kubectl-edit.")
    user: ShortText = pydantic.Field("", description="User, where an audit webhook gives it.")
    own: bool = pydantic.Field(default=False, description="True for the operator's own changes.")


class FieldChange(base.ApiModel):
    """One field before and after."""

    path: Annotated[str, pydantic.Field(max_length=512)] = pydantic.Field(
        description="Path of the field, such as spec.template.spec.containers[name=app].image."
    )
    old: Value | None = pydantic.Field(
        None, description="Value before, as JSON, cut at 1024 characters; none when it was absent."
    )
    new: Value | None = pydantic.Field(
        None, description="Value after, as JSON, cut at 1024 characters; none when it is absent."
    )
    redacted: bool = pydantic.Field(
        default=False,
        description="True when values look like credentials and are hashes, or when none are kept "
        "because the built-in role view may not read objects of this kind.",
    )


class ReleaseFacts(base.ApiModel):
    """What the change says of the release that it brings."""

    images: Annotated[list[Value], pydantic.Field(max_length=16)] = pydantic.Field(
        default_factory=list, description="Images of the pod template after the change."
    )
    revision: ShortText = pydantic.Field("", description="Revision of the rollout.")
    commit: ShortText = pydantic.Field("", description="Commit, by the usual annotations.")
    version: ShortText = pydantic.Field("", description="Version, by app.kubernetes.io/version.")
    helm: ShortText = pydantic.Field("", description="Helm release and revision.")
    gitops: ShortText = pydantic.Field("", description="Revision that a GitOps tool applied.")


class ExternalReference(base.ApiModel):
    """Where another system tells more about its change."""

    system: ShortText = pydantic.Field(description="Name of the system, as its mapping says.")
    id: ShortText = pydantic.Field("", description="Identity of the event there.")
    url: LongText = pydantic.Field("", description="Address of the event there.")


class ChangeSpec(base.ApiModel):
    """Which object changed, when, by whom, and how."""

    object: ObjectReference = pydantic.Field(description="The object that changed.")
    verb: Verb = pydantic.Field(description="What happened to it.")
    class_: Class = pydantic.Field(
        Class.CHANGE, alias="class", description="What sort of change it is."
    )
    at: types.LocalTime = pydantic.Field(description="When it changed.")
    late: bool = pydantic.Field(
        default=False,
        description="True when it was found by a list, not by the watch: the time is that of "
        "managedFields where they tell it, else the latest possible.",
    )
    by: Author = pydantic.Field(default_factory=Author, description="Who changed it.")
    summary: LongText = pydantic.Field(description="The change in one sentence.")
    fields: Annotated[list[FieldChange], pydantic.Field(max_length=MOST_FIELDS)] = pydantic.Field(
        default_factory=list, description="Fields that changed."
    )
    fields_omitted: int = pydantic.Field(0, ge=0, description="Changed fields beyond the bound.")
    release: ReleaseFacts | None = pydantic.Field(
        None, description="What it says of the release that it brings."
    )
    external: ExternalReference | None = pydantic.Field(
        None, description="Where another system tells more."
    )
    resource_version: ShortText = pydantic.Field(
        "", description="The object's resourceVersion after the change."
    )
    generation: int | None = pydantic.Field(None, description="The object's generation after it.")
    before: Annotated[str, pydantic.Field(max_length=MOST_BEFORE_CHARACTERS)] = pydantic.Field(
        "", description="The whole object before it: JSON, compressed by zlib, in base64."
    )
    before_omitted: ShortText = pydantic.Field(
        "", description="Why the object before it is not kept."
    )


class LateAuthor(base.ApiModel):
    """Who changed it, when the audit webhook told it after the Change was written."""

    user: ShortText = pydantic.Field(description="User, as the audit webhook gave it.")
    own: bool = pydantic.Field(default=False, description="True for the operator's own changes.")


class ChangeStatus(base.ApiModel):
    """Who still refers to the change, and what became known of it later."""

    incidents: Annotated[list[ShortText], pydantic.Field(max_length=32)] = pydantic.Field(
        default_factory=list, description="Open incidents that refer to it, as NAMESPACE/NAME."
    )
    by: LateAuthor | None = pydantic.Field(
        None,
        description="Who changed it, when the audit webhook told it after the Change was written; "
        "it stands instead of user and own in spec.by.",
    )
