"""The commands' way to a cluster: synchronous, short timeouts, errors that say what to do.

Everything is raw JSON by path, through the official client's connection.  Commands see only the
`Cluster` Protocol, so their tests need no server.
"""

from __future__ import annotations

import datetime
import email.utils
import http
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Protocol

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import incluster_config

import prunella
from prunella.cli.errors import CliError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
TIMEOUT = (3.0, 15.0)
"""Seconds to connect, and to wait for an answer."""
PAGE = 500
OWN_GROUP = "/apis/prunella.dev/v1alpha1"
CRDS_MISSING = (
    "the custom resources of prunella.dev are not installed here: "
    "`prunella crds | kubectl apply --server-side --force-conflicts -f -` installs them"
)

Object = dict[str, Any]


class KubeError(CliError):
    """The API server could not be reached, or said no."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status; None when there was no answer."""


class Cluster(Protocol):
    """One API server, as one user, with the namespace that commands are about."""

    @property
    def namespace(self) -> str:
        """The namespace of the options or of the context."""

    def request(
        self, method: str, path: str, body: Object | None = None, content_type: str = JSON
    ) -> Object:
        """Send one request and return the answer. Raises KubeError."""

    def items(self, path: str) -> list[Object]:
        """All objects of a list, in as many pages as it takes. Raises KubeError."""

    def time(self) -> datetime.datetime | None:
        """The API server's clock, in whole seconds; None when it does not say. Raises KubeError."""


def connect(
    kubeconfig: pathlib.Path | None, context: str | None, namespace: str | None
) -> ApiServer:
    """The cluster of a kubeconfig, or of the pod that this runs in. Raises KubeError."""
    configuration = client.Configuration()
    configuration.retries = False
    chosen = kubeconfig is not None or context is not None
    in_pod = incluster_config.SERVICE_HOST_ENV_NAME in os.environ
    try:
        if in_pod and not chosen and "KUBECONFIG" not in os.environ:
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
            return ApiServer(configuration, namespace or "default")
        file = str(kubeconfig) if kubeconfig is not None else None
        config.load_kube_config(  # type: ignore[no-untyped-call]
            file, context, configuration, persist_config=False
        )
        current = namespace or _namespace(file, context)
    except (config.ConfigException, yaml.YAMLError, OSError) as error:
        raise _no_way(kubeconfig, error) from error
    return ApiServer(configuration, current)


def context_name(kubeconfig: pathlib.Path | None, context: str | None) -> str:
    """The name of the context that `connect` would use. Raises KubeError without one."""
    if context is not None:
        return context
    file = str(kubeconfig) if kubeconfig is not None else None
    try:
        return str(_active(file, None)["name"])
    except (config.ConfigException, yaml.YAMLError, OSError) as error:
        raise _no_way(kubeconfig, error) from error


def _namespace(file: str | None, context: str | None) -> str:
    return str(_active(file, context)["context"].get("namespace") or "default")


def _active(file: str | None, context: str | None) -> Object:
    contexts, active = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
    chosen: Object = next((each for each in contexts if each["name"] == context), active)
    return chosen


def _no_way(kubeconfig: pathlib.Path | None, error: Exception) -> KubeError:
    return KubeError(
        f"no way to a cluster by {kubeconfig or 'KUBECONFIG or ~/.kube/config'}: "
        f"{str(error).splitlines()[0]} Give --kubeconfig FILE and --context NAME"
    )


class ApiServer:
    """A real API server (`Cluster`)."""

    def __init__(self, configuration: client.Configuration, namespace: str) -> None:
        self._client = client.ApiClient(configuration)
        self._client.user_agent = f"prunella-cli/{prunella.__version__}"
        self._host = configuration.host
        self._namespace = namespace

    @property
    def namespace(self) -> str:
        """The namespace of the options or of the context."""
        return self._namespace

    def request(
        self, method: str, path: str, body: Object | None = None, content_type: str = JSON
    ) -> Object:
        """Send one request and return the answer. Raises KubeError."""
        return self._send(method, path, {}, body, content_type)

    def items(self, path: str) -> list[Object]:
        """All objects of a list, in as many pages as it takes. Raises KubeError."""
        found: list[Object] = []
        query: dict[str, str | int] = {"limit": PAGE}
        while True:
            page = self._send("GET", path, query, None, JSON)
            found.extend(page.get("items") or ())
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found
            query["continue"] = token

    def time(self) -> datetime.datetime | None:
        """The API server's clock, in whole seconds; None when it does not say. Raises KubeError."""
        prepared = self._client.param_serialize("GET", "/version", auth_settings=["BearerToken"])
        told = self._call(prepared).getheader("Date")
        return email.utils.parsedate_to_datetime(told) if told else None

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Object | None,
        content_type: str,
    ) -> Object:
        prepared = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params={"Accept": JSON, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._call(prepared)
        return decode(answer.status, answer.data, f"{method} {self._host}{path}")

    def _call(self, prepared: Any) -> Any:
        """The answer to a request, read to its end. Raises KubeError when there is none."""
        try:
            method, url, headers, body, form = prepared
            answer = self._client.call_api(
                method, url, headers, body, form, _request_timeout=TIMEOUT
            )
            answer.read()  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            raise KubeError(f"can't reach {self._host}: {_cause(error)}; is it up?") from error
        return answer


def _cause(error: Exception) -> str:
    """The heart of urllib3's nested errors, such as ``connection refused``."""
    text = str(getattr(error, "reason", None) or error)
    for known in ("Connection refused", "timed out", "CERTIFICATE_VERIFY_FAILED"):
        if known in text:
            return known.replace("_", " ").lower()
    return text.splitlines()[0].rpartition("Error: ")[2] or type(error).__name__


def decode(status: int, content: bytes, request: str) -> Object:
    """The JSON of an answer; raises KubeError when it is a refusal, or no JSON."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if status == http.HTTPStatus.NOT_FOUND and OWN_GROUP in request and not _named(body):
        raise KubeError(CRDS_MISSING, status)
    if not isinstance(body, dict):
        what = f"status {status} and no JSON"
        raise KubeError(f"{request}: {what}: is this a Kubernetes API server?", status)
    if status >= http.HTTPStatus.BAD_REQUEST:
        raise KubeError(_refusal(status, body, request), status)
    return body


def _refusal(status: int, body: Object, request: str) -> str:
    message = str(body.get("message") or f"status {status}")
    if status == http.HTTPStatus.UNAUTHORIZED:
        return f"{request}: the API server does not know you (401): log in again"
    if status == http.HTTPStatus.FORBIDDEN:
        return f"not allowed: {message}; ask for a Role that has this verb"
    return message


def _named(body: object) -> bool:
    """Whether a 404 is about one object; of an unknown kind it is plain text without a name."""
    details = body.get("details") if isinstance(body, dict) else None
    return isinstance(details, dict) and bool(details.get("name"))
