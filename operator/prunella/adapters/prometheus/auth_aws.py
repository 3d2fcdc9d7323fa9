"""AWS Signature Version 4, for Amazon Managed Service for Prometheus.

Credentials come from the default chain of AWS: environment, profile, web identity (IRSA),
container (EKS Pod Identity), instance.  The chain keeps and renews them itself.
Source: AWS documentation, "AWS Signature Version 4 for API requests", and for roles the API
reference of AWS STS, ``AssumeRole``.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import hashlib
import os
import time
import urllib.parse
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import awscrt.auth  # type: ignore[import-untyped]
import awscrt.exceptions  # type: ignore[import-untyped]
import awscrt.http  # type: ignore[import-untyped]
import requests
import urllib3
from requests import auth

from prunella import settings
from prunella.adapters.prometheus import renewal, session
from prunella.api import reasons

STS_URL_VARIABLE = "AWS_ENDPOINT_URL_STS"
"""Where another address of STS is named, as AWS' own tools read it."""
_ISSUER = "AWS"
_SESSION_SECONDS = 3600
_MOST_BYTES = 64 * 1024
_STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
_SIGNED = frozenset({"host", "content-type"})
_DEFAULT_PORTS = {"http": 80, "https": 443}

Provider = Any
"""An ``awscrt.auth.AwsCredentialsProvider``: the library has no types."""


class SigV4Auth(auth.AuthBase):
    """Signs each request whole: method, path, host, type, AWS' own headers and body."""

    def __init__(self, region: str, service: str, provider: Callable[[], Provider]) -> None:
        self._region = region
        self._service = service
        self._provider = provider

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with its signature. Raises session.AskError without credentials."""
        # What is signed must be what is sent, so the host is not left to the HTTP library.
        request.headers["Host"] = _host(request)
        signed_too = [
            (name, str(value))
            for name, value in request.headers.items()
            if name.lower() in _SIGNED or name.lower().startswith("x-amz-")
        ]
        unsigned = awscrt.http.HttpRequest(
            request.method, request.path_url, awscrt.http.HttpHeaders(signed_too)
        )
        config = awscrt.auth.AwsSigningConfig(
            credentials_provider=self._provider(),
            region=self._region,
            service=self._service,
            signed_body_value=hashlib.sha256(_body(request)).hexdigest(),
        )
        for name, value in _sign(unsigned, config).headers:
            request.headers[name] = value
        return request


def open_auth(wanted: settings.SigV4) -> auth.AuthBase:
    """What signs requests with the chain's credentials, or with those of a role.

    Raises session.AskError when there can't be a chain, as without certificates for TLS.
    """
    try:
        chain = awscrt.auth.AwsCredentialsProvider.new_default_chain()
    except (awscrt.exceptions.AwsCrtError, RuntimeError) as error:
        raise renewal.failed(_ISSUER, error) from error
    if wanted.role_arn is None:
        return SigV4Auth(wanted.region, wanted.service, lambda: chain)
    role = renewal.Renewed(Role(wanted.role_arn, wanted.region, chain).assume)
    return SigV4Auth(wanted.region, wanted.service, role.get)


class Role:
    """A role, and the credentials that may assume it."""

    def __init__(self, arn: str, region: str, provider: Provider) -> None:
        self._arn = arn
        url = os.environ.get(STS_URL_VARIABLE) or _sts_url(region)
        signer = SigV4Auth(region, "sts", lambda: provider)
        self._access = session.Access(url=url, open_auth=lambda: signer)

    def assume(self) -> renewal.Lease[Provider]:
        """Credentials of the role for an hour. Raises session.AskError."""
        status, body = self._post()
        if status != 200:
            raise session.AskError(
                reasons.Doubt.HTTP_ERROR,
                f"AWS STS refused the role {self._arn}: {session.refused(status, body)}",
            )
        return _role_credentials(body)

    def _post(self) -> tuple[int, bytes]:
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": self._arn,
            "RoleSessionName": "prunella",
            "DurationSeconds": str(_SESSION_SECONDS),
        }
        url, seconds = self._access.url, renewal.ISSUER_SECONDS
        deadline = time.monotonic() + seconds
        try:
            with (
                session.open_session(self._access) as asking,
                asking.post(
                    url, data=form, timeout=seconds, allow_redirects=False, stream=True
                ) as response,
            ):
                return response.status_code, session.read_body(response, _MOST_BYTES, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise session.translate(error, url) from error


def _role_credentials(body: bytes) -> renewal.Lease[Provider]:
    """Credentials in an answer of AssumeRole. Raises session.AskError for anything else."""
    try:
        document = ElementTree.fromstring(body)  # noqa: S314 - small, and from AWS by TLS
        found = {each.tag.removeprefix(_STS): each.text or "" for each in document.iter()}
        provider = awscrt.auth.AwsCredentialsProvider.new_static(
            found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]
        )
        ends = datetime.datetime.fromisoformat(found["Expiration"])
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise session.AskError(
            reasons.Doubt.HTTP_ERROR, "AWS STS gave an answer without credentials"
        ) from error
    return renewal.Lease(provider, ends.timestamp())


def _sts_url(region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://sts.{region}.{suffix}/"


def _sign(unsigned: Any, config: Any) -> Any:
    try:
        return awscrt.auth.aws_sign_request(unsigned, config).result(renewal.ISSUER_SECONDS)
    except (awscrt.exceptions.AwsCrtError, concurrent.futures.TimeoutError) as error:
        raise renewal.failed(_ISSUER, error) from error


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    return body.encode() if isinstance(body, str) else body


def _host(request: requests.PreparedRequest) -> str:
    """The Host header, as a server behind the URL expects it: without a port that is usual."""
    if given := request.headers.get("Host"):
        return str(given)
    parts = urllib.parse.urlsplit(str(request.url))
    host = parts.netloc.rpartition("@")[2]
    return host.removesuffix(f":{_DEFAULT_PORTS.get(parts.scheme)}")
