"""What the simulated applications report, asked in PromQL."""

from __future__ import annotations

import datetime
import math

import pytest

from prunella.adapters.simulated import apps as simulated_apps
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.core import model
from prunella.promql import evaluator, series_store

START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
RATIO = (
    'sum by (deployment) (rate(app_http_requests_total{code="500"}[1m]))'
    " / sum by (deployment) (rate(app_http_requests_total[1m]))"
)


class Stage:
    """A clock, a cluster and its applications."""

    def __init__(self) -> None:
        self.clock = clocks.VirtualClock(START)
        self.cluster = clusters.SimulatedCluster(self.clock)
        self.store = series_store.SeriesStore()
        self.apps = simulated_apps.Apps(self.clock, self.cluster, self.store)

    def ask(self, query: str) -> list[float]:
        """The values of the answer, rounded, in ascending order."""
        answer = evaluator.evaluate(self.store, query, self.clock.now().timestamp())
        assert isinstance(answer, evaluator.Vector)
        return sorted(round(sample.value, 3) for sample in answer.samples)


@pytest.fixture
def stage() -> Stage:
    """An empty stage."""
    return Stage()


LAB = "lab.prunella.dev"
REPORTS: dict[str, tuple[str, dict[str, str], dict[str, list[float]]]] = {
    "a good image": (
        "shop/it:v1",
        {},
        {
            "app_up": [1, 1],
            "sum(rate(app_http_requests_total[1m]))": [20],
            'app_http_requests_total{code="500"}': [],
            "app_memory_bytes": [50e6, 50e6],
            "app_load": [],
            "app_cpu_saturation": [],
        },
    ),
    "a bad image": ("shop/it:v2-bad", {}, {RATIO: [0.3]}),
    "bad only in the name": ("bad/it:v1", {}, {RATIO: []}),
    "a leak": ("shop/it:v2-leak", {}, {"app_memory_bytes": [170e6, 170e6]}),
    "a mute image": ("shop/it:mute", {}, {"app_up": [], "app_memory_bytes": []}),
    "requests per second": ("it:v1", {"rps": "2"}, {"sum(rate(app_http_requests_total[1m]))": [4]}),
    "errors go before the image": ("it:bad", {"errors": "0.0"}, {RATIO: []}),
    "a share of errors": ("it:v1", {"errors": "0.5"}, {RATIO: [0.5]}),
    "load": ("it:v1", {"load": "3.2"}, {"app_load": [3.2, 3.2], "app_cpu_saturation": [1.6]}),
    "no metrics": ("it:v1", {"metrics": "none", "load": "1"}, {"app_up": [], "app_load": []}),
    "frozen counters": (
        "it:v1",
        {"metrics": "frozen"},
        {"sum(rate(app_http_requests_total[1m]))": [0], "app_up": [1, 1]},
    ),
}


@pytest.mark.parametrize(("image", "settings", "expected"), REPORTS.values(), ids=REPORTS)
async def test_reports(
    stage: Stage, image: str, settings: dict[str, str], expected: dict[str, list[float]]
) -> None:
    """Images and annotations decide what two pods of an application say after two minutes."""
    annotations = {f"{LAB}/{name}": value for name, value in settings.items()}
    stage.cluster.add_deployment("shop", "it", image, replicas=2, pod_annotations=annotations)
    await stage.clock.advance(120)
    assert expected == {query: stage.ask(query) for query in expected}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
async def test_labels_are_those_of_the_lab(stage: Stage, kind: str) -> None:
    """A series names namespace, pod, workload by its kind, node and job."""
    ref = stage.cluster.add_workload(model.Ref(kind, "shop", "it"), "it:v1")
    await stage.clock.advance(5)
    [state] = stage.cluster.states()
    series = stage.store.select([series_store.Matcher("=", series_store.NAME, "app_up")])
    expected = [
        {
            series_store.NAME: "app_up",
            "namespace": "shop",
            "pod": pod.name,
            kind.lower(): ref.name,
            "instance": pod.node,
            "job": "app",
        }
        for pod in state.pods
    ]
    assert expected == [dict(each.labels) for each in series]


async def test_nan_reports(stage: Stage) -> None:
    """Values of NaN come from an annotation, or for all from a switch."""
    annotations = {f"{LAB}/metrics": "nan", f"{LAB}/load": "1"}
    stage.cluster.add_deployment("shop", "nan", "it:v1", replicas=1, pod_annotations=annotations)
    stage.cluster.add_deployment("shop", "it", "it:v1", replicas=1)
    await stage.clock.advance(5)
    values = [stage.ask('app_up{deployment="nan"}'), stage.ask('app_up{deployment="it"}')]
    assert (True, [1]) == (math.isnan(values[0][0]), values[1])
    stage.apps.nan = True
    await stage.clock.advance(5)
    assert math.isnan(stage.ask('app_up{deployment="it"}')[0])


