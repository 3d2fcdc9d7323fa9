"""Changes outside the cluster, told by a webhook: deployments, Terraform runs, feature flags.

A mapping says where a system's JSON holds what a Change needs, as texts with ``{path}`` in them:
``{build.number}``, ``{commits.0.id}``.  CloudEvents bring most of it by their own attributes
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import pydantic

from prunella.api import change as change_api
from prunella.core.changes import naming, noise, packing, redact
from prunella.core.changes.values import Change

Body = Mapping[str, Any]
_PLACE: Final = re.compile(r"\{([\w.@/-]*)\}")
_REQUIRED: Final = ("specversion", "id", "source", "type")
_AHEAD: Final = datetime.timedelta(minutes=5)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
KIND: Final = "External"
"""The kind of a change that names no object of the cluster."""


class Unusable(ValueError):  # noqa: N818 - as its message says to who sent it
    """A body that is no change by its mapping: what was wrong, where, and what is wanted."""


class Format(enum.StrEnum):
    """What the body is."""

    JSON = "JSON"
    CLOUD_EVENTS = "CloudEvents"


@dataclasses.dataclass(frozen=True, slots=True)
class Texts:
    """What a Change is made of; each is a text with ``{path}`` of the body in it.

    It stands in the operator's settings as it is: a word that it does not know is refused there.
    """

    __pydantic_config__: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(extra="forbid")

    summary: str = ""
    id: str = ""
    url: str = ""
    at: str = ""
    """A time by RFC 3339, or seconds since the epoch; empty means when it came."""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    author: str = ""
    commit: str = ""
    version: str = ""
    image: str = ""


CLOUD_EVENT: Final = Texts(summary="{type} {subject}", id="{source} {id}", at="{time}")
"""What every CloudEvent tells."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mapped:
    """How the bodies of one system are read."""

    system: str
    format: Format = Format.JSON
    texts: Texts = dataclasses.field(default_factory=Texts)
    namespaces: tuple[str, ...] = ("*",)
    """Namespaces that it may tell about; ``*`` stands for any characters."""


def parse(mapped: Mapped, body: object, now: datetime.datetime, home: str) -> Change:
    """The Change that a body tells of. Raises Unusable.

    ``home`` is the operator's namespace: where it is kept when the body names no other.
    """
    if not isinstance(body, Mapping):
        raise Unusable(f"the body must be a JSON object, found {type(body).__name__}")
    texts = mapped.texts
    if mapped.format is Format.CLOUD_EVENTS:
        _check_event(body)
        texts = _with_defaults(texts)
    told = {field.name: _fill(getattr(texts, field.name), body) for field in _FIELDS}
    if not told["summary"]:
        raise Unusable(f"summary: {texts.summary or '(not mapped)'} is empty in this body")
    namespace = _namespace(mapped, told["namespace"])
    identity = told["id"] or packing.fingerprint(packing.dump(body)).hex()
    spec = _spec(mapped, told, namespace, _time(told["at"], now))
    return Change(
        name=naming.name(KIND, mapped.system, mapped.system, identity),
        namespace=namespace or home,
        spec=spec,
    )


def from_headers(headers: Mapping[str, str], data: object) -> Body:
    """A CloudEvent in binary mode as one in structured mode: its attributes are ``ce-`` headers."""
    attributes = {
        name.lower().removeprefix("ce-"): value
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    return {**attributes, "data": data}


_FIELDS: Final = dataclasses.fields(Texts)


def _with_defaults(texts: Texts) -> Texts:
    given = {f.name: text for f in _FIELDS if (text := getattr(texts, f.name))}
    return dataclasses.replace(CLOUD_EVENT, **given)


def _check_event(body: Body) -> None:
    missing = [name for name in _REQUIRED if not body.get(name)]
    if missing:
        raise Unusable(f"a CloudEvent must have {', '.join(_REQUIRED)}: no {', '.join(missing)}")
    if not str(body["specversion"]).startswith("1."):
        raise Unusable(f"specversion: must be 1.x, found {body['specversion']}")


def _fill(text: str, body: Body) -> str:
    """A text with what the body holds at its paths; what is not there is empty."""
    return _PLACE.sub(lambda match: _at(match[1], body), text).strip()


def _at(path: str, body: Body) -> str:
    value: Any = body
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ""
    return str(value) if isinstance(value, str | int | float) else ""


def _namespace(mapped: Mapped, namespace: str) -> str:
    if not namespace:
        return ""
    if not _NAME.fullmatch(namespace) or "." in namespace:
        raise Unusable(f"namespace: {namespace[:80]} is no name of a namespace")
    if not noise.matches(namespace, mapped.namespaces):
        allowed = ", ".join(mapped.namespaces)
        raise Unusable(f"namespace: {mapped.system} may not tell about {namespace}, only {allowed}")
    return namespace


def _time(text: str, now: datetime.datetime) -> datetime.datetime:
    """When it changed; a clock that is minutes ahead is refused."""
    if not text:
        return now
    try:
        number = re.fullmatch(r"\d{9,11}(\.\d+)?", text)
        at = (
            datetime.datetime.fromtimestamp(float(text), datetime.UTC)
            if number
            else datetime.datetime.fromisoformat(text)
        )
    except (ValueError, OverflowError, OSError):
        raise Unusable(f"at: must be a time by RFC 3339, found {text[:80]}") from None
    if at.tzinfo is None:
        raise Unusable(f"at: must have a time zone, found {text[:80]}")
    if at - now > _AHEAD:
        raise Unusable(f"at: {text[:80]} is ahead of {now.isoformat()} by more than 5 min")
    return at.astimezone(datetime.UTC)


def _spec(
    mapped: Mapped, told: Mapping[str, str], namespace: str, at: datetime.datetime
) -> change_api.ChangeSpec:
    named = bool(told["kind"] and told["name"])
    salt = mapped.system
    facts = change_api.ReleaseFacts(
        images=[told["image"][:1024]] if told["image"] else [],
        commit=told["commit"][:253],
        version=told["version"][:253],
    )
    author = told["author"][:253]
    by = f", by {author}" if author else ""
    what = redact.redact({"summary": told["summary"], "url": told["url"]}, salt)
    return change_api.ChangeSpec(
        object=change_api.ObjectReference(
            kind=told["kind"][:253] if named else KIND,
            namespace=namespace,
            name=told["name"][:253] if named else mapped.system[:253],
        ),
        verb=change_api.Verb.MODIFIED,
        class_=change_api.Class.EXTERNAL,
        at=at,
        by=change_api.Author(manager=mapped.system[:253], user=author),
        summary=f"{mapped.system}: {what['summary']}{by}"[:2048],
        release=facts if facts != change_api.ReleaseFacts() else None,
        external=change_api.ExternalReference(
            system=mapped.system[:253], id=told["id"][:253], url=what["url"][:2048]
        ),
    )
