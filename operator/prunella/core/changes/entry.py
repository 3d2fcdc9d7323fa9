"""From two sights of an object to the entry in the journal: what, when, who, and what it was."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.api import change as change_api
from prunella.core.changes import author as authors
from prunella.core.changes import (
    catch_up,
    diff,
    kinds,
    naming,
    noise,
    packing,
    redact,
    release,
    summary,
)
from prunella.core.changes.values import Change

Manifest = Mapping[str, Any]
_FRESH: Final = datetime.timedelta(seconds=60)
_TEMPLATES: Final = (("spec", "template"), ("spec", "jobTemplate"))
BEYOND_VIEW: Final = "the built-in role view may not read objects of this kind"
TOO_LARGE: Final = "larger than the bound, compressed"


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """An object as it was seen: its content without noise and credentials, compressed."""

    kind: str
    namespace: str
    name: str
    uid: str
    version: int
    """The resourceVersion at which it was seen, as a number."""
    generation: int
    written: int
    """When managedFields say that it was written last, in seconds since the epoch."""
    packed: bytes
    """Empty when it was too large to be kept over a restart: then only the fingerprint tells."""
    fingerprint: bytes
    created: int = 0
    """When it was created, in seconds since the epoch; 0: not known."""

    @property
    def content(self) -> Any:
        """The content, as JSON has it."""
        return packing.unpack(self.packed)


@dataclasses.dataclass(frozen=True, slots=True)
class Occasion:
    """How an object came to be seen."""

    manifest: Manifest
    """The object as the API server showed it."""
    now: datetime.datetime
    late: bool
    """Whether a list showed it, and not the watch."""

    @property
    def age(self) -> datetime.timedelta:
        """How long the object has been there."""
        created = self.manifest["metadata"].get("creationTimestamp")
        if not created:
            return datetime.timedelta.max
        return self.now - datetime.datetime.fromisoformat(created)

    @property
    def managed(self) -> Sequence[authors.Entry]:
        """Its managedFields."""
        return self.manifest["metadata"].get("managedFields") or ()


@dataclasses.dataclass(frozen=True, slots=True)
class Journalling:
    """How changes are written down, as the settings say."""

    noise: noise.Noise = dataclasses.field(default_factory=noise.Noise)
    values_of: frozenset[str] = frozenset()
    """Kinds beyond the role `view` whose values are kept nevertheless."""
    home: str = "prunella-system"
    """The operator's namespace: where Changes of cluster-wide objects are kept."""

    def keeps_values(self, kind: kinds.Kind) -> bool:
        """Whether values of a kind are kept."""
        return kind.viewed or kind.name in self.values_of


def sight(kind: kinds.Kind, manifest: Manifest, rules: Journalling) -> Sight:
    """What is remembered of an object."""
    meta = manifest["metadata"]
    uid = str(meta["uid"])
    content = noise.content(kind, manifest, rules.noise)
    hide = redact.redact if rules.keeps_values(kind) else redact.without_values
    dumped = packing.dump(hide(content, uid))
    return Sight(
        kind=kind.name,
        namespace=sys.intern(str(meta.get("namespace") or "")),
        name=str(meta["name"]),
        uid=uid,
        version=version(manifest),
        generation=int(meta.get("generation") or 0),
        written=_written(meta.get("managedFields") or ()),
        packed=packing.pack(dumped),
        fingerprint=packing.fingerprint(dumped),
        created=_created(meta),
    )


def seen_again(was: Sight, manifest: Manifest) -> Sight:
    """The same content in another version."""
    meta = manifest["metadata"]
    return dataclasses.replace(
        was,
        version=version(manifest),
        generation=int(meta.get("generation") or 0),
        written=_written(meta.get("managedFields") or ()),
        created=_created(meta),
    )


