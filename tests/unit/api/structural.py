"""The rules of apiextensions for schemas, written down once more, apart from the generator.

An independent oracle: it knows what the API server refuses, not what the generator writes.
"""

from collections.abc import Iterator
from typing import Any

FORBIDDEN = (
    *("$ref", "$defs", "definitions", "const", "prefixItems", "patternProperties"),
    *("propertyNames", "discriminator", "dependencies", "additionalItems", "examples", "title"),
)
JUNCTORS = ("anyOf", "oneOf", "allOf")
INT_OR_STRING_FORM = [{"type": "integer"}, {"type": "string"}]


def structural_errors(schema: dict[str, Any], path: str = "") -> list[str]:
    """What the API server would refuse in a schema, one text per fault, each with its path."""
    errors = [f"{path}: {fault}" for fault in _faults(schema)]
    for name, child in _children(schema):
        errors += structural_errors(child, f"{path}{name}")
    return errors


def _children(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, child in schema.get("properties", {}).items():
        yield f".{name}", child
    if isinstance(schema.get("items"), dict):
        yield "[]", schema["items"]
    if isinstance(schema.get("additionalProperties"), dict):
        yield "{}", schema["additionalProperties"]


def _faults(schema: dict[str, Any]) -> Iterator[str]:
    yield from (f"{keyword} is not supported" for keyword in FORBIDDEN if keyword in schema)
    int_or_string = schema.get("x-kubernetes-int-or-string", False)
    if not (int_or_string or schema.get("x-kubernetes-preserve-unknown-fields")):
        if not isinstance(schema.get("type"), str):
            yield "has no type"
    elif int_or_string and "type" in schema:
        yield "has a type beside int-or-string"
    if "additionalProperties" in schema and "properties" in schema:
        yield "has additionalProperties beside properties"
    yield from _junctor_faults(schema, int_or_string=int_or_string)
    yield from _value_faults(schema)


def _junctor_faults(schema: dict[str, Any], *, int_or_string: bool) -> Iterator[str]:
    for junctor in JUNCTORS:
        branches = schema.get(junctor, [])
        if int_or_string and junctor == "anyOf" and branches == INT_OR_STRING_FORM:
            continue
        if any(
            {"type", "description", "default", "nullable"} & branch.keys() for branch in branches
        ):
            yield f"{junctor} holds more than checks of values"


def _value_faults(schema: dict[str, Any]) -> Iterator[str]:
    for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
        if not isinstance(schema.get(keyword, False), bool):
            yield f"{keyword} is not a boolean"
    if schema.get("uniqueItems"):
        yield "uniqueItems is not supported"
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        yield "a list without items"
    if schema.get("x-kubernetes-list-type") == "map":
        item = schema.get("items", {})
        for key in schema.get("x-kubernetes-list-map-keys", [None]):
            field = item.get("properties", {}).get(key, {})
            if key not in item.get("required", []) and "default" not in field:
                yield f"the map key {key} is neither required nor has a default"