async def test_a_rollback_brings_the_errors_down(stage: Stage) -> None:
    """Errors come with the release, fade with its rollback, and its pods' series end."""
    ref = stage.cluster.add_deployment("shop", "it", "it:v1", replicas=3)
    await stage.clock.advance(120)
    stage.cluster.set_image(ref, "it:v2-bad")
    await stage.clock.advance(120)
    assert [0.3] == stage.ask(RATIO)
    stage.cluster.set_image(ref, "it:v1")
    await stage.clock.advance(40)
    assert 0 < stage.ask(RATIO)[0] < 0.3
    assert (3, []) == (
        len(stage.ask("app_up")),
        stage.ask('app_http_requests_total{code="500"}'),
    )
    await stage.clock.advance(60)
    assert [] == stage.ask(RATIO)


async def test_a_restart_frees_leaked_memory(stage: Stage) -> None:
    """Memory is a matter of the pod's age."""
    ref = stage.cluster.add_deployment("shop", "it", "it:leak", replicas=1)
    await stage.clock.advance(300)
    before = stage.ask("app_memory_bytes")

    def restart(manifest: dict[str, dict[str, dict[str, object]]]) -> None:
        manifest["spec"]["template"]["metadata"] = {
            "labels": {"app": "it"},
            "annotations": {"kubectl.kubernetes.io/restartedAt": "now"},
        }

    stage.cluster.edit(ref, restart)
    await stage.clock.advance(15)
    after = stage.ask("app_memory_bytes")
    assert [350e6] == before
    assert 1 == len(after)
    assert after[0] < 70e6


async def test_more_pods_share_the_load(stage: Stage) -> None:
    """Saturation falls when a workload is scaled out under a surge."""
    ref = stage.cluster.add_deployment("shop", "it", "it:v1", replicas=2)
    stage.apps.surge(ref, load=3.2)
    await stage.clock.advance(10)
    assert [1.6] == stage.ask("app_cpu_saturation")
    stage.cluster.scale(ref, 4)
    await stage.clock.advance(10)
    assert [0.8] == stage.ask("app_cpu_saturation")


async def test_namespaces_are_apart(stage: Stage) -> None:
    """Workloads of the same name in two namespaces have their own saturation."""
    for namespace, load in (("shop", 1.0), ("store", 3.0)):
        ref = stage.cluster.add_deployment(namespace, "it", "it:v1", replicas=1)
        stage.apps.surge(ref, load=load)
    await stage.clock.advance(5)
    assert [1, 3] == stage.ask("app_cpu_saturation")


async def test_a_pod_of_the_same_name_goes_on_with_its_series(stage: Stage) -> None:
    """The successor of a StatefulSet's pod is seen from its first scrape, its counters anew."""
    ref = model.Ref("StatefulSet", "shop", "db")
    stage.cluster.add_workload(ref, "db:v1", replicas=1, startup_seconds=0.5)
    await stage.clock.advance(60)
    stage.cluster.set_image(ref, "db:v2")
    await stage.clock.advance(5)
    assert [1] == stage.ask("app_up")
    assert stage.ask("app_http_requests_total")[0] < 50


async def test_errors_from_outside_come_and_go(stage: Stage) -> None:
    """Counters never fall: total rates are steady while the share of errors changes."""
    ref = stage.cluster.add_deployment("shop", "it", "it:v1", replicas=1)
    total = "sum(rate(app_http_requests_total[1m]))"
    await stage.clock.advance(600)
    stage.apps.surge(ref, errors=0.5)
    await stage.clock.advance(90)
    assert ([0.5], [10]) == (stage.ask(RATIO), stage.ask(total))
    stage.apps.surge(ref)
    await stage.clock.advance(90)
    assert ([0], [10]) == (stage.ask(RATIO), stage.ask(total))


STOPS = {"hanging": (False, [1, 1]), "gone": (True, [])}


@pytest.mark.parametrize(("stale", "seen"), STOPS.values(), ids=STOPS)
async def test_metrics_can_stop(stage: Stage, stale: bool, seen: list[float]) -> None:
    """Samples end when it was said; the last ones stay for five minutes, unless marked stale."""
    stage.cluster.add_deployment("shop", "it", "it:v1", replicas=2)
    stage.apps.stop(after=12, stale=stale)
    await stage.clock.advance(60)
    assert seen == stage.ask("app_up")
    assert ([50, 50] if seen else []) == stage.ask("time() - timestamp(app_up)")
    await stage.clock.advance(300)
    assert [] == stage.ask("app_up")
    stage.apps.resume()
    await stage.clock.advance(5)
    assert [1, 1] == stage.ask("app_up")
