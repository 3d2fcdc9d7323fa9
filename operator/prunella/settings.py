"""The operator's settings: one YAML file, written by the chart, read at start.

Credentials are never written here, only the paths of files that hold them; they are read
anew when they change.
"""

from __future__ import annotations

import pathlib
import re
from typing import Annotated, Literal, Self

import pydantic
import yaml
from pydantic import alias_generators

from prunella import (
    allowed,
    election_settings,
    incident_settings,
    journal_settings,
    trust_settings,
)
from prunella.api import offers
from prunella.api import windows as windows_api
from prunella.core.decisions import rules
from prunella.core.decisions import windows as windows_rules

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")


class SettingsError(Exception):
    """A settings file that can't be used: which field, what was found, what is wanted."""


class Model(pydantic.BaseModel):
    """A frozen model, written in camelCase, that refuses fields it does not know."""

    model_config = allowed.CONFIG


class BasicAuth(Model):
    """User and the file of the password."""

    username: str
    password_file: pathlib.Path


class Tls(Model):
    """TLS towards a source."""

    ca_file: pathlib.Path | None = None
    cert_file: pathlib.Path | None = None
    key_file: pathlib.Path | None = None
    insecure_skip_verify: bool = False


class SigV4(Model):
    """AWS Signature Version 4, by the default chain of AWS credentials; the extra ``aws``."""

    region: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9-]+$")]
    service: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9-]+$")] = "aps"
    """The name to sign for: ``aps`` is Amazon Managed Service for Prometheus."""
    role_arn: (
        Annotated[str, pydantic.Field(pattern=r"^arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+$")] | None
    ) = None
    """A role to assume with the chain's credentials, such as one of another account."""


class Entra(Model):
    """A token of Microsoft Entra ID, by its default chain of credentials; the extra ``azure``."""

    scope: Annotated[str, pydantic.Field(min_length=1)] = (
        "https://prometheus.monitor.azure.com/.default"
    )
    client_id: Annotated[str, pydantic.Field(min_length=1)] | None = None
    """The workload identity or managed identity, where the pod has more than one."""


class Google(Model):
    """A token of Google Cloud, by application default credentials; the extra ``google``."""

    scopes: Annotated[tuple[str, ...], pydantic.Field(min_length=1)] = (
        "https://www.googleapis.com/auth/monitoring.read",
    )
    quota_project: Annotated[str, pydantic.Field(min_length=1)] | None = None
    """The project that requests are counted for; by default that of the credentials."""


_CREDENTIALS = ("bearer_token_file", "basic_auth", "sig_v4", "entra", "google")


class Source(Model):
    """A named Prometheus-compatible source."""

    url: str = "http://prometheus-operated.monitoring.svc:9090"
    bearer_token_file: pathlib.Path | None = None
    basic_auth: BasicAuth | None = None
    sig_v4: SigV4 | None = None
    entra: Entra | None = None
    google: Google | None = None
    headers: dict[str, str] = {}
    tls: Tls = Tls()
    namespace_label: str = "namespace"
    """Label that confines a policy's queries to its own namespace."""
    matchers: dict[Annotated[str, pydantic.Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], str] = {}
    """Labels that every selector gets with their values, as ``{cluster: eu-1}``."""
    allowed_namespaces: tuple[str, ...] = ("*",)
    connect_timeout_seconds: float = 3.0
    read_timeout_seconds: float = 10.0
    max_body_bytes: int = 32 * 1024 * 1024
    max_series: int = 20_000
    max_queries_per_namespace: int = 200
    """Distinct queries that one namespace may have answered in a round."""
    max_seconds_per_namespace: float = 30.0
    """Time that one namespace's queries may take in a round."""

    @pydantic.model_validator(mode="after")
    def _matchers_say_something(self) -> Self:
        """Make sure that a matcher chooses a value, and leaves the namespace to its own label."""
        for label, value in self.matchers.items():
            if not value:
                raise ValueError(f"matchers: {label} has no value: an empty one would match all")
            if label == self.namespace_label:
                raise ValueError(f"matchers: {label} is the namespaceLabel, set for each policy")
        return self

    @pydantic.model_validator(mode="after")
    def _one_kind_of_credentials(self) -> Self:
        """Make sure that it is plain which credentials are sent: they share one header."""
        given = [name for name in _CREDENTIALS if getattr(self, name) is not None]
        if len(given) > 1:
            names = [alias_generators.to_camel(name) for name in _CREDENTIALS]
            found = " and ".join(alias_generators.to_camel(name) for name in given)
            raise ValueError(f"found {found}: give at most one of {', '.join(names)}")
        return self


