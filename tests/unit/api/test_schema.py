"""Lowering of models to structural schemas: one named case for each rule."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import alias_generators

from prunella.api import schema, types
from tests.unit.api import structural

Text = Annotated[str, pydantic.Field(max_length=10)]
RULE = {"rule": "self.size() > 0", "message": "must not be empty"}
INNER_RULE: pydantic.JsonValue = {"rule": "self.size < 9", "message": "too large"}


class Colour(enum.StrEnum):
    """Colours."""

    RED = "Red"
    BLUE = "Blue"


class Inner(pydantic.BaseModel):
    """An inner object."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        json_schema_extra={"x-kubernetes-validations": [INNER_RULE]},
    )

    size: int = pydantic.Field(5, description="Its size.")


class Plain(pydantic.BaseModel):
    """A plain object."""

    name: Text = pydantic.Field(description="Its name.")


class Empty(pydantic.BaseModel):
    """Takes no parameters."""


class Node(pydantic.BaseModel):
    """A node."""

    children: list[Node] = pydantic.Field(max_length=3, description="Nodes below.")


class Cat(pydantic.BaseModel):
    """A cat."""

    kind: Literal["cat"] = pydantic.Field(description="Kind.")


class Dog(pydantic.BaseModel):
    """A dog."""

    kind: Literal["dog"] = pydantic.Field(description="Kind.")


Pet = Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]
INNER = {
    "description": "F.",
    "type": "object",
    "properties": {"size": {"description": "Its size.", "type": "integer", "default": 5}},
    "x-kubernetes-validations": [INNER_RULE],
}
PLAIN = {
    "type": "object",
    "properties": {"name": {"description": "Its name.", "type": "string", "maxLength": 10}},
    "required": ["name"],
}
INT_OR_STRING = {
    "x-kubernetes-int-or-string": True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
}


def model_of(annotation: Any, default: Any = ..., **field: Any) -> type[pydantic.BaseModel]:
    """A model with one field, ``field``, described as "F."."""
    definition: Any = (annotation, pydantic.Field(default, **{"description": "F.", **field}))
    return pydantic.create_model("Sample", __doc__="A sample.", field=definition)


def lowered(annotation: Any, default: Any = ..., **field: Any) -> dict[str, Any]:
    """The lowered schema of one field, without its description."""
    root = schema.lower(model_of(annotation, default, **field), "S.spec")
    assert [] == structural.structural_errors(root)
    node: dict[str, Any] = root["properties"]["field"]
    return node


