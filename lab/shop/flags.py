"""Feature flags: what a flagd pod serves from the ConfigMap that is mounted into it."""

from __future__ import annotations

import json

from lab.shop.objects import Object, Picture
from lab.shop.profiles import NO_EFFECT, Effect, Profile, effect

Flags = dict[str, float]


def served(picture: Picture, pod: Object) -> Flags:
    """The value of each flag that has a number; a file that is no JSON has none."""
    found: Flags = {}
    for volume in pod["spec"].get("volumes") or []:
        name = (volume.get("configMap") or {}).get("name")
        mounted = picture.get("ConfigMap", pod["metadata"]["namespace"], name) if name else None
        for key, text in ((mounted or {}).get("data") or {}).items():
            if key.endswith(".json"):
                found.update(read(text))
    return found


def read(text: str) -> Flags:
    """The flags of one file in flagd's format: the default variant's number, 0 when disabled."""
    try:
        flags = json.loads(text).get("flags", {})
        return {name: _value(flag) for name, flag in flags.items()}
    except (ValueError, AttributeError):
        return {}


def _value(flag: dict[str, object]) -> float:
    variants = flag.get("variants")
    chosen = variants.get(flag.get("defaultVariant")) if isinstance(variants, dict) else None
    if flag.get("state") != "ENABLED" or not isinstance(chosen, int | float):
        return 0.0
    return float(chosen)


def of_service(profile: Profile, flags: Flags) -> Effect:
    """What the flags do to a program."""
    found = NO_EFFECT
    for name, fields in profile.flags:
        value = flags.get(name, 0.0)
        if value:
            found = found.plus(effect({field: value * factor for field, factor in fields}))
    return found
