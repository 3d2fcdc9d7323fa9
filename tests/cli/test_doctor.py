"""`prunella doctor`: each thing that can be wrong, found where it is, with what to do."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cli import conftest, fakes, shop
from tests.unit.core.incidents import cluster as manifests

NOW = fakes.NOW.timestamp()
ACCOUNT = "system:serviceaccount:prunella-system:prunella"
LABELS = {"namespace": "shop", "deployment": "checkout"}
COUNT = {"prunella_leaf": "count-300-0"}
"""The mark of samples that were counted in 300 s."""


@dataclasses.dataclass
class World:
    """What the servers say; each test spoils one thing."""

    up_age: float = 5.0
    skew: float = 0.0
    series: list[tuple[dict[str, str], float]] = dataclasses.field(
        default_factory=lambda: [(LABELS, 0.01)]
    )
    every: float = 15.0
    down: list[tuple[dict[str, str], float]] = dataclasses.field(default_factory=list)
    alerts: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    receiver: dict[str, Any] | None = dataclasses.field(
        default_factory=lambda: {"url": "http://prunella:9095/alertmanager", "max_alerts": 0}
    )
    unreachable: bool = False

    def prometheus(self, path: str, form: dict[str, str]) -> Any:
        """Answer as a Prometheus would."""
        if self.unreachable:
            return None
        if path == "/api/v1/alerts":
            return {"status": "success", "data": {"alerts": self.alerts}}
        if path == "/api/v1/rules":
            return {"status": "success", "data": {"groups": []}}
        query = form["query"]
        if query == "time()":
            return shop.scalar(NOW + self.skew)
        if query == "max(timestamp(up))":
            return shop.vector(({}, NOW - self.up_age)) if self.up_age < 300 else shop.vector()
        if query.startswith("count by (job) (up"):
            return shop.vector(*self.down)
        if "count_over_time" in query:
            return (
                shop.vector(({**LABELS, **COUNT}, 300 / self.every))
                if self.series
                else shop.vector()
            )
        return shop.vector(*self.series)

    def alertmanager(self, path: str, _form: dict[str, str]) -> Any:
        """Answer as an Alertmanager would."""
        assert "/api/v2/status" == path
        receivers = [] if self.receiver is None else [{"webhook_configs": [self.receiver]}]
        named = [{"name": "prunella", **each} for each in receivers]
        return {"config": {"original": yaml.safe_dump({"receivers": named})}}


@dataclasses.dataclass
class Stage:
    """A healthy shop with an operator, whose doctor finds nothing."""

    run: conftest.Run
    world: World
    cluster: shop.Cluster
    settings: dict[str, Any]

    def doctor(self, *arguments: str) -> dict[str, Any]:
        """Run it; gives its JSON, with the exit code."""
        result = self.run("doctor", "-o", "json", *arguments, cluster=self.cluster)
        assert "" == result.err
        return {**json.loads(result.out), "code": result.code}

    def lines(self, *arguments: str) -> list[tuple[str, str, str]]:
        """Level, check and the whole of what was found."""
        return [
            (e["level"], e["check"], f"{e['where']}: {e['what']} -> {e['todo']}")
            for e in self.doctor(*arguments)["found"]
        ]


def policy(**signal: Any) -> dict[str, Any]:
    """A policy on checkout with one signal."""
    made = {
        "name": "errors",
        "prometheus": {"query": "sum by (namespace, deployment) (rate(errors_total[1m]))"},
        "threshold": {"above": 0.05},
        **signal,
    }
    spec = {**fakes.spec(), "signals": [made]}
    return fakes.policy(spec=spec)


@pytest.fixture
def stage(run: conftest.Run) -> Iterator[Stage]:
    """All is well."""
    world = World()
    with shop.serving(world.prometheus) as prometheus, shop.serving(world.alertmanager) as other:
        settings = {
            "sources": {"default": {"url": prometheus}},
            "alertmanager": {"url": other},
            "intake": {"webhook": {"enabled": True, "bearerTokenFile": "/token"}},
        }
        cluster = shop.of(
            shop.deployment("checkout"), *shop.operator(settings), policies=[policy()]
        )
        yield Stage(run, world, cluster, settings)


def test_nothing_found(stage: Stage) -> None:
    """A healthy installation: exit code 0, and the rights were those of the operator."""
    result = stage.run("doctor", cluster=stage.cluster)
    assert (0, "") == (result.code, result.err)
    assert "0 problems, 0 warnings" in result.out
    assert f"{ACCOUNT} watch deployments" in stage.cluster.reviewed


def spoil_rights(stage: Stage) -> None:
    """The operator may not see Services."""
    stage.cluster.denied = {"list services"}


def spoil_own_view(stage: Stage) -> None:
    """The user may not ask for others' rights."""
    stage.cluster.no_reviews_of_others = True


