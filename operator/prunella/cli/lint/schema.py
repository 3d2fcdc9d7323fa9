"""A document against the policy's schema, as strictly as the API server reads it.

The models are the same that the custom resource definition is made from.  They are asked in
strict mode and by the names of the manifest, because pydantic would otherwise accept what the
API server does not: ``"5"`` for a number, ``max_per_hour`` for ``maxPerHour``.
"""

from __future__ import annotations

import difflib
import json
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from prunella import settings
from prunella.api import cluster_policy
from prunella.api import policy as policy_api
from prunella.cli.lint import findings
from prunella.cli.lint.documents import Document
from prunella.cli.lint.findings import Note, Path

GROUP, VERSION, KIND = "prunella.dev", "v1alpha1", "RemediationPolicy"
CLUSTER_KIND = "ClusterRemediationPolicy"
KINDS = {
    KIND: policy_api.RemediationPolicySpec,
    CLUSTER_KIND: cluster_policy.ClusterRemediationPolicySpec,
}
API_VERSION = f"{GROUP}/{VERSION}"
WRITTEN_BY_OPERATOR = frozenset({"Remediation"})
TOP_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def suggestion(word: str, known: Sequence[str]) -> str:
    """`` - did you mean X?`` for the known word that is nearest, or nothing."""
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower().replace("_", ""), lower, n=1, cutoff=0.6)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def is_ours(document: Document) -> bool:
    """Whether a document is, or was most likely meant to be, one of Prunella's."""
    content = document.content
    if not isinstance(content, dict):
        return False
    group = str(content.get("apiVersion", "")).partition("/")[0]
    if group == GROUP:
        return True
    meant = bool(difflib.get_close_matches(group, [GROUP], cutoff=0.75))
    return content.get("kind") in KINDS and (meant or not group)


def check_identity(content: Mapping[str, Any]) -> list[Note]:
    """Check apiVersion and kind. With an error here nothing else is worth checking."""
    version, kind = content.get("apiVersion"), content.get("kind")
    if version != API_VERSION:
        found = f"found {version}" if version else "it is missing"
        path = ("apiVersion",) if version else ()
        return [findings.error("api-version", path, f"apiVersion must be {API_VERSION}, {found}")]
    if kind in WRITTEN_BY_OPERATOR:
        message = f"a {kind} is written by the operator alone, never by hand"
        return [findings.error("kind", ("kind",), message)]
    if kind not in KINDS:
        near = suggestion(str(kind), [*KINDS])
        return [findings.error("kind", ("kind",), f"no kind {kind} in {API_VERSION}{near}")]
    return []


def check_metadata(content: Mapping[str, Any]) -> Iterator[Note]:
    """Top fields, name and namespace."""
    for field in content:
        if field not in TOP_FIELDS:
            message = f"unknown field {field}{suggestion(str(field), TOP_FIELDS)}"
            yield findings.error("unknown-field", (str(field),), message)
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        yield findings.error("metadata", ("metadata",), "metadata with a name is missing")
        return
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if name is None:
        yield findings.error("metadata", ("metadata",), "metadata.name is missing")
    elif not (isinstance(name, str) and NAME.fullmatch(name) and len(name) <= 253):
        message = f"{name!r} is no name: small letters, digits, '-' and '.', at most 253"
        yield findings.error("metadata", ("metadata", "name"), message)
    yield from _check_namespace(str(content.get("kind")), namespace)


def _check_namespace(kind: str, namespace: object) -> Iterator[Note]:
    if kind == CLUSTER_KIND:
        if namespace is not None:
            message = f"a {CLUSTER_KIND} is in no namespace"
            yield findings.error("metadata", ("metadata", "namespace"), message)
    elif namespace is None:
        message = "no namespace is written: kubectl would use the one of its current context"
        yield findings.warning("metadata", ("metadata",), message)
    elif namespace in settings.SYSTEM_NAMESPACES:
        message = f"{namespace} is a system namespace: the operator never acts there"
        yield findings.error("system-namespace", ("metadata", "namespace"), message)
    elif not (isinstance(namespace, str) and NAMESPACE.fullmatch(namespace)):
        message = f"{namespace!r} is no namespace: small letters, digits and '-'"
        yield findings.error("metadata", ("metadata", "namespace"), message)


