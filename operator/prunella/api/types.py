"""Types of fields that several custom resources share.

Each is checked in Python as the API server checks it, from one pattern: what ``prunella lint``
accepts offline, the server accepts too, and the other way round.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Self

import pydantic
import pydantic_core
from pydantic import alias_generators, json_schema
from pydantic_core import core_schema

MAX_INT32: Final = 2**31 - 1
MAX_SELECTOR_TERMS: Final = 16

_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = "^" + "".join(f"([0-9]{{1,6}}{unit})?" for unit in _UNITS) + "$"
_DURATION_MAX_LENGTH: Final = 35
_PERCENT: Final = "^(100|[1-9]?[0-9])%$"
_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_LABEL_NAME: Final = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_DNS_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_SUBDOMAIN: Final = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_LABEL_KEY: Final = rf"^({_DNS_SUBDOMAIN}/)?{_LABEL_NAME}$"


def _refuse(kind: str, what: str, got: object) -> pydantic_core.PydanticCustomError:
    """An error in the words "must be WHAT, got GOT"; pydantic adds the field's path."""
    return pydantic_core.PydanticCustomError(kind, "must be {what}, got {got}", _shown(what, got))


def _shown(what: str, got: object) -> dict[str, str]:
    text = repr(got)
    return {"what": what, "got": text if len(text) <= 80 else f"{text[:77]}..."}


@dataclasses.dataclass(frozen=True, slots=True)
class _Shape:
    """Annotation of a ``str``: a pattern and a length, checked alike in Python and in the CRD."""

    pattern: str
    max_length: int
    what: str

    def check(self, value: str) -> str:
        """The value, or a refusal that says what it should be."""
        if len(value) > self.max_length or not re.fullmatch(self.pattern, value):
            raise _refuse("text_shape", self.what, value)
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern, "maxLength": self.max_length}


class Duration(dt.timedelta):
    """A length of time in whole seconds, written as in Prometheus: ``30s``, ``5m``, ``1h30m``.

    A ``timedelta`` that keeps the text it was written as, so that writing an object back
    changes nothing that its author wrote.  Units are w, d, h, m and s, the largest first.
    """

    text: str

    def __new__(cls, text: str) -> Self:
        """Read a duration; raises ``ValueError`` that shows what a duration looks like."""
        if not isinstance(text, str) or not text or not re.fullmatch(_DURATION, text):
            raise _refuse("duration", "a duration such as 30s, 5m or 1h30m", text)
        parts = re.findall("([0-9]+)([wdhms])", text)
        self = super().__new__(cls, seconds=sum(int(n) * _UNITS[unit] for n, unit in parts))
        self.text = text
        return self

    @classmethod
    def from_seconds(cls, seconds: int) -> Self:
        """The shortest text for so many seconds, which must not be negative."""
        text, rest = "", seconds
        for unit, size in _UNITS.items():
            count, rest = divmod(rest, size)
            text += f"{count}{unit}" if count else ""
        return cls(text or "0s")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Duration({self.text!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.text,)

    @classmethod
    def _validate(cls, value: object) -> Duration:
        if isinstance(value, cls):
            return value
        if isinstance(value, dt.timedelta):
            seconds, rest = divmod(value, dt.timedelta(seconds=1))
            if rest or seconds < 0:
                raise _refuse("duration", "a duration in whole seconds", str(value))
            return cls.from_seconds(seconds)
        return cls(value)  # type: ignore[arg-type]  # the constructor refuses what is no text

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        write = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.no_info_plain_validator_function(cls._validate, serialization=write)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        # The pattern alone would let the empty text pass.
        return {
            "type": "string",
            "pattern": _DURATION,
            "minLength": 2,
            "maxLength": _DURATION_MAX_LENGTH,
        }


def duration(text: str) -> Duration:
    """The default of a field: ``types.duration("5m")``."""
    return Duration(text)


class _IntOrPercent:
    """Annotation of ``int | str``: a count, or a percentage from 0% to 100%."""

    what: Final = "a whole number from 0, or a percentage such as 25%"

    def _validate(self, value: object) -> int | str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INT32:
            return value
        if isinstance(value, str) and re.fullmatch(_PERCENT, value):
            return value
        raise _refuse("int_or_percent", self.what, value)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MAX_INT32},
                {"type": "string", "pattern": _PERCENT, "maxLength": 4},
            ]
        }


def _check_label_key(key: str) -> str:
    prefix = key.partition("/")[0] if "/" in key else ""
    if len(prefix) > 253 or not re.fullmatch(_LABEL_KEY, key):
        raise _refuse("label_key", "a label key such as app or app.kubernetes.io/name", key)
    return key