def spoil_clock(stage: Stage) -> None:
    """The API server is a minute ahead."""
    later = fakes.NOW + datetime.timedelta(seconds=60)
    stage.cluster.time = lambda: later  # type: ignore[method-assign]


def spoil_tier(stage: Stage) -> None:
    """A workload without a tier."""
    path = next(each for each in stage.cluster.objects if each.endswith("deployments/checkout"))
    del stage.cluster.objects[path]["metadata"]["labels"]["prunella.dev/tier"]


def spoil_skew(stage: Stage) -> None:
    """Prometheus is behind."""
    stage.world.skew = -30


def spoil_freshness(stage: Stage) -> None:
    """Scrapes have stopped."""
    stage.world.up_age = 200


def spoil_scrapes(stage: Stage) -> None:
    """Nothing is scraped at all."""
    stage.world.up_age = 400


def spoil_targets(stage: Stage) -> None:
    """Two targets are down."""
    stage.world.down = [({"job": "web"}, 2.0)]


def spoil_source(stage: Stage) -> None:
    """Prometheus answers 404."""
    stage.world.unreachable = True


def spoil_data(stage: Stage) -> None:
    """The query finds nothing."""
    stage.world.series = []


def spoil_labels(stage: Stage) -> None:
    """The series name no workload."""
    stage.world.series = [({"namespace": "shop", "job": "web"}, 1.0)]


def spoil_names(stage: Stage) -> None:
    """The series name another workload."""
    stage.world.series = [({"namespace": "shop", "deployment": "other"}, 1.0)]


def spoil_range(stage: Stage) -> None:
    """A scrape a minute, and a range of a minute."""
    stage.world.every = 60


def spoil_selector(stage: Stage) -> None:
    """The policy selects nothing."""
    spec = {**policy()["spec"], "target": {"selector": {"matchLabels": {"app": "gone"}}}}
    stage.cluster.objects[fakes.policy_path("checkout")]["spec"] = spec


def spoil_rule(stage: Stage) -> None:
    """The alert that a signal is about has no rule."""
    signal = {"name": "errors", "alert": {"name": "Lost"}}
    spec = {**policy()["spec"], "signals": [signal]}
    stage.cluster.objects[fakes.policy_path("checkout")]["spec"] = spec


def spoil_policy(stage: Stage) -> None:
    """The policy's query is no PromQL."""
    signal = {**policy()["spec"]["signals"][0], "prometheus": {"query": "sum(("}}
    spec = {**policy()["spec"], "signals": [signal]}
    stage.cluster.objects[fakes.policy_path("checkout")]["spec"] = spec


def spoil_alert(stage: Stage) -> None:
    """An alert that names only its namespace."""
    stage.world.alerts = [
        {
            "labels": {"alertname": "Vague", "namespace": "shop"},
            "state": "firing",
            "activeAt": "2026-03-01T12:00:00Z",
        }
    ]


def spoil_receiver(stage: Stage) -> None:
    """The receiver cuts groups."""
    stage.world.receiver = {"url": "http://prunella:9095/alertmanager", "max_alerts": 10}


def spoil_resolved(stage: Stage) -> None:
    """The receiver tells no ends."""
    stage.world.receiver = {"url": "http://prunella:9095/alertmanager", "send_resolved": False}


def spoil_route(stage: Stage) -> None:
    """Nothing is posted to the operator."""
    stage.world.receiver = None