@pytest.mark.parametrize(
    ("annotation", "default", "field", "expected"),
    [
        pytest.param(Inner, ..., {}, INNER, id="reference is written out; extra=forbid is dropped"),
        pytest.param(Inner | None, None, {}, INNER, id="optional object may be left out"),
        pytest.param(
            Inner,
            ...,
            {"json_schema_extra": {"x-kubernetes-validations": [RULE]}},
            {**INNER, "x-kubernetes-validations": [INNER_RULE, RULE]},
            id="CEL rules of model and field add up",
        ),
        pytest.param(
            Text,
            ...,
            {"json_schema_extra": {"x-kubernetes-validations": [RULE]}},
            {"type": "string", "maxLength": 10, "x-kubernetes-validations": [RULE]},
            id="CEL rules of a field survive",
        ),
        pytest.param(
            Text | None,
            None,
            {},
            {"type": "string", "maxLength": 10},
            id="optional is not nullable",
        ),
        pytest.param(
            Text | None,
            ...,
            {},
            {"type": "string", "maxLength": 10, "nullable": True},
            id="required and null is nullable",
        ),
        pytest.param(
            float,
            ...,
            {"gt": 0, "lt": 1},
            {
                "type": "number",
                "minimum": 0,
                "exclusiveMinimum": True,
                "maximum": 1,
                "exclusiveMaximum": True,
            },
            id="gt and lt are a limit and a flag",
        ),
        pytest.param(
            int | None,
            None,
            {"gt": 0},
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            id="gt inside optional",
        ),
        pytest.param(
            int,
            ...,
            {"gt": 0, "ge": 5},
            {"type": "integer", "minimum": 5},
            id="the stricter of gt and ge: ge",
        ),
        pytest.param(
            int,
            ...,
            {"lt": 5, "le": 5},
            {"type": "integer", "maximum": 5, "exclusiveMaximum": True},
            id="the stricter of lt and le: lt",
        ),
        pytest.param(
            Literal["only"], ..., {}, {"type": "string", "enum": ["only"]}, id="const is an enum"
        ),
        pytest.param(
            Literal["a", "b"], ..., {}, {"type": "string", "enum": ["a", "b"]}, id="literals"
        ),
        pytest.param(
            Colour,
            Colour.RED,
            {},
            {"type": "string", "enum": ["Red", "Blue"], "default": "Red"},
            id="enum with a default",
        ),
        pytest.param(
            set[Text],
            ...,
            {"max_length": 3},
            {
                "type": "array",
                "maxItems": 3,
                "items": {"type": "string", "maxLength": 10},
                "x-kubernetes-list-type": "set",
            },
            id="set",
        ),
        pytest.param(
            tuple[int, int],
            ...,
            {},
            {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}},
            id="tuple of one type is a list of fixed length",
        ),
        pytest.param(
            tuple[int, ...],
            (),
            {"max_length": 4},
            {"type": "array", "default": [], "maxItems": 4, "items": {"type": "integer"}},
            id="open tuple is a list",
        ),
        pytest.param(
            list[Plain],
            ...,
            {
                "max_length": 3,
                "json_schema_extra": {
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                },
            },
            {
                "type": "array",
                "maxItems": 3,
                "items": {"description": "A plain object.", **PLAIN},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            id="list of objects as a map",
        ),
        pytest.param(
            dict[str, int],
            ...,
            {"max_length": 7},
            {"type": "object", "maxProperties": 7, "additionalProperties": {"type": "integer"}},
            id="map",
        ),
        pytest.param(int | Text, ..., {}, {**INT_OR_STRING, "maxLength": 10}, id="int or string"),
        pytest.param(
            types.IntOrPercent | None,
            None,
            {},
            {
                **INT_OR_STRING,
                "pattern": "^(100|[1-9]?[0-9])%$",
                "maxLength": 4,
                "minimum": 0,
                "maximum": 2**31 - 1,
            },
            id="optional int or percent",
        ),
        pytest.param(
            dt.datetime, ..., {}, {"type": "string", "format": "date-time"}, id="date-time"
        ),
        pytest.param(
            types.LocalTime | None, None, {}, {"type": "string", "format": "date-time"}, id="time"
        ),
        pytest.param(bool, False, {}, {"type": "boolean", "default": False}, id="default is kept"),
        pytest.param(
            int,
            3,
            {"title": "T", "examples": [1]},
            {"type": "integer", "default": 3},
            id="title and examples are dropped",
        ),
        pytest.param(Empty, ..., {}, {"type": "object"}, id="object without fields"),
        pytest.param(
            Any,
            ...,
            {"json_schema_extra": {"x-kubernetes-preserve-unknown-fields": True}},
            {"x-kubernetes-preserve-unknown-fields": True},
            id="anything, when asked for",
        ),
        pytest.param(
            dict[str, Any],
            ...,
            {"json_schema_extra": {"x-kubernetes-preserve-unknown-fields": True}},
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            id="free object, when asked for",
        ),
    ],
)
def test_lowers(annotation: Any, default: Any, field: dict[str, Any], expected: Any) -> None:
    """Each construct has its equal in the dialect of a CRD."""
    assert {"description": "F.", **expected} == lowered(annotation, default, **field)