def _read_time(value: object) -> object:
    """Only texts that the API server takes for a date-time; pydantic alone reads many more."""
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        return value
    raise _refuse("rfc3339", "a time such as 2026-01-31T08:30:00Z (RFC 3339)", value)


def _to_utc(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC)


Percent = Annotated[str, _Shape(_PERCENT, 4, "a percentage from 0% to 100%, such as 25%")]
"""A share in whole percent, from ``0%`` to ``100%``."""

IntOrPercent = Annotated[int | str, _IntOrPercent()]
"""A count from 0, or a share such as ``25%``; an ``int-or-string`` to the API server."""

DnsLabel = Annotated[
    str,
    _Shape(f"^{_DNS_LABEL}$", 63, "a DNS label: lower case letters, digits and -, at most 63"),
]
"""A name such as a namespace's (RFC 1123 label)."""

ObjectName = Annotated[
    str,
    _Shape(
        f"^{_DNS_SUBDOMAIN}$",
        253,
        "an object's name: lower case letters, digits, - and ., at most 253",
    ),
]
"""The name of a Kubernetes object (RFC 1123 subdomain)."""

LabelValue = Annotated[
    str,
    _Shape(
        f"^({_LABEL_NAME})?$",
        63,
        "a label value: letters, digits, -, _ and ., at most 63",
    ),
]
"""The value of a label; may be empty."""

LabelKey = Annotated[str, pydantic.AfterValidator(_check_label_key)]
"""The key of a label.  Without a pattern of its own in the CRD: keys of maps can't have one."""

LocalTime = Annotated[
    pydantic.AwareDatetime,
    pydantic.AfterValidator(_to_utc),
    pydantic.BeforeValidator(_read_time),
]
"""A moment: read as RFC 3339, kept in UTC, written with ``Z``."""


class SelectorOperator(enum.StrEnum):
    """How a label is compared with the values."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


_COMPARE: Final[dict[SelectorOperator, Callable[[str | None, tuple[str, ...]], bool]]] = {
    SelectorOperator.IN: lambda label, values: label in values,
    SelectorOperator.NOT_IN: lambda label, values: label not in values,
    SelectorOperator.EXISTS: lambda label, _: label is not None,
    SelectorOperator.DOES_NOT_EXIST: lambda label, _: label is None,
}
_VALUES_RULE: Final = "In and NotIn need values; Exists and DoesNotExist take none"


class _SelectorModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        alias_generator=alias_generators.to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
    )


class LabelSelectorRequirement(_SelectorModel):
    """One comparison of a label."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "(self.operator in ['In', 'NotIn']) "
                    "== (has(self.values) && size(self.values) > 0)",
                    "message": _VALUES_RULE,
                }
            ]
        }
    )

    key: Annotated[LabelKey, pydantic.Field(max_length=317)] = pydantic.Field(
        description="The label's key."
    )
    operator: SelectorOperator = pydantic.Field(
        description="In, NotIn, Exists or DoesNotExist. NotIn also matches where the label is "
        "missing."
    )
    values: tuple[LabelValue, ...] = pydantic.Field(
        default_factory=tuple,
        max_length=MAX_SELECTOR_TERMS,
        description="Values for In and NotIn.",
    )

    @pydantic.model_validator(mode="after")
    def _values_fit(self) -> LabelSelectorRequirement:
        needed = self.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)
        if needed != bool(self.values):
            raise ValueError(_VALUES_RULE)
        return self

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the requirement."""
        return _COMPARE[self.operator](labels.get(self.key), self.values)


class LabelSelector(_SelectorModel):
    """Labels that an object must have; all parts must match, as everywhere in Kubernetes."""

    model_config = pydantic.ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    match_labels: dict[LabelKey, LabelValue] = pydantic.Field(
        default_factory=dict,
        max_length=MAX_SELECTOR_TERMS,
        description="Labels with exactly these values.",
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": f"self.all(key, key.matches(r'{_LABEL_KEY}'))",
                    "message": "keys must be label keys such as app or app.kubernetes.io/name",
                }
            ]
        },
    )
    match_expressions: tuple[LabelSelectorRequirement, ...] = pydantic.Field(
        default_factory=tuple,
        max_length=MAX_SELECTOR_TERMS,
        description="Comparisons of labels.",
    )

    @property
    def is_empty(self) -> bool:
        """Whether it selects every object because it asks for nothing."""
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects an object with these labels; the empty selector selects all."""
        return self.match_labels.items() <= labels.items() and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )
