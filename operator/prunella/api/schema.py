"""Lower the JSON schema of a pydantic model to the dialect of a CustomResourceDefinition.

A CRD takes only a "structural" OpenAPI v3 schema: no references, a type at every level, no
unions.  What has an equal is translated; what has none is refused with the field's path and
what to write instead, because the API server's own answer comes late and names no model.

Two demands go beyond the API server's: every list, map and text is bounded (else CEL rules
are refused for their estimated cost), and every field has a description (``kubectl explain``).

``X | None`` with a default becomes a field that may be left out, not one that may be null:
there is one way to say "nothing", and writers use ``exclude_none``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

import pydantic
from pydantic import json_schema
from pydantic_core import core_schema

Schema = dict[str, Any]
"""One node of a JSON or OpenAPI schema, of plain JSON values."""

RULES: Final = "x-kubernetes-validations"
PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"

_KEYWORDS: Final = (
    "description",
    "type",
    INT_OR_STRING,
    "anyOf",
    "format",
    "enum",
    "default",
    "nullable",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "items",
    "minProperties",
    "maxProperties",
    "additionalProperties",
    "properties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-embedded-resource",
    PRESERVE,
    RULES,
)
"""All that may stand in a CRD's schema, in the order in which it is written."""

_DROPPED: Final = frozenset({"title", "examples"})
_UNION: Final = "a union; use one optional object per kind, with a rule that exactly one is given"
_MAP_KEY: Final = "a rule for the keys of a map; use a CEL rule: self.all(key, key.matches(...))"
_REFUSED: Final = {
    "anyOf": _UNION,
    "oneOf": _UNION,
    "discriminator": _UNION,
    "patternProperties": _MAP_KEY,
    "propertyNames": _MAP_KEY,
}
_FORMATS: Final = frozenset({"byte", "date", "date-time", "email", "ipv4", "ipv6", "uri", "uuid"})
_BOUNDED_FORMATS: Final = frozenset({"date", "date-time"})
_TYPES: Final = frozenset({"array", "boolean", "integer", "number", "object", "string"})
_INT_OR_STRING_KEYS: Final = frozenset(
    {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"pattern", "minLength", "maxLength"}
)


class CrdError(ValueError):
    """A model can't be written as a CRD; says which field, why, and what to write instead."""