@pytest.mark.parametrize(
    ("annotation", "field", "message"),
    [
        pytest.param(Pet, {}, "a union; use one optional object per kind", id="discriminated"),
        pytest.param(Cat | Dog, {}, "a union; use one optional object per kind", id="union"),
        pytest.param(int | bool, {}, "a union", id="union of scalars"),
        pytest.param(Literal["x"] | int, {}, "a union", id="int or one word"),
        pytest.param(decimal.Decimal, {}, "a union", id="decimal"),
        pytest.param(dt.timedelta, {}, r"use types.Duration \(5m\)", id="timedelta"),
        pytest.param(
            dict[Annotated[str, pydantic.Field(pattern="^a")], int],
            {"max_length": 3},
            "a rule for the keys of a map; use a CEL rule",
            id="pattern of keys",
        ),
        pytest.param(dict[Text, int], {"max_length": 3}, "keys of a map", id="length of keys"),
        pytest.param(tuple[int, bool], {}, "a tuple of different types", id="mixed tuple"),
        pytest.param(Any, {}, "has no type", id="anything"),
        pytest.param(Literal["a", 1], {}, "has no type", id="mixed literals"),
        pytest.param(dict[str, Any], {"max_length": 3}, "holds anything", id="map of anything"),
        pytest.param(str, {}, "a text without maxLength", id="unbounded text"),
        pytest.param(int | str, {}, "a text without maxLength", id="unbounded int or string"),
        pytest.param(list[int], {}, "a list without maxItems", id="unbounded list"),
        pytest.param(
            Annotated[list[int], pydantic.WithJsonSchema({"type": "array", "maxItems": 3})],
            {},
            "a list of anything",
            id="list without items",
        ),
        pytest.param(list, {"max_length": 3}, "has no type", id="list of anything"),
        pytest.param(dict[str, int], {}, "a map without maxProperties", id="unbounded map"),
        pytest.param(int, {"description": ""}, "has no description", id="no description"),
        pytest.param(int, {"description": " \n"}, "has no description", id="blank description"),
        pytest.param(int, {"deprecated": True}, "the keyword deprecated", id="unknown keyword"),
        pytest.param(
            Text,
            {"json_schema_extra": {"format": "password"}},
            "does not check the format password",
            id="format that nobody checks",
        ),
    ],
)
def test_refuses(annotation: Any, field: dict[str, Any], message: str) -> None:
    """What has no equal in a CRD is refused with the field's path and the way out."""
    with pytest.raises(schema.CrdError, match=rf"^S\.spec\.field(\[\])?: .*{message}"):
        schema.lower(model_of(annotation, **field), "S.spec")


@pytest.mark.parametrize(
    ("annotation", "path"),
    [
        pytest.param(list[str], "S.spec.field[]", id="item of a list"),
        pytest.param(dict[str, str], "S.spec.field{}", id="value of a map"),
        pytest.param(dict[str, list[list[int]]], "S.spec.field{}[]", id="list in a map"),
    ],
)
def test_names_the_place_below_a_field(annotation: Any, path: str) -> None:
    """An error inside a list or map names the place, not only the field."""
    with pytest.raises(schema.CrdError) as caught:
        schema.lower(model_of(annotation, max_length=3), "S.spec")
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("annotation", [Node, list[Node], Node | None])
def test_refuses_recursive_models(annotation: Any) -> None:
    """A model that contains itself can't be written out."""
    with pytest.raises(schema.CrdError, match="Node contains itself"):
        schema.lower(model_of(annotation, max_length=3) if annotation != Node else Node, "S.spec")


def test_writes_a_model_out_twice() -> None:
    """A model used in two places is no recursion."""
    root = schema.lower(model_of(tuple[Inner, Inner]), "S.spec")
    assert {**INNER, "description": "An inner object."} == root["properties"]["field"]["items"]


def test_refuses_a_default_that_is_no_json() -> None:
    """A default that can't be written is refused, not dropped in silence."""
    with pytest.raises(schema.CrdError, match="has no JSON schema"):
        schema.lower(model_of(object, object()), "S.spec")


def test_refuses_a_model_without_a_docstring() -> None:
    """The top of the schema is explained too."""
    bare = pydantic.create_model("Bare", field=(int, pydantic.Field(description="F.")))
    with pytest.raises(schema.CrdError, match=r"^S\.spec: has no description"):
        schema.lower(bare, "S.spec")