class Limits(Model):
    """Limits above those of single policies."""

    actions_per_namespace_per_hour: Annotated[int, pydantic.Field(ge=1)] = 5
    actions_per_cluster_per_hour: Annotated[int, pydantic.Field(ge=1)] = 10
    unhelpful_before_latch: Annotated[int, pydantic.Field(ge=1)] = 3
    rollout_seconds: Annotated[float, pydantic.Field(ge=30, le=86_400, allow_inf_nan=False)] = 600.0
    """How long a rollout may make no progress before it counts as stuck: half a minute to a day."""


class Alertmanager(Model):
    """Where escalations are posted; without a URL they end in conditions and Events."""

    url: str | None = None
    bearer_token_file: pathlib.Path | None = None
    tls: Tls = Tls()
    labels: dict[str, str] = {"severity": "critical"}


class ServerTls(Model):
    """TLS of a port of ours; with an authority of clients, only they are let in."""

    cert_file: pathlib.Path
    key_file: pathlib.Path
    client_ca_file: pathlib.Path | None = None


class Webhook(Model):
    """The port that others post to: Alertmanager, and who tells of external changes."""

    enabled: bool = False
    host: str = "0.0.0.0"  # noqa: S104 - the pod's own network, closed by NetworkPolicy
    port: Annotated[int, pydantic.Field(ge=0, le=65_535)] = 9095
    bearer_token_file: pathlib.Path | None = None
    tls: ServerTls | None = None
    max_body_bytes: Annotated[int, pydantic.Field(ge=1024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    requests_per_second: Annotated[float, pydantic.Field(gt=0, le=10_000)] = 100.0
    burst: Annotated[float, pydantic.Field(ge=1, le=10_000)] = 200.0
    queue: Annotated[int, pydantic.Field(ge=100, le=1_000_000)] = 20_000
    """Alerts that wait to be looked at; more are answered with 503."""
    oldest_end_seconds: allowed.Seconds = 3600.0
    """The end of an alert is no news this long after it."""
    refresh_seconds: allowed.Seconds = 600.0
    """A repeat within this time of the last is not passed on."""

    @pydantic.model_validator(mode="after")
    def _is_closed(self) -> Self:
        """Make sure that not everybody can post."""
        has_client_ca = self.tls is not None and self.tls.client_ca_file is not None
        if self.enabled and self.bearer_token_file is None and not has_client_ca:
            raise ValueError("enabled without bearerTokenFile or tls.clientCaFile: give one")
        return self


class Polls(Model):
    """What is asked every few seconds which alerts are active."""

    sources: tuple[str, ...] | None = None
    """Metrics sources whose ``/api/v1/alerts`` is asked; by default all."""
    every_seconds: allowed.Seconds = 5.0
    alertmanager: bool = True
    """Ask the Alertmanager of the section ``alertmanager``, when it has a URL."""
    alertmanager_every_seconds: allowed.Seconds = 10.0
    kubernetes: bool = True
    """Look at Warning Events, and at the conditions of pods that are missing and of nodes."""
    kubernetes_every_seconds: allowed.Seconds = 10.0
    missing_seconds: allowed.Seconds = 30.0
    """An alert has ended when it was missing from all answers for this time."""


_ITS_OWN = "give a token of its own, since who has the webhook's may post alerts"


class Analysis(Model):
    """Verdicts of policies, for those who roll out: ``GET /analysis`` on the webhook's port."""

    enabled: bool = False
    bearer_token_file: pathlib.Path | None = None  # Of its own: the webhook's may post alerts.
    namespaces: tuple[str, ...] = ()  # Whose policies may be asked about; empty: all.


class Intake(Model):
    """What the operator is told of from outside: hints where to look."""

    webhook: Webhook = Webhook()
    analysis: Analysis = Analysis()
    polls: Polls = Polls()
    ignore: tuple[str, ...] = ("Watchdog", "InfoInhibitor", "PrunellaEscalation")
    """Names of alerts that tell of nothing that is sick."""
    service_graph_source: str = "default"
    """The source of service-graph metrics: who calls whom."""

    @pydantic.model_validator(mode="after")
    def _is_listened_on(self) -> Self:
        """Make sure that who asks for verdicts finds a port."""
        if self.analysis.enabled and not self.webhook.enabled:
            raise ValueError("analysis.enabled needs webhook.enabled: it is asked on that port")
        if self.analysis.enabled and self.analysis.bearer_token_file is None:
            raise ValueError(f"analysis.enabled needs analysis.bearerTokenFile: {_ITS_OWN}")
        if (
            self.analysis.enabled
            and self.analysis.bearer_token_file == self.webhook.bearer_token_file
        ):
            raise ValueError(f"analysis.bearerTokenFile is webhook.bearerTokenFile: {_ITS_OWN}")
        return self


class Tracing(Model):
    """Where incidents are sent to as traces, by OTLP over HTTP; the extra ``otel``."""

    endpoint: Annotated[str, pydantic.Field(pattern=r"^https?://[^/]+/.+")] | None = None
    """The whole address, such as http://collector:4318/v1/traces; without one nothing is sent."""
    bearer_token_file: pathlib.Path | None = None
    headers: dict[str, str] = {}
    tls: Tls = Tls()
    timeout_seconds: Annotated[float, pydantic.Field(ge=1, le=60)] = 10.0
    attributes: dict[Annotated[str, pydantic.Field(min_length=1)], str] = {}
    """What the traces say of the operator, such as k8s.cluster.name."""


class GitRequests(Model):
    """Where pull or merge requests are opened."""

    api: Literal["github", "gitlab", "gitea"]
    url: Annotated[str, pydantic.Field(pattern=r"^https?://[^/@?#]+[^@?#]*$")]
    """The API's address: https://api.github.com, https://gitlab.com/api/v4, .../api/v1 of Gitea."""
    token_file: pathlib.Path
    tls: Tls = Tls()


_HTTP = r"^https?://[^/@?#]+/[^@?#%]*$"


class GitRepository(Model):
    """Repositories that may be written, by the beginning of their URL."""

    url_prefix: Annotated[str, pydantic.Field(pattern=r"^[a-z+]+://[^/?#]+/[^?#%]*$|^[^/:]+@.+:")]
    """As the tool that deploys writes it; a whole URL, or one of a folder that ends in a slash."""
    push_prefix: Annotated[str, pydantic.Field(pattern=_HTTP)] | None = None
    """What stands for it when this operator reads and writes; HTTPS, by default the same."""
    branches: Annotated[tuple[str, ...], pydantic.Field(min_length=1)] = ("main", "master")
    """Branches that may be written; ``*`` stands for any characters."""
    mode: Literal["push", "request"] = "request"
    allowed_namespaces: tuple[str, ...] = ("*",)
    """Namespaces whose policies may have commits reverted."""
    other_namespaces: bool = False
    """Also revert where the same Kustomization or Application deploys into other namespaces."""
    basic_auth: BasicAuth | None = None
    """User and password or token for reading and pushing."""
    tls: Tls = Tls()
    requests: GitRequests | None = None

    @pydantic.model_validator(mode="after")
    def _complete(self) -> Self:
        """Make sure that it can be reached, and that a request has somewhere to go."""
        if self.push_prefix is None and not re.match(_HTTP, self.url_prefix):
            told = f"pushPrefix is needed for {self.url_prefix}: an address over https"
            raise ValueError(told)
        if self.mode == "request" and self.requests is None:
            raise ValueError("mode request needs requests: api, url and tokenFile")
        return self


class Git(Model):
    """What `gitRevert` may write; without a repository it writes nothing. The extra ``git``."""

    repositories: tuple[GitRepository, ...] = ()
    author_name: Annotated[str, pydantic.Field(pattern=r"^[^<>\n]+$")] = "Prunella"
    author_email: Annotated[str, pydantic.Field(pattern=r"^[^<>\s]+$")] = "prunella@localhost"
    timeout_seconds: Annotated[float, pydantic.Field(ge=1, le=120)] = 15.0
    """How long one answer of a repository may take."""
    most_commits: Annotated[int, pydantic.Field(ge=2, le=1000)] = 50
    """How far back a branch is looked at."""
    most_bytes: Annotated[int, pydantic.Field(ge=1024)] = 64 * 1024 * 1024
    """Most that is read of one repository, as it is in memory: not compressed."""
    argocd_namespace: str = "argocd"


class Settings(Model):
    """Everything about the operator that is not in a policy."""

    operator_namespace: str = "prunella-system"
    operator_name: str = "prunella"
    """Name of the operator's own Deployment: it is never its own target."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to watch; empty means all."""
    cluster_policies: bool = False
    """Whether ClusterRemediationPolicies are obeyed; nodes are watched for them, all of them."""
    sources: dict[str, Source] = {"default": Source()}
    alertmanager: Alertmanager = Alertmanager()
    intake: Intake = Intake()
    diagnosis: incident_settings.Diagnosis = incident_settings.Diagnosis()
    limits: Limits = Limits()
    trust: trust_settings.Trust = trust_settings.Trust()
    offered: offers.Offers = offers.NONE
    """What policies may name: templates of Jobs, and endpoints."""
    patch_field: allowed.PatchField = allowed.PatchField()
    scale_bounds: allowed.ScaleBounds = allowed.ScaleBounds()
    raise_quota: allowed.RaiseQuota = allowed.RaiseQuota()
    incidents: incident_settings.Incidents = incident_settings.Incidents()
    tracing: Tracing = Tracing()
    git: Git = Git()
    journal: journal_settings.Journal = journal_settings.Journal()
    windows: windows_api.Windows = windows_api.NONE
    """When actions of all policies may begin."""
    leader_election: election_settings.LeaderElection = election_settings.LeaderElection()
    gitops_managers: tuple[str, ...] = rules.GITOPS_MANAGERS
    """Field managers of tools that deploy; ``*`` stands for any characters."""
    gitops_labels: tuple[str, ...] = rules.GITOPS_LABELS
    """Labels or annotations of objects that such tools own: ``name`` or ``name=value``."""
    system_namespaces: tuple[str, ...] = SYSTEM_NAMESPACES
    relist_seconds: float = 120.0
    """Time between two full lists that repair what a broken watch lost."""
    record_retention_seconds: float = 7 * 86_400.0
    http_host: str = "0.0.0.0"  # noqa: S104 - the pod's own network, closed by NetworkPolicy
    http_port: int = 8080
    kubernetes_threads: Annotated[int, pydantic.Field(ge=1, le=64)] = 16
    metrics_threads: Annotated[int, pydantic.Field(ge=1, le=64)] = 8
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @pydantic.model_validator(mode="after")
    def _audit_is_listened_to(self) -> Self:
        """Make sure that who wants to hear of users has a port, and a journal to write them to."""
        possible = self.journal.enabled and self.intake.webhook.enabled
        if self.journal.audit.enabled and not possible:
            needs = "journal.enabled and intake.webhook.enabled"
            raise ValueError(f"journal.audit.enabled needs {needs}: it is posted to that port")
        return self

    @pydantic.field_validator("windows")
    @classmethod
    def _windows_can_be_read(cls, windows: windows_api.Windows) -> windows_api.Windows:
        """Make sure that a slip in a window is seen at the start: it would stop all policies."""
        for name, index, problem in windows_rules.problems(windows):
            raise ValueError(f"{name}[{index}]: {problem}")
        return windows


def load(path: pathlib.Path) -> Settings:
    """Read a settings file; raises SettingsError naming file, field and what is wrong."""
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"can't read settings {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"settings {path} are not YAML: {error}") from error
    try:
        return Settings.model_validate(document or {})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"settings {path}: {field}: {first['msg']}") from error