def version(manifest: Manifest) -> int:
    """A resourceVersion as the number that it is in every cluster that keeps its state in etcd."""
    text = str(manifest["metadata"].get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def manifest(kind: kinds.Kind, seen: Sight) -> dict[str, Any]:
    """The object as it was seen, in the form of a manifest; without what was noise."""
    content = seen.content if seen.packed else {}
    place = {"namespace": seen.namespace} if seen.namespace else {}
    metadata = {**content.get("metadata", {}), **place, "name": seen.name, "uid": seen.uid}
    if seen.generation:
        metadata["generation"] = seen.generation
    if seen.created:
        at = datetime.datetime.fromtimestamp(seen.created, datetime.UTC)
        metadata["creationTimestamp"] = at.isoformat()
    return {**content, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def created(kind: kinds.Kind, seen: Sight, occasion: Occasion, rules: Journalling) -> Change:
    """The entry of an object that is new."""
    raw = occasion.manifest
    told = raw["metadata"].get("creationTimestamp")
    at = datetime.datetime.fromisoformat(told) if told else occasion.now
    values = rules.keeps_values(kind)
    facts = release.facts(raw, template_changed=False) if values else None
    spec = _spec(
        kind,
        seen,
        change_api.Verb.CREATED,
        at,
        authors.creator(occasion.managed),
        late=occasion.late,
        release=facts,
    )
    return _change(spec, naming.name(kind.name, seen.name, seen.uid, "created"), rules)


def deleted(
    kind: kinds.Kind,
    was: Sight,
    now: datetime.datetime,
    rules: Journalling,
    *,
    late: bool,
) -> Change:
    """The entry of an object that is gone; who deleted it is not told by the API server."""
    before, omitted = _before(kind, was, rules)
    spec = _spec(
        kind,
        was,
        change_api.Verb.DELETED,
        now,
        authors.NOBODY,
        late=late,
        before=before,
        before_omitted=omitted,
    )
    return _change(spec, naming.name(kind.name, was.name, was.uid, "deleted"), rules)


def modified(
    kind: kinds.Kind,
    was: Sight,
    is_now: Sight,
    occasion: Occasion,
    rules: Journalling,
    told: Sequence[change_api.FieldChange] = (),
) -> Change | None:
    """The entry of an object that was changed; None when nothing is left to tell.

    ``told`` are the fields of Changes since ``was`` that are in the journal already.
    """
    values = rules.keeps_values(kind)
    found = diff.diff(was.content, is_now.content, keyed=values) if was.packed else []
    if kind is kinds.NODE:
        found = [each for each in found if not noise.sets_up(each, occasion.age)]
    fields = [_field(each, values=values) for each in found]
    fields = catch_up.untold(fields, told) if told else fields
    if was.packed and not fields:
        return None
    by = _author(occasion.managed, found, was)
    late, now = occasion.late, occasion.now
    at = by.at if by.at is not None and (late or abs(now - by.at) < _FRESH) else now
    template = _template(found)
    facts = release.facts(occasion.manifest, template_changed=template) if values else None
    before, omitted = _before(kind, was, rules)
    spec = _spec(
        kind,
        is_now,
        change_api.Verb.MODIFIED,
        at,
        by,
        late=late,
        class_=_class(kind, found, by, rules.noise),
        fields=fields,
        release=facts if _tells_release(kind, found) else None,
        before=before,
        before_omitted=omitted,
    )
    return _change(spec, _name(kind, was, is_now, by), rules)


def _name(kind: kinds.Kind, was: Sight, is_now: Sight, by: authors.Author) -> str:
    """By the generation where it tells; else by both contents and the moment of the write."""
    if is_now.generation > was.generation > 0:
        return naming.name(kind.name, is_now.name, is_now.uid, "generation", is_now.generation)
    moment = by.at.isoformat() if by.at is not None else is_now.version
    contents = was.fingerprint.hex(), is_now.fingerprint.hex()
    return naming.name(kind.name, is_now.name, is_now.uid, *contents, moment)


def _author(
    managed: Sequence[authors.Entry], found: Sequence[diff.Difference], was: Sight
) -> authors.Author:
    """Who changed the fields; nobody when managedFields tell of no write since they were seen."""
    by = authors.author(managed, (each.path for each in found))
    if by.at is not None and by.at.timestamp() < was.written:
        return authors.NOBODY
    return by


def _created(meta: Manifest) -> int:
    text = meta.get("creationTimestamp")
    return int(datetime.datetime.fromisoformat(text).timestamp()) if text else 0


def _written(managed: Sequence[authors.Entry]) -> int:
    texts = [e["time"] for e in managed if e.get("time") and e.get("subresource") != "status"]
    if not texts:
        return 0
    return int(datetime.datetime.fromisoformat(max(texts)).timestamp())


def _class(
    kind: kinds.Kind, found: Sequence[diff.Difference], by: authors.Author, rules: noise.Noise
) -> change_api.Class:
    if kind is kinds.NODE:
        return change_api.Class.NODE
    only_replicas = bool(found) and all(each.path == ("spec", "replicas") for each in found)
    if only_replicas and noise.matches(by.manager, rules.autoscalers):
        return change_api.Class.SCALING
    return change_api.Class.CHANGE


def _template(found: Sequence[diff.Difference]) -> bool:
    return any(each.path[:2] in _TEMPLATES for each in found)


def _tells_release(kind: kinds.Kind, found: Sequence[diff.Difference]) -> bool:
    return bool(kind.status_kept) or _template(found)


def _field(each: diff.Difference, *, values: bool) -> change_api.FieldChange:
    path = diff.path_text(each.path)[:512]
    if not values:
        return change_api.FieldChange(path=path, redacted=True)
    old, new = diff.value_text(each.old), diff.value_text(each.new)
    hidden = redact.is_redacted(old) or redact.is_redacted(new)
    return change_api.FieldChange(path=path, old=old, new=new, redacted=hidden)


def _before(kind: kinds.Kind, was: Sight, rules: Journalling) -> tuple[str, str]:
    """The object before it as text, or why it is not kept."""
    if not rules.keeps_values(kind):
        return "", BEYOND_VIEW
    if not was.packed:
        return "", TOO_LARGE
    text = packing.to_text(packing.pack(packing.dump(manifest(kind, was))))
    if len(text) > change_api.MOST_BEFORE_CHARACTERS:
        return "", TOO_LARGE
    return text, ""


def _spec(
    kind: kinds.Kind,
    seen: Sight,
    verb: change_api.Verb,
    at: datetime.datetime,
    by: authors.Author,
    *,
    class_: change_api.Class | None = None,
    fields: Sequence[change_api.FieldChange] = (),
    **more: Any,
) -> change_api.ChangeSpec:
    """A spec with its sentence; what all verbs have in common."""
    usual = change_api.Class.NODE if kind is kinds.NODE else change_api.Class.CHANGE
    kept = list(fields[: change_api.MOST_FIELDS])
    omitted = len(fields) - len(kept)
    facts: change_api.ReleaseFacts | None = more.get("release")
    target = f"{kind.name} {seen.name}"
    told = summary.sentence(
        target, verb, kept, omitted, by.manager, facts.images if facts is not None else ()
    )
    return change_api.ChangeSpec(
        object=change_api.ObjectReference(
            api_version=kind.api_version,
            kind=kind.name,
            namespace=seen.namespace,
            name=seen.name,
            uid=seen.uid,
        ),
        verb=verb,
        class_=class_ or usual,
        at=at.astimezone(datetime.UTC),
        by=change_api.Author(manager=by.manager[:253], own=by.own),
        summary=told[:2048],
        fields=kept,
        fields_omitted=omitted,
        resource_version=str(seen.version),
        generation=seen.generation or None,
        **more,
    )


def _change(spec: change_api.ChangeSpec, name: str, rules: Journalling) -> Change:
    return Change(name=name, namespace=spec.object.namespace or rules.home, spec=spec)
