"""Requests that are signed with AWS Signature Version 4, as those to metrics sources are."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from requests import auth

from prunella import ports, settings
from prunella.adapters.prometheus import cloud_auth, session
from prunella.api import endpoints


def signer(endpoint: endpoints.Endpoint) -> auth.AuthBase | None:
    """What signs an endpoint's requests; None where nothing does.

    Raises session.AskError when the extra ``aws`` is missing.
    """
    wanted = endpoint.sig_v4
    if wanted is None:
        return None
    return cloud_auth.signer(
        settings.SigV4(region=wanted.region, service=wanted.service, role_arn=wanted.role_arn)
    )


def signed(
    by: auth.AuthBase, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The address as it was signed, and the headers that prove who asks.

    Raises ClusterError without credentials: then nothing is sent.
    """
    try:
        request = requests.Request(method, url, headers=dict(headers), data=body).prepare()
        before = dict(request.headers)
        by(request)
    except requests.RequestException as error:  # Its text may be a header's.
        raise ports.ClusterError(f"the request can't be signed: {type(error).__name__}") from None
    except session.AskError as error:
        raise ports.ClusterError(f"the request can't be signed: {error}") from error
    added = {name: value for name, value in request.headers.items() if before.get(name) != value}
    return str(request.url), added
