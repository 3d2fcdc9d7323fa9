"""The body that Alertmanager's webhook receiver posts, version 4, checked strictly.

Source: Alertmanager documentation, "Webhook receiver"; ``notify/webhook`` and ``template.Data`` of
its source, which is where ``truncatedAlerts`` and the status of each alert come from.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, NamedTuple

import pydantic

from prunella.adapters.intake import told

MOST_LABELS = 64
_EPOCH = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)
_END = datetime.datetime(4000, 1, 1, tzinfo=datetime.UTC)
_LabelName = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=256)]
_LabelValue = Annotated[str, pydantic.StringConstraints(max_length=2048)]
_Text = Annotated[str, pydantic.StringConstraints(max_length=16_384)]
_Labels = Annotated[dict[_LabelName, _LabelValue], pydantic.Field(max_length=MOST_LABELS)]
_Annotations = Annotated[dict[_LabelName, _Text], pydantic.Field(max_length=MOST_LABELS)]
_Status = Literal["firing", "resolved"]


class Alert(pydantic.BaseModel):
    """One alert. Fields that are not named here are not read: newer versions add some."""

    model_config = pydantic.ConfigDict(strict=True)

    status: _Status
    labels: _Labels
    annotations: _Annotations
    startsAt: pydantic.AwareDatetime  # noqa: N815 - as Alertmanager writes it
    endsAt: pydantic.AwareDatetime  # noqa: N815


class Message(pydantic.BaseModel):
    """One notification of one group."""

    model_config = pydantic.ConfigDict(strict=True)

    version: Literal["4"]
    groupKey: _Text  # noqa: N815
    status: _Status
    truncatedAlerts: Annotated[int, pydantic.Field(ge=0)] = 0  # noqa: N815
    alerts: Annotated[list[Alert], pydantic.Field(min_length=1)]


class PayloadError(ValueError):
    """A body that is not a webhook's: what is wrong, and where."""


class Truncated(PayloadError):  # noqa: N818 - a body that is well formed, and not whole
    """A group of which Alertmanager has left alerts out."""


class Body(NamedTuple):
    """What a body tells: its alerts, each with its own status."""

    group: str
    alerts: list[told.Told]


def read(body: bytes, source: str, received: float) -> Body:
    """The alerts of a body; ``received`` in seconds since the epoch. Raises PayloadError."""
    try:
        message = Message.model_validate_json(body)
    except pydantic.ValidationError as error:
        raise PayloadError(explain(error)) from None
    if message.truncatedAlerts:
        raise Truncated(
            f"{message.truncatedAlerts} alerts of this group were left out: "
            f"set `max_alerts: 0` for this receiver"
        )
    return Body(message.groupKey, [_told(each, source, received) for each in message.alerts])


def _told(alert: Alert, source: str, received: float) -> told.Told:
    name = alert.labels.get(told.NAME)
    if not name:
        raise PayloadError("an alert has no label alertname")
    if not _EPOCH < alert.startsAt < _END:
        raise PayloadError(f"alert {name[:80]}: startsAt {alert.startsAt} is not a time")
    firing = alert.status == "firing"
    if not firing and not alert.startsAt <= alert.endsAt < _END:
        raise PayloadError(f"alert {name[:80]}: it ends before it begins, or never")
    return told.Told(
        source=source,
        name=name,
        labels=told.labels_of(alert.labels),
        starts_at=alert.startsAt.timestamp(),
        firing=firing,
        received=received,
        ended_at=None if firing else alert.endsAt.timestamp(),
        message=told.message_of(alert.annotations),
    )


def explain(error: pydantic.ValidationError) -> str:
    """The first fault, by its place; nothing of the body itself is repeated."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part)[:64] for part in first["loc"]) or "the body"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg'][:200]}{more}"