def lower(model: type[pydantic.BaseModel], path: str) -> Schema:
    """The structural schema of a model, with camelCase names; ``path`` names it in errors.

    Raises ``CrdError`` for the first field that has no equal in a CRD.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", json_schema.PydanticJsonSchemaWarning)
        try:
            raw = model.model_json_schema(by_alias=True, schema_generator=_Generator)
        except (pydantic.PydanticUserError, json_schema.PydanticJsonSchemaWarning) as error:
            raise CrdError(f"{path}: {model.__name__} has no JSON schema: {error}") from error
    lowered = _Lowering(raw.get("$defs", {})).node(_without(raw, "$defs"), path, ())
    _demand_description(lowered, path)
    return lowered


class _Generator(json_schema.GenerateJsonSchema):
    """Pydantic's generator, which also shows defaults that are made by calling a model.

    So ``guards: Guards = Field(default_factory=Guards)`` is a default to the API server too,
    and the limits in force are to be seen on the stored object.
    """

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        factory = schema.get("default_factory")
        if isinstance(factory, type) and issubclass(factory, pydantic.BaseModel):
            return factory()
        return super().get_default_value(schema)


class _Lowering:
    """The lowering of one model; holds the definitions that references point to."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def node(self, raw: Schema, path: str, seen: tuple[str, ...]) -> Schema:
        """One node with all that is below; ``seen`` are the models that it stands in."""
        schema, seen = self._inline(raw, path, seen)
        schema = _without_null_default(_constraints(_int_or_string(schema)))
        _demand_keywords(schema, path)
        schema = self._children(schema, path, seen)
        _demand_type(schema, path)
        _demand_bounds(schema, path)
        if "default" in schema:
            schema["default"] = _shortest_default(schema["default"], schema)
        if "description" in schema:
            schema["description"] = _unwrapped(schema["description"])
        return {key: schema[key] for key in _KEYWORDS if key in schema}

    def _inline(
        self, schema: Schema, path: str, seen: tuple[str, ...]
    ) -> tuple[Schema, tuple[str, ...]]:
        """Replace references by what they point to, and ``X | None`` by ``X``."""
        while True:
            if "$ref" in schema:
                name = schema["$ref"].rpartition("/")[2]
                if name in seen:
                    raise CrdError(f"{path}: {name} contains itself; a CRD can't be recursive")
                seen = (*seen, name)
                schema = _merged(self._definitions[name], _without(schema, "$ref"))
            elif (inner := _inside_optional(schema)) is not None:
                schema = {**_merged(inner, _without(schema, "anyOf")), "nullable": True}
            else:
                return schema, seen

    def _children(self, schema: Schema, path: str, seen: tuple[str, ...]) -> Schema:
        if "prefixItems" in schema:
            schema = self._tuple(schema, path, seen)
        elif "items" in schema:
            schema = {**schema, "items": self.node(schema["items"], f"{path}[]", seen)}
        if "additionalProperties" in schema:
            schema = self._map(schema, path, seen)
        if "properties" in schema:
            schema = self._object(schema, path, seen)
        return schema

    def _tuple(self, schema: Schema, path: str, seen: tuple[str, ...]) -> Schema:
        """A tuple becomes a list of as many items, if they are all of one kind."""
        items = [self.node(item, f"{path}[]", seen) for item in schema["prefixItems"]]
        if any(item != items[0] for item in items):
            raise CrdError(f"{path}: a tuple of different types; use an object with named fields")
        return {**_without(schema, "prefixItems"), "items": items[0]}

    def _map(self, schema: Schema, path: str, seen: tuple[str, ...]) -> Schema:
        """Values of a map; beside named fields the keyword is refused, and is not needed."""
        values = schema["additionalProperties"]
        if values is False or (values is True and schema.get(PRESERVE)):
            return _without(schema, "additionalProperties")
        if values is True:
            raise CrdError(f"{path}: holds anything; give its values a type, or set {PRESERVE}")
        if "properties" in schema:
            raise CrdError(f"{path}: has named fields and others; move the others to a map")
        return {**schema, "additionalProperties": self.node(values, f"{path}{{}}", seen)}

    def _object(self, schema: Schema, path: str, seen: tuple[str, ...]) -> Schema:
        required = schema.get("required", [])
        properties = {}
        for name, raw in schema["properties"].items():
            field = self.node(raw, f"{path}.{name}", seen)
            _demand_description(field, f"{path}.{name}")
            properties[name] = field if name in required else _without(field, "nullable")
        return (
            {**schema, "properties": properties} if properties else _without(schema, "properties")
        )


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}


def _merged(base: Schema, over: Schema) -> Schema:
    """A definition with what a field says about it: the field wins, CEL rules add up."""
    rules = [*base.get(RULES, []), *over.get(RULES, [])]
    return {**base, **over, **({RULES: rules} if rules else {})}


def _inside_optional(schema: Schema) -> Schema | None:
    """``X`` if the schema is ``X | None``, else None.  ``X`` may be a union itself."""
    options = schema.get("anyOf", [])
    rest = [option for option in options if option.get("type") != "null"]
    if not rest or len(rest) == len(options):
        return None
    return rest[0] if len(rest) == 1 else {"anyOf": rest}


