"""What containers are told by their environment: variables, and the Services that texts name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from prunella.core import model

Manifest = Mapping[str, Any]
_NAME: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(
    rf"(?<![\w.-])(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^/@\s;\"']*@)?"
    rf"(?P<host>{_NAME}(?:\.{_NAME})*)\.?(?::(?P<port>[0-9]{{1,5}}))?(?:[/?#][^\s;\"']*)?"
)
_SAYS_SO: Final = re.compile(
    r"(ADDR|ADDRESS|HOST|HOSTNAME|URL|URI|ENDPOINT|SERVER|SERVERS|SERVICE|BROKERS?|DSN)$"
)
"""Ends of variables that hold an address, even a bare name."""
_HINTS: Final = re.compile(r"(ADDR|HOST|URL|URI|ENDPOINT|SERVICE|SERVER|BROKER|UPSTREAM|DSN)")
"""Words of variables that may hold one: a name with a port in these is an address."""
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 4096
"""Characters of one text that are looked at; an address is not longer."""


class Variable(NamedTuple):
    """A variable whose value is known."""

    name: str
    text: str
    holder: model.Ref | None = None
    """The ConfigMap that holds the value; None for the container itself."""
    entry: str = ""
    """The value's key in the ConfigMap."""


class Named(NamedTuple):
    """A Service that a text names, as the cluster's DNS would: ``NAME.NAMESPACE.svc``."""

    service: model.Ref
    text: str
    """The part of a list, as it is written, that it was found in."""
    scheme: str
    port: int | None
    """As it is written, or that of the scheme."""
    sure: bool
    """It has ``svc`` in its place. Anything else may also be a host outside the cluster."""
    alone: bool
    """It is all of its part of the list, and not a word in a longer text."""

    def is_address(self, variable: str, *, known: bool) -> bool:
        """Whether a variable's value means it; less is asked where there is such a Service.

        A bare word is only believed where the variable's name says that it holds an address:
        ``MODE=cart`` is no call.
        """
        if self.sure or self.scheme:
            return True
        if known:
            return self.port is not None or bool(_SAYS_SO.search(variable.upper()))
        return self.port is not None and bool(_HINTS.search(variable.upper()))


def variables(
    namespace: str, container: Manifest, manifests: Mapping[model.Ref, Manifest]
) -> Iterator[Variable]:
    """The variables of a container: of its own, of a ConfigMap's key, and of whole ConfigMaps."""
    for each in container.get("env") or ():
        name, source = str(each.get("name", "")), each.get("valueFrom") or {}
        if each.get("value"):
            yield Variable(name, str(each["value"]))
        key = source.get("configMapKeyRef") or {}
        holder = model.Ref("ConfigMap", namespace, str(key.get("name", "")))
        found = _data(manifests, holder).get(key.get("key"))
        if found:
            yield Variable(name, str(found), holder, str(key["key"]))
    for each in container.get("envFrom") or ():
        reference = each.get("configMapRef") or {}
        holder = model.Ref("ConfigMap", namespace, str(reference.get("name", "")))
        for entry, found in _data(manifests, holder).items():
            yield Variable(f"{each.get('prefix') or ''}{entry}", str(found), holder, str(entry))


def named(text: str, namespace: str) -> Iterator[Named]:
    """The Services that a text may name, for one who lives in a namespace."""
    for part in text[:_LONGEST].split(","):
        whole = part.strip()
        for match in _ADDRESS.finditer(whole.lower()):
            host = match["host"].split(".")
            outside = len(host) > 2 and host[2] != "svc"
            if outside or match["host"] == "localhost" or "".join(host).isdigit():
                continue
            place = host[1] if len(host) > 1 else namespace
            scheme = match["scheme"] or ""
            port = int(match["port"]) if match["port"] else _PORTS.get(scheme)
            alone = match.span() == (0, len(whole))
            service = model.Ref("Service", place, host[0])
            yield Named(service, whole, scheme, port, len(host) > 2, alone)


def _data(manifests: Mapping[model.Ref, Manifest], holder: model.Ref) -> Mapping[Any, Any]:
    found: Mapping[Any, Any] = (manifests.get(holder) or {}).get("data") or {}
    return found
