"""How the API server is found and who we are there: one answer for the client and for Kopf."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import threading
import time

import kopf
from kubernetes import client, config
from kubernetes.client import rest
from kubernetes.config import incluster_config

from prunella import ports

RELOAD_SECONDS = 10.0


class NoCluster(ports.ClusterError):
    """No kubeconfig and no service account: there is no API server to talk to."""


@dataclasses.dataclass(slots=True)
class Credentials:
    """Connection settings of the official client, loaded anew when the API server says 401.

    ``kubeconfig`` and ``context`` choose an entry of a kubeconfig file. Without them a pod's own
    service account is used where there is one, and else the user's default kubeconfig.
    Reading a projected token anew each minute is the official client's own doing.
    """

    kubeconfig: pathlib.Path | None = None
    context: str | None = None
    configuration: client.Configuration = dataclasses.field(default_factory=client.Configuration)
    _loaded: float = float("-inf")
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def load(self) -> None:
        """Fill the configuration, unless that was done within the last seconds.

        Raises NoCluster with what was looked for.
        """
        with self._lock:
            if time.monotonic() - self._loaded < RELOAD_SECONDS:
                return
            try:
                self._load()
            except (config.ConfigException, OSError) as error:
                source = self.kubeconfig or "the default kubeconfig or a service account"
                raise NoCluster(f"no access to a cluster by {source}: {error}") from error
            self._loaded = time.monotonic()

    def _load(self) -> None:
        chosen = self.kubeconfig is not None or self.context is not None
        if not chosen and incluster_config.SERVICE_HOST_ENV_NAME in os.environ:
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=self.configuration
            )
            return
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(self.kubeconfig) if self.kubeconfig is not None else None,
            context=self.context,
            client_configuration=self.configuration,
            persist_config=False,
        )

    def connection(self) -> kopf.ConnectionInfo:
        """The same access in Kopf's words. Raises NoCluster."""
        self.load()
        known = self.configuration
        scheme, _, token = (known.get_api_key_with_prefix("BearerToken") or "").rpartition(" ")
        return kopf.ConnectionInfo(
            server=known.host,
            ca_path=known.ssl_ca_cert,
            insecure=not known.verify_ssl,
            scheme=scheme.strip().capitalize() or None,
            token=token.strip() or None,
            certificate_path=known.cert_file,
            private_key_path=known.key_file,
            proxy_url=self._proxy(),
        )

    def _proxy(self) -> str | None:
        known = self.configuration
        if not known.proxy or rest.should_bypass_proxies(known.host, known.no_proxy or ""):
            return None
        return str(known.proxy)


def explicit(configuration: client.Configuration) -> Credentials:
    """Credentials that are given in code and never loaded from anywhere."""
    return Credentials(configuration=configuration, _loaded=float("inf"))