def _int_or_string(schema: Schema) -> Schema:
    """``int | str`` as the one union that the API server knows.

    Limits of both sides can stand together: each applies to values of its own type alone.
    """
    options = [_without(option, *_DROPPED) for option in schema.get("anyOf", [])]
    if sorted(str(option.get("type")) for option in options) != ["integer", "string"]:
        return schema
    if any(option.keys() - _INT_OR_STRING_KEYS for option in options):
        return schema
    limits = {key: value for option in options for key, value in option.items()}
    return {
        **_without(limits, "type"),
        **schema,
        INT_OR_STRING: True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
    }


def _constraints(schema: Schema) -> Schema:
    """Keywords of JSON schema 2020 in the words of OpenAPI 3.0."""
    schema = _without(schema, *_DROPPED)
    if "const" in schema:
        schema = {**_without(schema, "const"), "enum": [schema["const"]]}
    if schema.pop("uniqueItems", False):
        schema["x-kubernetes-list-type"] = "set"
    for limit, exclusive, stricter in (
        ("minimum", "exclusiveMinimum", max),
        ("maximum", "exclusiveMaximum", min),
    ):
        bound = schema.pop(exclusive, None)
        if bound is None:
            continue
        strictest = stricter(bound, schema.get(limit, bound))
        schema[limit] = strictest
        if strictest == bound:
            schema[exclusive] = True
    return schema


def _without_null_default(schema: Schema) -> Schema:
    return _without(schema, "default") if schema.get("default", 0) is None else schema


def _shortest_default(default: Any, schema: Schema) -> Any:
    """A default without what the defaults of the inner fields say already."""
    if not isinstance(default, dict) or "properties" not in schema:
        return default
    fields = schema["properties"]
    short = {
        name: _shortest_default(value, fields.get(name, {}))
        for name, value in default.items()
        if value is not None
    }
    return {
        name: value
        for name, value in short.items()
        if "default" not in fields.get(name, {}) or value != fields[name]["default"]
    }


def _demand_keywords(schema: Schema, path: str) -> None:
    for keyword in schema:
        if keyword == "prefixItems" or (keyword == "anyOf" and INT_OR_STRING in schema):
            continue
        if keyword in _REFUSED:
            raise CrdError(f"{path}: {_REFUSED[keyword]}")
        if keyword not in _KEYWORDS:
            raise CrdError(f"{path}: the keyword {keyword} does not exist in a CRD")
    _demand_format(schema, path)


def _demand_format(schema: Schema, path: str) -> None:
    found = schema.get("format")
    if found == "duration":
        raise CrdError(f"{path}: a timedelta is written PT5M; use types.Duration (5m)")
    if found is not None and found not in _FORMATS:
        raise CrdError(f"{path}: the API server does not check the format {found}; use a pattern")


def _demand_type(schema: Schema, path: str) -> None:
    if schema.get("type") in _TYPES or schema.get(INT_OR_STRING) or schema.get(PRESERVE):
        return
    raise CrdError(f"{path}: has no type; use one type, or set {PRESERVE}")


def _demand_bounds(schema: Schema, path: str) -> None:
    """Make sure that the size of every value has an upper limit."""
    kind = "string" if schema.get(INT_OR_STRING) else schema.get("type")
    free = "enum" in schema or schema.get("format") in _BOUNDED_FORMATS
    if kind == "string" and not free and "maxLength" not in schema:
        raise CrdError(f"{path}: a text without maxLength; set max_length")
    if kind == "array" and "maxItems" not in schema:
        raise CrdError(f"{path}: a list without maxItems; set max_length")
    if "additionalProperties" in schema and "maxProperties" not in schema:
        raise CrdError(f"{path}: a map without maxProperties; set max_length")
    if kind == "array" and "items" not in schema:
        raise CrdError(f"{path}: a list of anything; give its items a type")


def _demand_description(schema: Schema, path: str) -> None:
    """Make sure that ``kubectl explain`` has a text."""
    if not schema.get("description"):
        raise CrdError(f"{path}: has no description; kubectl explain would show nothing")


def _unwrapped(text: str) -> str:
    """A text whose paragraphs are one line each: ``kubectl explain`` wraps lines itself."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))
