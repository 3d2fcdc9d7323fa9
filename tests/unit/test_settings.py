"""Settings are refused where they are ambiguous or wrong, and the message says where and why."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from prunella import electing, election_settings, settings, wiring
from prunella.adapters.kubernetes.journal import wired
from prunella.core.changes import external, kinds

ONE_OF = "give at most one of bearerTokenFile, basicAuth, sigV4, entra, google"
CREDENTIALS: dict[str, object] = {
    "bearerTokenFile": "/token",
    "basicAuth": {"username": "prunella", "passwordFile": "/password"},
    "sigV4": {"region": "eu-central-1"},
    "entra": {},
    "google": {},
}
WRONG: dict[str, tuple[dict[str, object], str]] = {
    "two kinds": (
        {name: CREDENTIALS[name] for name in ("basicAuth", "sigV4")},
        f"sources.managed: Value error, found basicAuth and sigV4: {ONE_OF}",
    ),
    "all kinds": (CREDENTIALS, ONE_OF),
    "no region": ({"sigV4": {}}, "sources.managed.sigV4.region: Field required"),
    "region of another form": ({"sigV4": {"region": "EU 1"}}, "sources.managed.sigV4.region"),
    "role that is a name": (
        {"sigV4": {"region": "eu-central-1", "roleArn": "prunella"}},
        "sources.managed.sigV4.roleArn",
    ),
    "unknown field": ({"entra": {"tenant": "x"}}, "sources.managed.entra.tenant"),
    "no scope": ({"google": {"scopes": []}}, "sources.managed.google.scopes"),
}


def load(tmp_path: pathlib.Path, source: dict[str, object]) -> settings.Settings:
    """Settings with one source, as the operator reads them."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"sources": {"managed": {"url": "https://p", **source}}}))
    return settings.load(path)


@pytest.mark.parametrize(("source", "words"), WRONG.values(), ids=WRONG)
def test_wrong_credentials_are_refused(
    tmp_path: pathlib.Path, source: dict[str, object], words: str
) -> None:
    """The message names the field, and what is wanted."""
    with pytest.raises(settings.SettingsError) as caught:
        load(tmp_path, source)

    assert words in str(caught.value)


@pytest.mark.parametrize("name", CREDENTIALS)
def test_one_kind_of_credentials_is_taken(tmp_path: pathlib.Path, name: str) -> None:
    """Each kind is fine by itself."""
    source = load(tmp_path, {name: CREDENTIALS[name]}).sources["managed"]
    kinds = (
        source.bearer_token_file,
        source.basic_auth,
        source.sig_v4,
        source.entra,
        source.google,
    )

    assert [name == each for each in CREDENTIALS] == [each is not None for each in kinds]


MATCHERS = {
    "an empty value": ({"cluster": ""}, "cluster has no value"),
    "the namespace": ({"namespace": "shop"}, "namespace is the namespaceLabel"),
    "no label": ({"a-b": "x"}, "should match pattern"),
}


@pytest.mark.parametrize(("matchers", "words"), MATCHERS.values(), ids=MATCHERS)
def test_matchers_that_choose_nothing_are_refused(
    tmp_path: pathlib.Path, matchers: dict[str, str], words: str
) -> None:
    """An empty value would match all series without the label."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"sources": {"default": {"matchers": matchers}}}))
    with pytest.raises(settings.SettingsError, match=words):
        settings.load(path)


def test_defaults_of_the_clouds() -> None:
    """What most people need is not to be written."""
    assert settings.SigV4(region="eu-central-1").service == "aps"
    assert settings.Entra().scope == "https://prometheus.monitor.azure.com/.default"
    assert settings.Google().scopes == ("https://www.googleapis.com/auth/monitoring.read",)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (29, "greater than or equal to 30"),
        (90_000, "less than or equal to 86400"),
        ("ten", "number"),
    ],
)
def test_a_patience_that_can_not_be_meant_is_refused(
    tmp_path: pathlib.Path, seconds: object, words: str
) -> None:
    """A rollout of a few seconds is not stuck, and nobody waits for days."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"limits": {"rolloutSeconds": seconds}}))
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(path)
    assert "limits.rolloutSeconds: Input should be" in str(caught.value)
    assert words in str(caught.value)