def test_refuses_named_fields_beside_others() -> None:
    """A model that takes typed extra fields has no equal."""

    class Open(pydantic.BaseModel):
        """Open."""

        __pydantic_extra__: dict[str, int]
        model_config = pydantic.ConfigDict(extra="allow")
        size: int = pydantic.Field(description="Size.")

    with pytest.raises(schema.CrdError, match="has named fields and others"):
        schema.lower(Open, "S.spec")


def test_is_written_in_camel_case() -> None:
    """Names, required names and defaults of inner objects are those of the manifest."""

    class Limits(pydantic.BaseModel):
        """Limits."""

        model_config = pydantic.ConfigDict(
            alias_generator=alias_generators.to_camel, populate_by_name=True
        )
        max_per_hour: int = pydantic.Field(3, description="Most.")
        other_limit: int | None = pydantic.Field(None, description="Other.")

    class Spec(pydantic.BaseModel):
        """Spec."""

        model_config = pydantic.ConfigDict(alias_generator=alias_generators.to_camel)
        must_have: int = pydantic.Field(description="Must.")
        usual_limits: Limits = pydantic.Field(default_factory=Limits, description="Limits.")
        strict_limits: Limits = pydantic.Field(Limits(max_per_hour=1), description="Limits.")

    root = schema.lower(Spec, "S.spec")
    assert ["mustHave"] == root["required"]
    assert ["mustHave", "usualLimits", "strictLimits"] == list(root["properties"])
    assert {} == root["properties"]["usualLimits"]["default"]
    assert {"maxPerHour": 1} == root["properties"]["strictLimits"]["default"]


def test_leaves_other_factories_alone() -> None:
    """An empty list that a factory makes is no default of the API server's."""

    class Spec(pydantic.BaseModel):
        """Spec."""

        items: list[int] = pydantic.Field(default_factory=list, max_length=3, description="Items.")

    assert "default" not in schema.lower(Spec, "S.spec")["properties"]["items"]


def test_takes_fields_that_are_named_like_keywords() -> None:
    """A field called title, default or const is a field."""
    names = ("title", "default", "const", "examples", "items", "properties")
    described: Any = {name: (int, pydantic.Field(description="F.")) for name in names}
    root = schema.lower(pydantic.create_model("Odd", __doc__="Odd.", **described), "S.spec")
    assert list(names) == list(root["properties"])


def test_unwraps_paragraphs() -> None:
    """Lines of a docstring are joined, paragraphs stay apart."""
    root = schema.lower(model_of(int, description="One\n  line.\n\nTwo\nlines.\n"), "S.spec")
    assert "One line.\n\nTwo lines." == root["properties"]["field"]["description"]


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        pytest.param({"$ref": "#/x", "type": "object"}, "$ref is not supported", id="reference"),
        pytest.param({}, "has no type", id="no type"),
        pytest.param({"type": ["string", "null"]}, "has no type", id="list of types"),
        pytest.param(
            {"type": "object", "properties": {}, "additionalProperties": False},
            "has additionalProperties beside properties",
            id="additionalProperties",
        ),
        pytest.param(
            {"type": "string", "anyOf": [{"type": "string"}]},
            "anyOf holds more than checks of values",
            id="types in a union",
        ),
        pytest.param(
            {"type": "number", "exclusiveMinimum": 0}, "exclusiveMinimum is not a boolean", id="gt"
        ),
        pytest.param({"type": "string", "const": "x"}, "const is not supported", id="const"),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            "uniqueItems is not supported",
            id="uniqueItems",
        ),
        pytest.param(
            {"type": "array", "prefixItems": [], "items": {"type": "string"}},
            "prefixItems is not supported",
            id="prefixItems",
        ),
        pytest.param({"type": "array"}, "a list without items", id="items"),
        pytest.param(
            {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "the map key name is neither required nor has a default",
            id="map key",
        ),
    ],
)
def test_oracle_sees(node: dict[str, Any], fault: str) -> None:
    """The oracle of these tests finds each fault, and says where."""
    root = {"type": "object", "properties": {"a": {"type": "array", "items": node}}}
    assert [f".a[]: {fault}"] == structural.structural_errors(root)
