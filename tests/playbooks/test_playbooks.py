"""The ready policies are valid, safe as shipped, and proved by tests that can fail."""

from __future__ import annotations

import pathlib
import shutil
import textwrap

import pytest
import yaml

from prunella.cli.lint import check
from prunella.cli.lint.findings import Severity
from prunella.cli.testing import load, play, report

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
NAMES = sorted(path.name for path in PLAYBOOKS.iterdir() if path.is_dir())


def played(folder: pathlib.Path, cases: str = "*") -> report.FileResult:
    """The result of a playbook's test."""
    tests, problems = load.load([str(folder)])
    assert [] == [str(problem) for problem in problems]
    return play.play(tests, cases, 1)[0]


def wrong(result: report.FileResult) -> list[str]:
    """What was not as expected."""
    return [
        f"{case.name}: {row.check}: expected {row.expected}, found {row.found}"
        for case in result.cases
        for row in case.rows
        if not row.passed
    ]


def test_there_are_playbooks() -> None:
    """A search that finds nothing would prove nothing."""
    assert len(NAMES) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_a_playbook_is_proved(name: str) -> None:
    """All cases of its test pass."""
    assert [] == wrong(played(PLAYBOOKS / name))


@pytest.mark.parametrize("name", NAMES)
def test_a_playbook_is_tested_from_all_sides(name: str) -> None:
    """Its test has a case that acts, one that is quiet and one in which nobody can see."""
    (loaded,), _ = load.load([str(PLAYBOOKS / name)])
    expected = [case.expect for case in loaded.test.cases]

    assert any(expect.final.remediations for expect in expected), "one acts"
    verdicts = {
        check.verdict for expect in expected for check in expect.checks if not expect.effects
    }
    assert {"Healthy", "Unknown"} <= verdicts


@pytest.mark.parametrize("name", NAMES)
def test_a_playbook_is_safe_as_shipped(name: str) -> None:
    """Lint has nothing against it, and its mode is Advise."""
    path = PLAYBOOKS / name / "policy.yaml"
    findings = check.check_text(str(path), path.read_text(), 15.0).findings

    assert [] == [each for each in findings if each.severity is not Severity.HINT]
    assert "Advise" == yaml.safe_load(path.read_text())["spec"]["mode"]


@pytest.mark.parametrize("name", NAMES)
def test_a_playbook_is_in_the_table(name: str) -> None:
    """The README names each."""
    assert f"[{name}]({name}/policy.yaml)" in (PLAYBOOKS / "README.md").read_text()


def test_the_example_of_the_documentation_is_true(tmp_path: pathlib.Path) -> None:
    """It can be copied as it stands."""
    text = (ROOT / "docs" / "policy-tests.md").read_text()
    block = text[text.index("    apiVersion") :].partition("\n\n")[0]
    policy = yaml.safe_load((PLAYBOOKS / "error-ratio-after-release" / "policy.yaml").read_text())
    policy["spec"]["target"] = {"name": "checkout"}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    (tmp_path / "test.yaml").write_text(textwrap.dedent(block))

    assert [] == wrong(played(tmp_path))


