"""What all models of the custom resources share."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic
from pydantic import alias_generators

ShortText = Annotated[str, pydantic.Field(max_length=253)]
LongText = Annotated[str, pydantic.Field(max_length=2048)]


class ApiModel(pydantic.BaseModel):
    """A frozen model, written in camelCase, that refuses fields it does not know."""

    model_config = pydantic.ConfigDict(
        alias_generator=alias_generators.to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
    )


def rules(*rules: tuple[str, str]) -> dict[str, Any]:
    """CEL rules of the API server: (expression, message) pairs."""
    return {
        "x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]
    }


def exactly_one(*fields: str) -> tuple[str, str]:
    """The CEL rule that one of some optional fields is given."""
    terms = " + ".join(f"(has(self.{field}) ? 1 : 0)" for field in fields)
    return f"{terms} == 1", f"exactly one of {', '.join(fields)} must be given"


def check_exactly_one(model: pydantic.BaseModel, *fields: str) -> None:
    """The same rule in Python; raises ValueError that names what was found."""
    given = [name for name in fields if getattr(model, alias_to_field(name)) is not None]
    if len(given) != 1:
        found = ", ".join(given) or "none"
        raise ValueError(f"exactly one of {', '.join(fields)} must be given, found {found}")


def alias_to_field(alias: str) -> str:
    """The Python name of a camelCase field."""
    return alias_generators.to_snake(alias)