def test_the_patience_with_rollouts_reaches_the_rules(tmp_path: pathlib.Path) -> None:
    """What is set is what decisions are made by; the default is Kubernetes's own."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"limits": {"rolloutSeconds": 1200}}))
    assert wiring.rules_of(settings.load(path)).rollout_seconds == 1200
    assert wiring.rules_of(settings.Settings()).rollout_seconds == 600


FIELD = {
    "apiVersion": "postgresql.cnpg.io/v1",
    "kind": "Pooler",
    "resource": "poolers",
    "path": "spec.instances",
    "max": 8,
}
FIELDS = {
    "no bound": ([{**FIELD, "max": None}], "Pooler spec.instances: give max, or the values"),
    "a workload": (
        [{**FIELD, "apiVersion": "apps/v1", "kind": "Deployment"}],
        "Deployment: workloads have actions of their own",
    ),
    "a route": (
        [{**FIELD, "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}],
        "HTTPRoute: action shiftTraffic is for that",
    ),
    "a certificate": (
        [{**FIELD, "apiVersion": "cert-manager.io/v1", "kind": "Certificate"}],
        "Certificate: action renewCertificate is for that",
    ),
    "a secret": ([{**FIELD, "apiVersion": "v1", "kind": "Secret"}], "hold no secrets"),
    "rights": (
        [{**FIELD, "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}],
        "kinds that give no rights",
    ),
    "metadata": ([{**FIELD, "path": "metadata.labels.a"}], "only fields within spec or data"),
    "two kinds of a name": (
        [FIELD, {**FIELD, "apiVersion": "other.example/v1"}],
        "kind Pooler is of postgresql.cnpg.io/v1 and other.example/v1: only one can be allowed",
    ),
    "a list's element": ([{**FIELD, "path": "spec.list[0]"}], "should match pattern"),
}


@pytest.mark.parametrize(("fields", "words"), FIELDS.values(), ids=FIELDS)
def test_fields_that_may_not_be_allowed_are_refused(
    tmp_path: pathlib.Path, fields: list[dict[str, object]], words: str
) -> None:
    """Administrators can't let policies write rights, secrets or workloads."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"patchField": {"fields": fields}}))
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(path)
    assert words in str(caught.value)


def test_allowed_fields_reach_the_rules(tmp_path: pathlib.Path) -> None:
    """What is listed is what decisions are made by; by default nothing is."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"patchField": {"fields": [FIELD]}}))
    (field,) = wiring.rules_of(settings.load(path)).fields
    assert "spec.instances of postgresql.cnpg.io/v1 Pooler" == str(field)
    assert (None, 8) == (field.min, field.max)
    assert () == wiring.rules_of(settings.Settings()).fields


def test_who_asks_for_verdicts_needs_a_port(tmp_path: pathlib.Path) -> None:
    """Nobody waits for questions that can't arrive."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"intake": {"analysis": {"enabled": True}}}))
    with pytest.raises(settings.SettingsError, match=r"analysis\.enabled needs webhook\.enabled"):
        settings.load(path)


@pytest.mark.parametrize(
    ("analysing", "words"),
    [
        pytest.param({}, "analysis.enabled needs analysis.bearerTokenFile: give a", id="none"),
        pytest.param(
            {"bearerTokenFile": "/hook"},
            "analysis.bearerTokenFile is webhook.bearerTokenFile: give a",
            id="the webhook's",
        ),
    ],
)
def test_who_asks_for_verdicts_needs_a_token_of_its_own(
    tmp_path: pathlib.Path, analysing: dict[str, str], words: str
) -> None:
    """It is in the hands of tenants, and the webhook's may post alerts."""
    path = tmp_path / "settings.yaml"
    hook = {"enabled": True, "bearerTokenFile": "/hook"}
    intake = {"webhook": hook, "analysis": {"enabled": True, **analysing}}
    path.write_text(yaml.safe_dump({"intake": intake}))
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(path)
    assert words in str(caught.value)


def test_users_need_a_port_and_a_journal(tmp_path: pathlib.Path) -> None:
    """Nobody waits for users that can't arrive."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"journal": {"audit": {"enabled": True}}}))
    words = "journal.audit.enabled needs journal.enabled and intake.webhook.enabled"
    with pytest.raises(settings.SettingsError, match=words):
        settings.load(path)


JOURNALS = {
    "an unknown kind": (
        {"kinds": {"Secret": True}},
        "Secret can't be journalled; known are Deploy",
    ),
    "values of an unknown kind": ({"valuesOf": ["Pod"]}, "Pod can't be journalled"),
    "a system without words": ({"external": {"ci": {}}}, "texts.summary must say what"),
    "a word that is not known": (
        {"external": {"ci": {"texts": {"summary": "{message}", "sumary": "{message}"}}}},
        r"external\.ci\.texts\.sumary",
    ),
    "a system without a name": ({"external": {"C I": {}}}, "should match pattern"),
}


@pytest.mark.parametrize(("journal", "words"), JOURNALS.values(), ids=JOURNALS)
def test_a_journal_that_can_not_be_meant_is_refused(
    tmp_path: pathlib.Path, journal: dict[str, object], words: str
) -> None:
    """Secrets are never journalled, and a mapping must map something."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"journal": journal}))
    with pytest.raises(settings.SettingsError, match=words):
        settings.load(path)