BROKEN = {
    "memory-leak: a limit that is never reached": ('"0.95"', '"2"', "a leak is*"),
    "memory-leak: the wrong action": ("restart: {}", "evictPod: {}", "a leak is*"),
    "memory-leak: much too early": ("within: 1h", "within: 2d", "a leak that is far*"),
    "memory-leak: another selector": ("part-of: shop", "part-of: ship", "a leak is*"),
    "error-ratio-after-release: a limit too high": ("above: 0.05", "above: 0.5", "a bad*"),
    "error-ratio-after-release: too patient": ("for: 1m", "for: 10m", "a bad*"),
    "error-ratio-after-release: the wrong action": (
        "rollback: {whenChangedWithin: 1h}",
        "restart: {}",
        "a bad*",
    ),
    "error-ratio-after-release: any release is blamed": (
        "whenChangedWithin: 1h",
        "whenChangedWithin: 1d",
        "errors long*",
    ),
    "canary-worse-than-stable: the wrong side": ("worse: Higher", "worse: Lower", "a slow*"),
    "canary-worse-than-stable: compared with nobody": ('"$1-canary"', '"$1-cannery"', "a slow*"),
    "canary-worse-than-stable: the wrong action": (
        "rollback: {to: Previous, whenChangedWithin: 6h}",
        "restart: {}",
        "a slow*",
    ),
    "cpu-unusual-for-the-hour: traffic explains nothing": (
        "    given:\n      query: sum by (namespace, deployment) (rate(http_requests_total[5m]))\n",
        "",
        "a surge*",
    ),
    "cpu-unusual-for-the-hour: the wrong side": ("Above", "Below", "the load of*"),
    "cpu-unusual-for-the-hour: too few replicas": ("by: 3", "by: 1", "the load of*"),
    "disk-that-fills: a limit too high": ('"0.9"', '"1.5"', "a disk that fills*"),
    "disk-that-fills: it acts as shipped": ("mode: Advise", "mode: Live", "a disk that fills*"),
    "disk-that-fills: the wrong action": ("restart: {}", "scale: {by: 1}", "where a restart*"),
    "rollout-stuck: the other condition": ('"Progressing"', '"Available"', "a rollout that is*"),
    "rollout-stuck: too old to be blamed": ("Within: 2h", "Within: 1m", "a rollout that is*"),
    "out-of-memory-after-release: any restart": (
        '{reason="OOMKilled"}',
        '{reason="OOMKilled"} or kube_pod_container_status_restarts_total >= bool 0',
        "restarts for another*",
    ),
    "out-of-memory-after-release: any release is blamed": ("Within: 6h", "Within: 1d", "an old*"),
    "latency-after-release: the wrong side": ("worse: Higher", "worse: Lower", "a slower*"),
    "latency-after-release: blind to half": ("minimumShift: 0.2", "minimumShift: 0.8", "a slower*"),
    "one-pod-fails: no comparison": (
        "quantile by (namespace, deployment) (0.5,",
        "max by (namespace, deployment) (1 +",
        "what all*",
    ),
    "one-pod-fails: the wrong action": ("evictPod: {}", "restart: {}", "a pod that*"),
    "pod-not-ready: outages too": (" && !outage", " || outage", "an outage*"),
    "pod-not-ready: nervous": ("for: 15m", "for: 5m", "a pod that*"),
    "local-disk-fills: much too late": ("within: 1h", "within: 1m", "a pod that*"),
    "file-descriptors-run-out: much too early": ("within: 1h", "within: 1d", "a leak*"),
    "file-descriptors-run-out: the wrong action": ("restart: {}", "evictPod: {}", "a leak*"),
    "jvm-heap-full: another area": ('area="heap"', 'area="nonheap"', "a pod whose*"),
    "jvm-heap-full: nervous": ("for: 10m", "for: 1m", "a heap*"),
    "connection-pool-exhausted: a slow database too": ("< bool 0.01", "< bool 10", "a slow*"),
    "connection-pool-exhausted: the wrong action": (
        "evictPod: {}",
        "scale: {by: 1}",
        "a pod whose*",
    ),
    "latency-under-load: without a crowd too": (
        "slow && crowded",
        "slow || crowded",
        "slow without*",
    ),
    "latency-under-load: too few replicas": ("by: 2", "by: 1", "many requests*"),
    "cpu-throttled: nervous": ("for: 10m", "for: 3m", "ten minutes*"),
    "cpu-throttled: a limit too high": ("above: 0.5", "above: 0.9", "pods at*"),
    "consumer-stuck: slow ones too": ("< bool 0.01", "< bool 10", "a consumer that is slow*"),
    "consumer-stuck: the wrong action": ("evictPod: {}", "restart: {}", "a consumer that hangs*"),
    "consumer-falls-behind: stuck ones too": (">= bool 1", ">= bool 0", "consumers that take*"),
    "consumer-falls-behind: too patient": ("for: 10m", "for: 1h", "consumers that do*"),
    "redis-replica-cut-off: a master's fault too": (
        " && !master_gone",
        " || master_gone",
        "a master*",
    ),
    "redis-replica-cut-off: the wrong side": ("below: 1", "above: 1", "a replica*"),
    "slo-burning-fast: another objective": ("99.9\n", "99\n", "a release that*"),
    "slo-burning-fast: the wrong action": (
        "rollback: {whenChangedWithin: 6h}",
        "restart: {}",
        "a release that*",
    ),
    "slo-burning-fast: nervous": (
        "{budget: 0.02, long: 1h, short: 5m}",
        "{budget: 0.0005, long: 10m, short: 5m}",
        "a minute*",
    ),
    "goroutine-leak: much too early": ("within: 1h", "within: 2d", "a leak*"),
    "thread-pool-exhausted: load too": ("< bool 0.1", "< bool 100", "threads that*"),
    "grpc-deadlines-after-release: clients' mistakes too": ("DataLoss", "Inv.*", "what clients*"),
    "grpc-deadlines-after-release: any release is blamed": (
        "Within: 1h",
        "Within: 1d",
        "a release of*",
    ),
    "ingress-errors-after-release: visitors' mistakes too": ("5..", "[45]..", "what visitors*"),
    "ingress-errors-after-release: any release is blamed": (
        "Within: 1h",
        "Within: 1d",
        "errors long*",
    ),
    "mesh-errors-after-release: deaf to gRPC": ("4|13|14", "none", "a release whose gRPC*"),
    "mesh-errors-after-release: what callers see": (
        'reporter="destination",response_code',
        "response_code",
        "what callers*",
    ),
    "worker-queue-backlog: though nobody takes anything": (" && !idle", "", "a queue that nobody*"),
    "worker-queue-backlog: though it shrinks": (" && growing", "", "a queue that is being*"),
    "daemon-set-rollout-stuck: one that gets on": ("== bool 0", ">= bool 0", "a rollout over*"),
    "daemon-set-rollout-stuck: any is blamed": ("Within: 2h", "Within: 1d", "a rollout of*"),
    "cron-job-runs-pile-up: nervous": ("for: 30m", "for: 10m", "a slow*"),
    "cron-job-runs-pile-up: they go on": (
        "otherwise: Escalate",
        "otherwise: Revert",
        "runs that hang*",
    ),
    "certificate-not-reloaded: nervous": ("for: 15m", "for: 1m", "a process that reads*"),
    "event-loop-blocked: all pods": ("max: 1}", "max: 3}", "pods that all*"),
    "event-loop-blocked: nervous": ("for: 3m", "for: 1m", "two minutes*"),
    "php-fpm-workers-busy: idle ones too": (">= bool 1", ">= bool 0", "workers that get*"),
    "kafka-rebalances-after-release: nervous": (
        "{above: 8}\n    pods: 50%\n    for: 10m",
        "{above: 4}\n    pods: 50%\n    for: 1m",
        "the rebalances*",
    ),
    "kafka-rebalances-after-release: any is blamed": ("Within: 2h", "Within: 1d", "a group*"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_policy_is_found(name: str, tmp_path: pathlib.Path) -> None:
    """A policy that is broken on purpose fails its own test."""
    before, after, cases = BROKEN[name]
    folder = tmp_path / "playbook"
    shutil.copytree(PLAYBOOKS / name.partition(":")[0], folder)
    policy = folder / "policy.yaml"
    text = policy.read_text()
    assert before in text
    policy.write_text(text.replace(before, after))

    assert wrong(played(folder, cases))