SPOILT = [
    (spoil_rights, "problem", "rights", "may not list services: alerts of Services"),
    (spoil_own_view, "warning", "rights", "you may not ask for its rights"),
    (spoil_clock, "problem", "clock", "the API server: its clock is 60 s ahead of"),
    (spoil_tier, "warning", "tiers", "1 workloads have no prunella.dev/tier: Deployment/checkout"),
    (spoil_skew, "problem", "clock", "source default: its clock is 30 s behind"),
    (spoil_freshness, "problem", "sources", "its newest scrape is 200 s old, the limit is 120 s"),
    (spoil_scrapes, "problem", "sources", "nothing is scraped"),
    (spoil_targets, "warning", "sources", "targets are down: 2 of web"),
    (spoil_source, "problem", "sources", "source default: HTTP 404"),
    (spoil_data, "problem", "signals", "signal errors: value has no data: sum by"),
    (spoil_labels, "problem", "labels", "names no target; keep one of"),
    (spoil_names, "problem", "labels", "none of its 1 series is about one of the 1 targets"),
    (spoil_range, "problem", "ranges", "never has data: it needs two samples in its range"),
    (spoil_selector, "problem", "signals", "its target selects none of 1 workloads"),
    (spoil_rule, "problem", "signals", "the source has no rule of the name Lost"),
    (spoil_policy, "problem", "signals", "policy shop/checkout: signal errors"),
    (spoil_alert, "warning", "alerts", "alerts name no workload: Vague"),
    (spoil_receiver, "problem", "alertmanager", "max_alerts is 10: larger groups are refused"),
    (spoil_resolved, "warning", "alertmanager", "send_resolved is false"),
    (spoil_route, "warning", "alertmanager", "no receiver posts to a URL that ends with"),
]


@pytest.mark.parametrize(
    ("spoil", "level", "check", "what"), SPOILT, ids=[each[0].__name__[6:] for each in SPOILT]
)
def test_found(stage: Stage, spoil: Any, level: str, check: str, what: str) -> None:
    """One thing is wrong: it is found, alone, and the exit code says how bad it is."""
    spoil(stage)
    (found,) = stage.lines()
    assert (level, check) == found[:2]
    assert what in found[2]
    assert " -> " in found[2]
    assert (1 if level == "problem" else 0) == stage.doctor()["code"]
    assert 1 == stage.doctor("--strict")["code"]


def test_custom_resources_that_are_not_installed(stage: Stage) -> None:
    """The first thing after an installation by halves."""

    class Bare(shop.Cluster):
        def request(self, method: str, path: str, *rest: Any, **more: Any) -> Any:
            if path == "/apis/prunella.dev/v1alpha1":
                raise shop.kube.KubeError("not found", 404)
            return super().request(method, path, *rest, **more)

    stage.cluster = Bare(stage.cluster.objects)
    (found,) = stage.lines()
    assert ("problem", "crds") == found[:2]
    assert "prunella crds | kubectl apply" in found[2]


def test_no_operator_found(stage: Stage) -> None:
    """The defaults are looked at, and the reader is told so."""
    stage.cluster = shop.of(shop.deployment("checkout"))
    found = {
        each[1] for each in stage.lines("--prometheus", stage.settings["sources"]["default"]["url"])
    }
    assert {"settings", "rights", "alertmanager"} == found


def test_settings_that_can_not_be_used(stage: Stage) -> None:
    """They are named, and nothing is guessed."""
    path = next(each for each in stage.cluster.objects if "/configmaps/" in each)
    stage.cluster.objects[path]["data"]["settings.yaml"] = "intake: {wrong: 1}"
    result = stage.run("doctor", cluster=stage.cluster)
    assert 2 == result.code
    assert "ConfigMap prunella-system/prunella can't be used" in result.err


def test_text_says_what_to_do(stage: Stage) -> None:
    """Each line has what, where and what to do; the checks without a finding are named."""
    spoil_rights(stage)
    result = stage.run("doctor", cluster=stage.cluster)
    assert (
        "x rights: all namespaces: system:serviceaccount:prunella-system:prunella may" in result.out
    )
    assert "-> upgrade the chart with rbac.create: true" in result.out
    assert "1 problem, 0 warnings" in result.out
    assert "nothing found" in result.out


def test_what_a_user_may_not_read(stage: Stage) -> None:
    """It is found rather than passed over."""
    stage.cluster.denied = {"list /api/v1/namespaces/shop/pods"}
    found = stage.lines()
    assert [("signals", "problem"), ("alerts", "warning")] == [(e[1], e[0]) for e in found]


def test_manifests_helper() -> None:
    """The shop's Deployments are found by the paths that the commands list."""
    cluster = shop.of(shop.deployment("checkout"), manifests.service("shop/checkout"))
    assert 1 == len(cluster.items("/apis/apps/v1/deployments"))
    assert 1 == len(cluster.items("/api/v1/namespaces/shop/services"))