def test_the_journal_is_told_what_was_set(tmp_path: pathlib.Path) -> None:
    """Kinds that are off are not asked for; what is not set is as documented."""
    path = tmp_path / "settings.yaml"
    journal = {
        "kinds": {"ConfigMap": False},
        "valuesOf": ["Role"],
        "retention": {"ageSeconds": 7200},
        "external": {"flags": {"format": "CloudEvents", "namespaces": ["shop"]}},
    }
    path.write_text(yaml.safe_dump({"journal": journal, "operatorNamespace": "healer"}))
    loaded = settings.load(path)
    options = wired.options_of(loaded)
    named = {kind.name for kind in options.kinds}
    assert {"ConfigMap"} == {kind.name for kind in kinds.ALL} - named
    assert ("healer", {"Role"}) == (options.journalling.home, options.journalling.values_of)
    assert (7200, 20) == (options.retention.age.total_seconds(), options.retention.per_object)
    assert external.Mapped(
        "flags", external.Format.CLOUD_EVENTS, namespaces=("shop",)
    ) == loaded.journal.mapped("flags")
    assert loaded.journal.mapped("other") is None


WINDOWS: dict[str, tuple[dict[str, object], str]] = {
    "no such zone": (
        {"deny": [{"cron": "0 8 * * *", "duration": "10h", "timeZone": "Europe/Berln"}]},
        "windows: Value error, deny[0]: no data of time zone Europe/Berln",
    ),
    "no such hour": (
        {"allow": [{"cron": "0 25 * * *", "duration": "10h"}]},
        "windows: Value error, allow[0]: cron '0 25 * * *': '25' is no hour",
    ),
    "no time at all": (
        {"allow": [{"cron": "0 2 * * *", "duration": "0m"}]},
        "windows.allow.0.duration: Value error, must be days, hours and minutes, at least 1m",
    ),
}


@pytest.mark.parametrize(("given", "words"), WINDOWS.values(), ids=WINDOWS)
def test_a_window_that_can_not_be_meant_is_refused(
    tmp_path: pathlib.Path, given: dict[str, object], words: str
) -> None:
    """A slip would stop all policies: it is seen when the operator starts."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"windows": given}))
    with pytest.raises(settings.SettingsError, match=re.escape(words)):
        settings.load(path)


def test_windows_of_the_operator_are_told_to_the_guards(tmp_path: pathlib.Path) -> None:
    """What the chart writes is what decisions are made by."""
    path = tmp_path / "settings.yaml"
    path.write_text("windows: {deny: [{cron: 0 8 * * 1-5, duration: 10h}]}")
    loaded = settings.load(path)
    assert "0 8 * * 1-5 for 10h, UTC" == str(wiring.rules_of(loaded).windows.deny[0])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"renewDeadlineSeconds": 9.5}, "1 s at least must be between", id="no margin"),
        pytest.param({"leaseDurationSeconds": 9.5}, "a Lease has whole ones", id="half a second"),
        pytest.param(
            {"leaseDurationSeconds": 4, "renewDeadlineSeconds": 2, "retrySeconds": 1},
            "the least is 5",
            id="too short",
        ),
        pytest.param({"retrySeconds": 4}, "two tries at least", id="one try"),
    ],
)
def test_times_of_an_election_that_would_not_hold_are_refused(
    tmp_path: pathlib.Path, given: dict[str, object], words: str
) -> None:
    """A leader falls silent before another may begin, and a lost renewal is no lost Lease."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"leaderElection": {"enabled": True, **given}}))
    with pytest.raises(settings.SettingsError, match=words):
        settings.load(path)


def test_a_process_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given by the settings or the pod; else made up, and never the same twice."""
    monkeypatch.delenv(electing.IDENTITY, raising=False)
    unnamed = election_settings.LeaderElection()
    made_up = {electing.identity(unnamed) for _ in range(2)}
    monkeypatch.setenv(electing.IDENTITY, "prunella-5c9-x7k")
    named = election_settings.LeaderElection(identity="replica-1")
    assert len(made_up) == 2
    assert [electing.identity(each) for each in (unnamed, named)] == [
        "prunella-5c9-x7k",
        "replica-1",
    ]
