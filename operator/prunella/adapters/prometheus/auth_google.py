"""Tokens of Google Cloud, for Google Cloud Managed Service for Prometheus.

Credentials are the application default credentials: a file that is named in the environment,
those of gcloud on a person's own machine, the metadata server (Workload Identity).
"""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Callable, Mapping
from typing import Protocol, cast

import google.auth
from google.auth import exceptions
from google.auth.transport import requests as transport
from requests import auth

from prunella import settings
from prunella.adapters.prometheus import renewal

_ISSUER = "Google"


class Credential(Protocol):
    """What gives tokens: the part of the library's credentials that is used here."""

    @property
    def expiry(self) -> datetime.datetime | None:
        """When the token ends, in UTC, without saying so."""

    def refresh(self, request: transport.Request) -> None:
        """Get a token anew."""

    def apply(self, headers: dict[str, str]) -> None:
        """Write the token into headers."""


def open_auth(
    wanted: settings.Google, find: Callable[[], Credential] | None = None
) -> auth.AuthBase:
    """What adds a bearer token, and the project that it is counted for.

    ``find`` gives the credentials, by default the application's; it is asked at the first
    request, as it may have to ask the metadata server.
    """
    fetch = _Fetch(find or functools.partial(_find, wanted))
    return renewal.HeaderAuth(renewal.Renewed(fetch))


def _find(wanted: settings.Google) -> Credential:
    found, _ = google.auth.default(
        scopes=wanted.scopes, request=_request(), quota_project_id=wanted.quota_project
    )
    return cast(Credential, found)


def _request() -> transport.Request:
    """The library's requests, which would otherwise wait for two minutes."""
    bounded = functools.partial(transport.Request(), timeout=renewal.ISSUER_SECONDS)
    return cast(transport.Request, bounded)


class _Fetch:
    """Finds the credentials once, then refreshes them."""

    def __init__(self, find: Callable[[], Credential]) -> None:
        self._find = find
        self._found: Credential | None = None

    def __call__(self) -> renewal.Lease[Mapping[str, str]]:
        try:
            if self._found is None:
                self._found = self._find()
            self._found.refresh(_request())
        except exceptions.GoogleAuthError as error:
            raise renewal.failed(_ISSUER, error) from error
        headers: dict[str, str] = {}
        self._found.apply(headers)
        return renewal.Lease(headers, _ends(self._found.expiry))


def _ends(expiry: datetime.datetime | None) -> float:
    """Seconds since the epoch, endless for a token that tells no end."""
    if expiry is None:
        return math.inf
    return expiry.replace(tzinfo=datetime.UTC).timestamp()
