"""Tokens of Microsoft Entra ID, for Azure Monitor workspaces.

Credentials come from the library's default chain: environment, workload identity, managed
identity, and on a person's own machine the Azure CLI.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Protocol

from azure import identity
from azure.core import exceptions
from azure.core.credentials import AccessToken
from requests import auth

from prunella import settings
from prunella.adapters.prometheus import renewal

_ISSUER = "Microsoft Entra"


class Credential(Protocol):
    """What gives tokens; a Protocol, so that any credential of the library will do."""

    def get_token(self, *scopes: str) -> AccessToken:
        """A token for the scopes."""


def open_auth(wanted: settings.Entra, credential: Credential | None = None) -> auth.AuthBase:
    """What adds a bearer token; by default that of the library's chain.

    Raises session.AskError when the environment names a chain that there is none of.
    """
    fetch = functools.partial(_fetch, credential or _chain(wanted.client_id), wanted.scope)
    return renewal.HeaderAuth(renewal.Renewed(fetch))


def _chain(client_id: str | None) -> identity.DefaultAzureCredential:
    # Left out, not None: None would mean that the pod's own identity is not to be used.
    chosen = {} if client_id is None else {"managed_identity_client_id": client_id}
    try:
        return identity.DefaultAzureCredential(
            **chosen,
            connection_timeout=renewal.ISSUER_SECONDS,
            read_timeout=renewal.ISSUER_SECONDS,
            retry_total=1,
        )
    except ValueError as error:
        raise renewal.failed(_ISSUER, error) from error


def _fetch(credential: Credential, scope: str) -> renewal.Lease[Mapping[str, str]]:
    try:
        token = credential.get_token(scope)
    except (exceptions.AzureError, ValueError) as error:
        raise renewal.failed(_ISSUER, error) from error
    return renewal.Lease({"Authorization": f"Bearer {token.token}"}, float(token.expires_on))
