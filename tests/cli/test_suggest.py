"""`prunella suggest`: the playbooks that have data, tried on the history that is there."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

from prunella.cli import kube
from prunella.cli.lint import check
from prunella.promql import evaluator, range_evaluator, series_store
from tests.cli import conftest, fakes, shop

START = 1_772_366_400
MINUTES = 6 * 60
POD = "checkout-7d9f8b6c5d-x2v4z"


def series(name: str, labels: dict[str, str], value: Callable[[int], float]) -> list[str]:
    """A sample each minute."""
    inner = ",".join(f'{key}="{each}"' for key, each in labels.items())
    return [f"{name}{{{inner}}} {value(m)} {START + 60 * m}" for m in range(MINUTES)]


def requests(**labels: str) -> list[str]:
    """Requests, of which a quarter fail in the fourth hour."""
    failed = [0.0]
    for minute in range(1, MINUTES):
        failed.append(failed[-1] + (300 if 180 <= minute < 220 else 1))
    good = series("http_requests_total", {**labels, "code": "200"}, lambda m: 1200.0 * m)
    return good + series("http_requests_total", {**labels, "code": "500"}, lambda m: failed[m])


def files(labels: dict[str, str] | None = None) -> list[str]:
    """Open files of a pod, far from their limit."""
    own = {"pod": POD} if labels is None else labels
    used = series("process_open_fds", own, lambda m: 100 + m % 7)
    return used + series("process_max_fds", own, lambda _: 1024)


def workload(kind: str, name: str) -> list[str]:
    """What kube-state-metrics tells of a workload."""
    metric = {
        "Deployment": "kube_deployment_spec_replicas",
        "StatefulSet": "kube_statefulset_replicas",
        "CronJob": "kube_cronjob_info",
    }
    return series(metric[kind], {kind.lower(): name}, lambda _: 1)


Suggest = Callable[..., conftest.Result]


@pytest.fixture
def suggest(run: conftest.Run, tmp_path: pathlib.Path) -> Suggest:
    """Run it on these samples."""

    def runner(
        samples: list[str], *arguments: str, cluster: kube.Cluster | None = None
    ) -> conftest.Result:
        path = tmp_path / "data.om"
        path.write_text("\n".join([*samples, "# EOF", ""]))
        return run("suggest", "-n", "shop", "--data", str(path), *arguments, cluster=cluster)

    return runner


def reasons(result: conftest.Result) -> dict[str, str]:
    """Why playbooks are not suggested."""
    found = json.loads(result.out)["notSuggested"]
    return {each["playbook"] + each["target"]: each["reason"] for each in found}


def suggested(result: conftest.Result) -> list[tuple[str, str]]:
    """Playbooks and targets."""
    found = json.loads(result.out)["suggestions"]
    return [(each["playbook"], each["target"]) for each in found]


def test_policies_with_what_they_would_have_done(suggest: Suggest) -> None:
    """A stream for kubectl: Advise, clean, the backtest above each and what is missing below."""
    chosen = ("--playbook", "error-ratio-after-release", "--playbook", "memory-leak")
    result = suggest(requests(deployment="checkout"), *chosen)
    (policy,) = yaml.safe_load_all(result.out)
    report = check.check_text("suggested", result.out, 15.0)

    assert (0, "") == (result.code, result.err)
    assert "Advise" == policy["spec"]["mode"]
    assert "checkout-error-ratio-after-release" == policy["metadata"]["name"]
    assert {"kind": "Deployment", "name": "checkout"} == policy["spec"]["target"]
    assert ((), 1) == (report.findings, report.policies)
    assert result.out.startswith(
        "# Backtest 2026-03-01 12:00 to 2026-03-01 17:58 UTC: "
        "1 actions (28.1 a week), 1 findings (28.1 a week), 0"
    )
    assert result.out.endswith(
        "# Not suggested: memory-leak: no series of container_memory_working_set_bytes, "
        "container_spec_memory_limit_bytes\n"
    )


def test_the_line_is_the_backtests(
    suggest: Suggest, run: conftest.Run, tmp_path: pathlib.Path
) -> None:
    """The policy that is written, given to `prunella backtest`, does the same."""
    only = ("--playbook", "error-ratio-after-release")
    found = json.loads(suggest(requests(deployment="checkout"), *only, "-o", "json").out)
    (one,) = found["suggestions"]
    policy = tmp_path / "policy.yaml"
    policy.write_text(one["policy"])
    data = str(tmp_path / "data.om")
    again = json.loads(run("backtest", str(policy), "--data", data, "-o", "json").out)

    assert len(again["actions"]) == one["backtest"]["actions"] == 1
    assert again["findingsPerWeek"] == one["backtest"]["findingsPerWeek"]
    assert again["verdicts"] == one["backtest"]["verdicts"]


def test_workloads_of_kube_state_metrics(suggest: Suggest) -> None:
    """Their kinds are known then: a pod of a StatefulSet is none of a Deployment."""
    samples = [*workload("StatefulSet", "db"), *files({"pod": "db-0"})]
    only = ("--playbook", "file-descriptors-run-out", "-o", "json")

    assert [("file-descriptors-run-out", "StatefulSet/db")] == suggested(suggest(samples, *only))


def database(cron_job: str) -> list[str]:
    """A database's connections, and the runs of a CronJob."""
    return [
        *series("pg_stat_activity_count", {"datname": "shop"}, lambda _: 20),
        *series("pg_settings_max_connections", {}, lambda _: 100),
        *series("kube_cronjob_status_active", {"cronjob": cron_job}, lambda m: m // 30 % 2),
    ]


def test_a_signal_without_labels_is_about_any_target(suggest: Suggest) -> None:
    """Which one, the other signals tell: the CronJob that runs beside the database."""
    samples = [*workload("Deployment", "checkout"), *workload("CronJob", "reindex")]
    samples += [*workload("CronJob", "idle"), *database("reindex")]
    only = ("--playbook", "cron-job-overloads-database", "-o", "json")

    expected = [("cron-job-overloads-database", "CronJob/reindex")]
    assert expected == suggested(suggest(samples, *only))


def test_cron_jobs_of_the_cluster(suggest: Suggest, tmp_path: pathlib.Path) -> None:
    """They are workloads, too; playbooks for others are not for them."""
    raw = {"kind": "CronJob", "metadata": {"name": "reindex", "namespace": "shop"}}
    cluster = fakes.FakeCluster({"/apis/batch/v1/namespaces/shop/cronjobs/reindex": raw})
    only = ("--playbook", "cron-job-overloads-database", "-o", "json")
    given = ("--kubeconfig", str(tmp_path / "config"))

    expected = [("cron-job-overloads-database", "CronJob/reindex")]
    assert expected == suggested(suggest(database("reindex"), *only, *given, cluster=cluster))


def test_workloads_of_the_cluster(suggest: Suggest, tmp_path: pathlib.Path) -> None:
    """What the cluster has counts, not what series were once about."""
    raw = {"kind": "Deployment", "metadata": {"name": "cart", "namespace": "shop"}}
    cluster = fakes.FakeCluster({"/apis/apps/v1/namespaces/shop/deployments/cart": raw})
    samples = [*requests(deployment="checkout"), *requests(deployment="cart")]
    only = ("--playbook", "error-ratio-after-release", "-o", "json")
    given = ("--kubeconfig", str(tmp_path / "config"))

    assert [("error-ratio-after-release", "Deployment/cart")] == suggested(
        suggest(samples, *only, *given, cluster=cluster)
    )
    assert {"LIST"} == {verb for verb, _ in cluster.sent}


def test_one_target_of_several(suggest: Suggest) -> None:
    """Each workload has a policy of its own; --target chooses."""
    samples = [*requests(deployment="checkout"), *requests(deployment="cart")]
    only = ("--playbook", "error-ratio-after-release", "-o", "json")
    both = suggested(suggest(samples, *only))
    one = suggested(suggest(samples, *only, "--target", "deploy/cart"))

    assert ["Deployment/cart", "Deployment/checkout"] == [target for _, target in both]
    assert ["Deployment/cart"] == [target for _, target in one]


UNFIT = {
    "a metric that is missing": (
        [*requests(deployment="checkout")],
        "file-descriptors-run-out",
        "no series of process_open_fds, process_max_fds",
    ),
    "labels that name nobody": (
        files({"instance": "10.0.0.1:80"}),
        "file-descriptors-run-out",
        (
            "descriptors: no series names a workload that is there by deployment, pod, exported_"
            "pod; the first has namespace=shop"
        ),
    ),
    "an alert that never fired": (
        files(),
        "pods-crash-looping",
        "crash-looping: no alert KubePodCrashLooping has fired, and no rule is seen",
    ),
    "a query without a result": (
        [*requests(deployment="checkout", pod=POD)],
        "canary-worse-than-stable",
        "no series of http_request_duration_seconds_sum, http_request_duration_seconds_count",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_why_a_playbook_does_not_fit(suggest: Suggest, name: str) -> None:
    """Code 1 where none does; what is missing is named."""
    samples, playbook, expected = UNFIT[name]
    result = suggest(samples, "--playbook", playbook, "-o", "json")

    assert (1, "") == (result.code, result.err)
    assert {playbook: expected} == reasons(result)


def test_too_little_history_is_no_suggestion(suggest: Suggest) -> None:
    """A signal that judged nothing says why, with the numbers compared."""
    samples = [*requests(deployment="checkout"), *series(
        "container_cpu_usage_seconds_total", {"pod": POD, "container": "app"}, lambda m: 6.0 * m
    )]  # fmt: skip
    result = suggest(samples, "--playbook", "cpu-unusual-for-the-hour", "-o", "json")
    (reason,) = reasons(result).values()

    assert 1 == result.code
    assert reason.startswith("cpu is Unknown all the time: ")


def test_before_a_release_there_is_a_suggestion(suggest: Suggest) -> None:
    """What compares with before a release is of use from the next one on."""
    labels = {"k8s_deployment_name": "checkout"}
    samples = series("http_server_request_duration_seconds_sum", labels, lambda m: 2.0 * m)
    samples += series("http_server_request_duration_seconds_count", labels, lambda m: 20.0 * m)
    result = suggest(samples, "--playbook", "latency-after-release")

    assert 0 == result.code
    assert "0 actions" in result.out
    assert "latency is Unknown 100.0% of the time" in result.out.replace("\n# ", " ")


def test_a_file_for_each(suggest: Suggest, tmp_path: pathlib.Path) -> None:
    """With a line for each on standard output."""
    only = ("--playbook", "error-ratio-after-release", "--playbook", "memory-leak")
    folder = tmp_path / "policies"
    result = suggest(requests(deployment="checkout"), *only, "--out", str(folder))

    assert ["checkout-error-ratio-after-release.yaml"] == [p.name for p in folder.iterdir()]
    first, second = result.out.splitlines()
    assert first.startswith("checkout-error-ratio-after-release: 2026-03-01 12:00 to ")
    assert second.startswith("not suggested: memory-leak: no series of ")


def test_a_target_that_is_not_there(suggest: Suggest) -> None:
    """It is said what is there."""
    samples = [*workload("Deployment", "checkout"), *files()]
    result = suggest(samples, "--target", "deploy/chekout")

    message = (
        "error: namespace shop has no Deployment/chekout: it has 1 workloads, such as "
        "Deployment/checkout\n"
    )
    assert conftest.Result(2, "", message) == result


class Prometheus:
    """Answers as one that has scraped these samples, with these alerting rules."""

    def __init__(self, samples: list[str], *rules: str) -> None:
        self._rules = rules
        self._store = series_store.SeriesStore()
        for line in samples:
            series, value, when = line.rsplit(" ", 2)
            labels = dict(re.findall(r'(\w+)="([^"]*)"', series))
            named = {"__name__": series.partition("{")[0], "namespace": "shop", **labels}
            self._store.append(named, float(when), float(value))

    def __call__(self, path: str, form: dict[str, str]) -> Any:
        """Answer a request."""
        if path == "/api/v1/query":
            return self._vector(form)
        if path == "/api/v1/query_range":
            return self._matrix(form)
        if path == "/api/v1/rules":
            rules = [self._rule(name) for name in self._rules]
            groups = [{"name": "all", "interval": 60, "rules": rules}]
            return {"status": "success", "data": {"groups": groups}}
        return None

    def _rule(self, name: str) -> dict[str, Any]:
        return {
            "type": "alerting",
            "name": name,
            "query": "vector(0) > 1",
            "health": "ok",
            "lastEvaluation": fakes.NOW.isoformat(),
            "alerts": [],
        }

    def _vector(self, form: dict[str, str]) -> dict[str, Any]:
        found = evaluator.evaluate(self._store, form["query"], float(form["time"]))
        assert isinstance(found, evaluator.Vector)
        return shop.vector(*((dict(each.labels), each.value) for each in found.samples))

    def _matrix(self, form: dict[str, str]) -> dict[str, Any]:
        start, end, step = (float(form[each].rstrip("s")) for each in ("start", "end", "step"))
        times = np.arange(round(start * 1000), round(end * 1000) + 1, round(step * 1000))
        rows = range_evaluator.evaluate(self._store, form["query"], times)
        result = [
            {
                "metric": dict(row.labels),
                "values": [
                    [when / 1000, str(value)]
                    for when, value, there in zip(times, row.values, row.present, strict=True)
                    if there
                ],
            }
            for row in rows
        ]
        return {"status": "success", "data": {"resultType": "matrix", "result": result}}


SPAN = ("--from", "2026-03-01T12:00:00Z", "--to", "2026-03-01T17:58:00Z")


def test_the_history_of_a_prometheus(run: conftest.Run) -> None:
    """The same as from a file; workloads are the cluster's, an alert needs a rule only."""
    raw = {"kind": "Deployment", "metadata": {"name": "checkout", "namespace": "shop"}}
    cluster = fakes.FakeCluster({"/apis/apps/v1/namespaces/shop/deployments/checkout": raw})
    answers = Prometheus(requests(deployment="checkout"), "KubePodCrashLooping")
    books = ("error-ratio-after-release", "pods-crash-looping", "memory-leak")
    chosen = [each for name in books for each in ("--playbook", name)]
    with shop.serving(answers) as url:
        result = run("suggest", "--prometheus", url, *SPAN, *chosen, "-o", "json", cluster=cluster)
    assert (0, "") == (result.code, result.err)
    assert [(name, "Deployment/checkout") for name in books[:2]] == suggested(result)
    assert {"memory-leak"} == set(reasons(result))
    first, second = json.loads(result.out)["suggestions"]
    assert (1, 0) == (first["backtest"]["actions"], second["backtest"]["actions"])


def test_without_a_cluster_series_name_the_workloads(
    run: conftest.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """That is said; an alert without series names nobody."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    answers = Prometheus(requests(deployment="checkout"), "KubePodCrashLooping")
    chosen = ("--playbook", "error-ratio-after-release", "--playbook", "pods-crash-looping")
    with shop.serving(answers) as url:
        arguments = ("suggest", "-n", "shop", "--prometheus", url, *SPAN, *chosen, "-o", "json")
        result = run(*arguments)

    assert 0 == result.code
    assert result.err.startswith("no cluster is asked, only series: no way to a cluster")
    assert [("error-ratio-after-release", "Deployment/checkout")] == suggested(result)
    assert "its rule is there, but no workload is known" in reasons(result)["pods-crash-looping"]


def test_a_source_that_does_not_answer(run: conftest.Run) -> None:
    """It is told once for all, and nothing is guessed from silence."""
    raw = {"kind": "Deployment", "metadata": {"name": "checkout", "namespace": "shop"}}
    cluster = fakes.FakeCluster({"/apis/apps/v1/namespaces/shop/deployments/checkout": raw})
    result = run("suggest", "--prometheus", "http://127.0.0.1:9", cluster=cluster)

    assert (2, "") == (result.code, result.out)
    assert result.err.startswith("error: source 'default'")