def check_spec(
    document: Document,
) -> tuple[policy_api.RemediationPolicySpec | None, list[Note]]:
    """The spec as the operator would read it, or what keeps it from being read."""
    content = document.content
    spec = content.get("spec") if isinstance(content, dict) else None
    if not isinstance(spec, dict):
        found = "is missing" if spec is None else f"must be a map, found {_show(spec)}"
        return None, [findings.error("schema", ("spec",), f"spec {found}")]
    text = json.dumps(_as_sent(spec), default=str)
    kind = str(content.get("kind")) if isinstance(content, dict) else ""
    try:
        model = KINDS.get(kind, policy_api.RemediationPolicySpec).model_validate_json(
            text, strict=True, by_alias=True, by_name=False
        )
    except pydantic.ValidationError as error:
        return None, _notes(spec, error.errors())
    return model, []


def _as_sent(value: object) -> object:
    """A value as kubectl sends it: it writes ``3.0`` as ``3``, a whole number."""
    if isinstance(value, dict):
        return {key: _as_sent(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_sent(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _notes(spec: Mapping[str, Any], errors: Sequence[ErrorDetails]) -> list[Note]:
    """One note for each field: the branches of a union all complain about the same one."""
    grouped: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        grouped.setdefault(_field_path(spec, error), []).append(error)
    return [_note(path, group) for path, group in grouped.items()]


def _field_path(spec: Mapping[str, Any], error: ErrorDetails) -> Path:
    """The part of pydantic's location that is in the manifest; it also names union branches."""
    found: Any = spec
    path: list[str | int] = []
    for part in error["loc"]:
        last = error["type"] == "missing" and part == error["loc"][-1]
        inside = (isinstance(found, dict) and part in found) or (
            isinstance(found, list) and isinstance(part, int) and part < len(found)
        )
        if not inside:
            return ("spec", *path, part) if last else ("spec", *path)
        path.append(part)
        found = found[part]
    return ("spec", *path)


def _note(path: Path, errors: Sequence[ErrorDetails]) -> Note:
    first = errors[0]
    if first["type"] == "extra_forbidden":
        known = fields_at(path[1:-1])
        message = f"unknown field {path[-1]}{suggestion(str(path[-1]), known)}"
        return findings.error("unknown-field", path, message)
    phrases = dict.fromkeys(_phrase(error) for error in errors)
    return findings.error("schema", path, " or ".join(phrases))


def _phrase(error: ErrorDetails) -> str:
    say = _PHRASES.get(error["type"])
    if say is not None:
        return say(error)
    message = error["msg"][0].lower() + error["msg"][1:]
    if ", got " in message:
        return message.replace(", got ", ", found ")
    return f"{message.replace('input should', 'must')}, found {_show(error['input'])}"


def _enum(error: ErrorDetails) -> str:
    expected = error["ctx"]["expected"].replace("'", "")
    known = re.split(r", | or ", expected)
    near = suggestion(str(error["input"]), known)
    return f"must be {expected}, found {_show(error['input'])}{near}"


def _length(error: ErrorDetails) -> str:
    least = error["type"] == "too_short"
    bound = (
        f"at least {error['ctx']['min_length']}"
        if least
        else (f"at most {error['ctx']['max_length']}")
    )
    return f"must have {bound} items, found {error['ctx']['actual_length']}"


_PHRASES: Mapping[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda error: f"{error['loc'][-1]} is missing",
    "value_error": lambda error: str(error["ctx"]["error"]),
    "enum": _enum,
    "literal_error": _enum,
    "too_short": _length,
    "too_long": _length,
    "string_too_short": lambda _: "must not be empty",
    "model_type": lambda error: f"must be a map, found {_show(error['input'])}",
    "float_type": lambda error: f"must be a number, found {_show(error['input'])}",
    "int_type": lambda error: f"must be a whole number, found {_show(error['input'])}",
    "bool_type": lambda error: f"must be true or false, found {_show(error['input'])}",
    "string_type": lambda error: f"must be text, found {_show(error['input'])}",
    "list_type": lambda error: f"must be a list, found {_show(error['input'])}",
}


def _show(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def fields_at(path: Path) -> list[str]:
    """Names that the schema knows under a path of the spec, as written in a manifest."""
    model: type[pydantic.BaseModel] | None = policy_api.RemediationPolicySpec
    for part in path:
        if isinstance(part, int):
            continue
        fields = {field.alias: field for field in model.model_fields.values()} if model else {}
        model = _model_in(fields[part].annotation) if part in fields else None
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    """The first model in an annotation such as ``Annotated[list[Step], ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    inner = (_model_in(each) for each in typing.get_args(annotation))
    return next((each for each in inner if each is not None), None)
