"""What a policy names of what administrators offer: whether it may, and with which values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from prunella.api import offered, reasons
from prunella.core import model

Refused = reasons.Refused
OfferT = TypeVar("OfferT", bound=offered.Offer)


def taken(
    what: str,
    name: str,
    offers: Mapping[str, OfferT],
    namespace: str,
    parameters: Mapping[str, str],
) -> OfferT | model.Refusal:
    """The offer of a name; a Refusal unless it is for this namespace and these parameters.

    ``what`` is what such an offer is called, as ``endpoint``.
    """
    offer = offers.get(name)
    if offer is None:
        known = ", ".join(sorted(offers)) or "none"
        message = f"there is no {what} {name}; the operator has: {known}"
        return model.Refusal(Refused.NOT_OFFERED, message)
    if not offer.allows(namespace):
        where = ", ".join(offer.namespaces)
        message = f"{what} {name} is for {where}, not for {namespace}"
        return model.Refusal(Refused.NOT_OFFERED, message)
    if problems := [*offer.problems(parameters)]:
        return model.Refusal(Refused.BAD_PARAMETERS, f"{what} {name}: {'; '.join(problems)}")
    return offer


def in_words(values: Mapping[str, str]) -> str:
    """The values of the parameters, for a summary."""
    return ", ".join(f"{key}={value}" for key, value in values.items()) or "no parameters"
