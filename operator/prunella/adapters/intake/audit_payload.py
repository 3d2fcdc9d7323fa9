"""The body that an API server's audit webhook posts, as far as it is read: who wrote what, when.

Bodies of requests are never read, and of the answer nothing but UID, name and resourceVersion, so
that no value of any object is taken in by this way, whatever level the audit policy has.
Source: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import pydantic

from prunella.adapters.intake import payload
from prunella.api.change import Verb
from prunella.core.changes import audit, kinds

MOST_EVENTS = 20_000
_MOST_MANAGER: Final = 128
"""What the API server cuts a field manager at that it makes of a user agent."""
_VERBS: Final = {
    "create": Verb.CREATED,
    "update": Verb.MODIFIED,
    "patch": Verb.MODIFIED,
    "delete": Verb.DELETED,
    "deletecollection": Verb.DELETED,
}
_CREATED: Final = 201
"""Server-side apply of a new object is a patch that is answered so."""


class _Read(pydantic.BaseModel):
    """Fields that are not named are not read: there are more, and newer versions add some."""

    model_config = pydantic.ConfigDict(strict=True)


class _User(_Read):
    username: str = ""


class _ObjectReference(_Read):
    resource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    apiGroup: str = ""  # noqa: N815 - as the API server writes it
    resourceVersion: str = ""  # noqa: N815
    subresource: str = ""


class _Details(_Read):
    uid: str = ""


class _ResponseStatus(_Read):
    code: int = 0
    details: _Details | None = None


class _Metadata(_Read):
    name: str = ""
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815


class _ResponseObject(_Read):
    metadata: _Metadata | None = None


class Event(_Read):
    """One stage of one request."""

    auditID: Annotated[str, pydantic.Field(min_length=1, max_length=256)]  # noqa: N815
    stage: str
    requestURI: str  # noqa: N815
    verb: str
    user: _User
    impersonatedUser: _User | None = None  # noqa: N815
    userAgent: str = ""  # noqa: N815
    objectRef: _ObjectReference | None = None  # noqa: N815
    responseStatus: _ResponseStatus | None = None  # noqa: N815
    responseObject: _ResponseObject | None = None  # noqa: N815
    requestReceivedTimestamp: pydantic.AwareDatetime  # noqa: N815
    stageTimestamp: pydantic.AwareDatetime  # noqa: N815


class EventList(_Read):
    """What is posted at once."""

    kind: Literal["EventList"]
    apiVersion: Literal["audit.k8s.io/v1"]  # noqa: N815
    items: Annotated[list[Event], pydantic.Field(max_length=MOST_EVENTS)]


class Scope(NamedTuple):
    """Whose writes are of interest."""

    kinds: Sequence[kinds.Kind] = kinds.ALL
    """Those that are journalled. Secrets can't be among them."""
    namespaces: Collection[str] = ()
    """Those that are watched; empty means all but the closed ones."""
    closed_namespaces: Collection[str] = ()


class Body(NamedTuple):
    """What a body tells."""

    events: int
    writes: list[audit.Write]
    """Completed, successful writes of journalled objects, oldest first as they came."""


class Reader:
    """Reads bodies; keeps nothing of them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._kinds = {(each.group, each.plural): each for each in scope.kinds}

    def read(self, body: bytes) -> Body:
        """The writes of a body. Raises payload.PayloadError with what is wrong, and where."""
        try:
            events = EventList.model_validate_json(body).items
        except pydantic.ValidationError as error:
            raise payload.PayloadError(payload.explain(error)) from None
        return Body(len(events), [write for each in events for write in self._write(each)])

    def _write(self, event: Event) -> Iterator[audit.Write]:
        ref, status = event.objectRef, event.responseStatus
        if ref is None or status is None or event.stage != "ResponseComplete":
            return
        kind = self._kinds.get((ref.apiGroup, ref.resource))
        verb = _VERBS.get(event.verb)
        query = urllib.parse.parse_qs(event.requestURI.partition("?")[2])
        done = 200 <= status.code < 300 and not query.get("dryRun")
        if kind is None or verb is None or not done or not self._is_watched(kind, ref):
            return
        if verb is Verb.MODIFIED and status.code == _CREATED:
            verb = Verb.CREATED
        after = (event.responseObject and event.responseObject.metadata) or _Metadata()
        uid = (status.details.uid if status.details is not None else "") or ref.uid
        name = ref.name or (after.name if verb is Verb.CREATED else "")
        user = _user(event)
        if not user or not (name or event.verb == "deletecollection"):
            return
        yield audit.Write(
            id=event.auditID,
            verb=verb,
            kind=kind.name,
            namespace=ref.namespace[:253],
            name=name[:253],
            user=user,
            manager=_manager(query, event.userAgent),
            begun=event.requestReceivedTimestamp.timestamp(),
            done=event.stageTimestamp.timestamp(),
            uid=(after.uid or uid)[:253],
            version=_number(after.resourceVersion),
            on_version=_number(ref.resourceVersion),
        )

    def _is_watched(self, kind: kinds.Kind, ref: _ObjectReference) -> bool:
        """Whether a Change may come of it: what is written by controllers as status makes none."""
        subresources = ("", "scale", "status") if kind.status_kept else ("", "scale")
        if ref.subresource not in subresources or ref.namespace in self._scope.closed_namespaces:
            return False
        watched = self._scope.namespaces
        return not watched or not ref.namespace or ref.namespace in watched


def _user(event: Event) -> str:
    """The user, and for whom he acted, where he did so as another."""
    name = event.user.username
    if event.impersonatedUser is not None and event.impersonatedUser.username:
        name = f"{name} as {event.impersonatedUser.username}"
    return _printable(name)[:253]


def _manager(query: dict[str, list[str]], user_agent: str) -> str:
    """The field manager: the one that was asked for, else the user agent's first word.

    As the API server has it, see ``managerOrUserAgent`` in its handlers.
    """
    given = query.get("fieldManager")
    if given:
        return given[0][:253]
    return _printable(user_agent.partition("/")[0])[:_MOST_MANAGER]


def _printable(text: str) -> str:
    """A text without what could not be shown, such as line breaks and terminal sequences."""
    return "".join(each for each in text if each.isprintable())


def _number(text: str) -> int:
    """A resourceVersion; 0 for none. More than 20 digits are none of an API server."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else 0
