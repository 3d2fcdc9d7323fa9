"""Running faults one after the other, on virtual time and without a cluster."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, cast

import pytest
import yaml

from bench.exam import __main__ as program
from bench.exam import report, run, shops
from bench.exam.healing import Healing
from bench.exam.judge import Verdict
from bench.exam.run import Examiner, Outcome, Patience
from bench.exam.sightings import Sighting, Suspect, Watcher
from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import lifecycle
from lab.shop.faults import Ref

SERVICE = Ref("Service", "x01-core", "cart")
PATIENCE = Patience(usual=75, settle=20, limit=90)


class Stage:
    """A clock that moves when somebody sleeps, and a cluster that only remembers."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.done: list[str] = []
        self.named_at = 1e9
        """When the operator names the Service."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds

    def of(self, shop: str) -> Sequence[Sequence[Sighting]]:
        """One incident as soon as the Service is named."""
        if self.time < self.named_at:
            return []
        places = frozenset({f"{shop}-core"})
        return [[Sighting(self.named_at, "k", self.named_at, "Open", places, (Suspect(SERVICE),))]]

    def whole(self, _shop: str) -> list[dict[str, Any]]:
        """The incident's object."""
        return [{"kind": "Incident"}]

    def ask(self, expression: str, _start: float, _end: float) -> list[dict[str, Any]]:
        """An alert ten seconds after the injection, which is at 1075."""
        if "ALERTS" not in expression or self.time < 1085:
            return []
        labels = {"alertname": "A", "alertstate": "firing"}
        return [{"metric": labels, "values": [[1085.0, "1"]]}]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage on which shops are raised and removed by name."""
    made = Stage()
    monkeypatch.setattr(
        shops, "raise_shop", lambda _lab, _items, shop: made.done.append(f"raise {shop}")
    )
    monkeypatch.setattr(
        shops, "remove", lambda _lab, _items, shop: made.done.append(f"remove {shop}")
    )
    return made


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A fault that deletes the Service cart."""
    found = tmp_path / "no-service"
    found.mkdir()
    place = "{kind: Service, namespace: '${SHOP}-core', name: cart}"
    (found / "inject.yaml").write_text(f"- delete: {place}\n")
    (found / "truth.yaml").write_text(f"cause: [{place}]\n")
    return found


@pytest.fixture
def lab(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose kubectl only remembers."""

    def kubectl(_lab: Lab, *arguments: str, **_options: Any) -> None:
        stage.done.append(" ".join(arguments[:1]))

    monkeypatch.setattr(Lab, "kubectl", kubectl)
    return object.__new__(Lab)


def nothing(_path: str) -> list[dict[str, Any]]:
    """A list without objects."""
    return []


def examiner(lab: Lab, stage: Stage, *, operator: bool = True) -> Examiner:
    """An examiner on the stage."""
    watcher = cast(Watcher, stage) if operator else None
    now = lambda: stage.time  # noqa: E731 - a clock is a function here
    return Examiner(lab, nothing, stage.ask, watcher, PATIENCE, None, stage.sleep, now)


def test_fault_is_injected_after_usual_data_and_judged_after_it_settled(
    lab: Lab, stage: Stage, folder: pathlib.Path
) -> None:
    """75 s of usual data, an alert after 10 s, named after 16 s, judged 20 s later."""
    stage.named_at = 1091.0

    outcome = examiner(lab, stage).examine(folder, "x01")

    assert ["raise x01", "delete"] == stage.done
    assert outcome.verdict is not None
    assert (1, 1, 6.0) == (
        outcome.verdict.rank,
        outcome.verdict.incidents,
        outcome.verdict.seconds,
    )
    assert (10.0, 1111.0) == (outcome.delay, stage.time)


def test_symptoms_are_looked_for_from_the_step_that_does_harm(
    lab: Lab, stage: Stage, folder: pathlib.Path
) -> None:
    """A harmless step at 1075, the cause at 1081, an alert at 1085: a delay of 4 s."""
    stage.named_at = 1091.0
    harmless = "- scale: {kind: Deployment, namespace: '${SHOP}-core', name: ad, replicas: 3}\n"
    harm = "- delete: {kind: Service, namespace: '${SHOP}-core', name: cart}\n  after: 6\n"
    (folder / "inject.yaml").write_text(harmless + harm)

    outcome = examiner(lab, stage).examine(folder, "x01")

    assert ["raise x01", "scale", "delete"] == stage.done
    assert 4.0 == outcome.delay


class Healer:
    """Heals at a moment, and is at work until another."""

    def __init__(self, stage: Stage, healed_at: float, busy_until: float = 0.0) -> None:
        self._stage, self._healed_at, self._busy_until = stage, healed_at, busy_until

    def prepare(self, shop: str) -> None:
        """Remember that the policies were there before the fault."""
        self._stage.done.append(f"prepare {shop}")

    def picture(self, _shop: str) -> dict[str, str]:
        """Nothing to see."""
        return {}

    def under_way(self, _shop: str) -> bool:
        """Whether a proof is to come."""
        return self._stage.time < self._busy_until

    def healed(self, _stage: Any) -> bool:
        """Whether all is well."""
        return self._stage.time >= self._healed_at

    def judged(self, _stage: Any, _incidents: Any) -> Healing:
        """A verdict."""
        return Healing(curable=True, healed=True)


WAITS = {
    "until-it-is-healed": (Healer, (1150.0,), 1150.0),
    "until-it-is-settled-though-healed-before": (Healer, (1095.0,), 1111.0),
    "until-the-limit-of-healing": (Healer, (1e9,), 1225.0),
    "for-what-is-under-way": (Healer, (1e9, 1240.0), 1240.0),
    "but-not-for-ever": (Healer, (1e9, 1e9), 1315.0),
}


@pytest.mark.parametrize(("kind", "moments", "expected"), WAITS.values(), ids=WAITS)
def test_how_long_a_cure_is_waited_for(
    lab: Lab,
    stage: Stage,
    folder: pathlib.Path,
    kind: type[Healer],
    moments: tuple[float, ...],
    expected: float,
) -> None:
    """Named after 16 s; the policies stand before the fault."""
    stage.named_at = 1091.0
    healer = cast(Any, kind(stage, *moments))
    outcome = dataclasses.replace(examiner(lab, stage), healer=healer).examine(folder, "x01")

    assert ["raise x01", "prepare x01", "delete"] == stage.done
    assert (expected, Healing(curable=True, healed=True)) == (stage.time, outcome.healing)


def test_nothing_is_waited_for_longer_than_the_limit(
    lab: Lab, stage: Stage, folder: pathlib.Path
) -> None:
    """An operator that names nobody costs the limit."""
    outcome = examiner(lab, stage).examine(folder, "x01")

    assert outcome.verdict is not None
    assert (None, 1165.0) == (outcome.verdict.rank, stage.time)


def test_incidents_and_changes_are_kept_for_people(
    lab: Lab, stage: Stage, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """What the shop's Incidents were at the verdict, and what was changed; nothing of others."""
    stage.named_at = 1091.0
    places = [("x01-core", "Deleted"), ("x01-core", "Created"), ("x02-core", "Deleted")]

    def items(_path: str) -> list[dict[str, Any]]:
        return [
            {"spec": {"object": {"namespace": place, "name": "cart"}, "verb": verb}}
            for place, verb in places
        ]

    whole = dataclasses.replace(examiner(lab, stage), items=items, keep=tmp_path)
    whole.examine(folder, "x01")

    kept = list(yaml.safe_load_all((tmp_path / "no-service.yaml").read_text()))
    deleted = {"object": {"namespace": "x01-core", "name": "cart"}, "verb": "Deleted"}
    assert [{"kind": "Incident"}, {"spec": deleted}] == kept


def test_without_an_operator_only_the_symptoms_are_told(
    lab: Lab, stage: Stage, folder: pathlib.Path
) -> None:
    """So it can be seen whether a fault has consequences."""
    outcome = examiner(lab, stage, operator=False).examine(folder, "x01")

    assert (None, ("A",)) == (outcome.verdict, outcome.symptoms.alerts)


def test_shop_that_does_not_stand_is_an_outcome(
    lab: Lab, stage: Stage, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fault that can't be examined does not end the exam of others."""

    def fails(_lab: Lab, _items: shops.Items, _shop: str) -> None:
        raise LabError("shop x01 is not available")

    monkeypatch.setattr(shops, "raise_shop", fails)
    outcome = examiner(lab, stage).examine(folder, "x01")

    assert outcome.error == "shop x01 is not available"


def test_each_fault_gets_a_shop_of_its_own_name(
    lab: Lab, stage: Stage, folder: pathlib.Path
) -> None:
    """Names have the same length, so that none begins with another."""
    program.run(examiner(lab, stage, operator=False), [folder] * 3, at_once=1)

    wanted = ["x01", "x02", "x03"]
    for verb in ("raise", "remove"):
        assert [f"{verb} {name}" for name in wanted] == [e for e in stage.done if verb in e]


def test_mistake_in_any_fault_is_told_before_the_lab_is_started(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty minutes later would be too late."""
    (folder / "truth.yaml").write_text("cuase: []\n")

    assert program.main(["--faults", str(folder.parent)]) == 2
    assert "truth.yaml:1: unknown key 'cuase'" in capsys.readouterr().err


def test_unknown_fault_is_told_with_the_known_ones(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped name would otherwise run nothing."""
    assert program.main(["--faults", str(folder.parent), "--only", "absent"]) == 2
    assert "has no fault absent: it has no-service" in capsys.readouterr().err


VERDICT = Verdict(1, 1, "Service x01-core/cart", 1, True, 0, 6.0)
GOOD = Outcome("a", "x01", verdict=VERDICT, delay=10.0)


def outcome(**changes: Any) -> Outcome:
    """A good outcome with another verdict."""
    return dataclasses.replace(GOOD, verdict=dataclasses.replace(VERDICT, **changes))


TOTALS = {
    "all-right": ([GOOD, GOOD], [1.0, 1.0, 1.0, 0, 6.0]),
    "second-of-two-is-third": ([GOOD, outcome(rank=3)], [1.0, 0.5, 1.0, 0, 6.0]),
    "two-incidents": ([GOOD, outcome(incidents=2)], [1.5, 1.0, 1.0, 0, 6.0]),
    "not-examined-counts-as-wrong": (
        [GOOD, Outcome("b", "x02", error="no")],
        [1.0, 0.5, 0.5, 0, 6.0],
    ),
    "red-herring-that-named-nobody": (
        [GOOD, dataclasses.replace(outcome(incidents=0, rank=None, seconds=None), nothing=True)],
        [1.0, 1.0, 1.0, 0, 6.0],
    ),
    "red-herring-that-was-named": (
        [GOOD, dataclasses.replace(outcome(rank=None, seconds=None, falsely=2), nothing=True)],
        [1.0, 1.0, 1.0, 2, 6.0],
    ),
    "no-fault": ([], [None, None, None, 0, None]),
}


@pytest.mark.parametrize(("outcomes", "expected"), TOTALS.values(), ids=TOTALS)
def test_totals(outcomes: list[Outcome], expected: list[float | None]) -> None:
    """Incidents, first, first three, falsely, and the slow end of the seconds."""
    assert expected == [each.value for each in report.totals(outcomes)]


def test_floors_are_met_or_missed_by_each_figure() -> None:
    """A figure that could not be had meets nothing."""
    good = [each.met for each in report.totals([GOOD])]
    bad = [each.met for each in report.totals([outcome(incidents=2, rank=None, seconds=None)])]

    assert [True] * 5 == good
    assert [False, False, False, True, False] == bad


def test_table_shows_each_fault_in_a_row() -> None:
    """Fault, incidents, rank, seconds, first symptom, first suspect."""
    text = report.table([GOOD, dataclasses.replace(outcome(rank=None, falsely=1), nothing=True)])

    assert text.splitlines()[2] == "| a | 1 | 1 | 6 | 10 s | Service x01-core/cart |"
    assert text.splitlines()[3].endswith("| Service x01-core/cart (1 falsely) |")


def test_slowest_twentieth_is_left_out_of_the_seconds() -> None:
    """Of twenty faults the slowest may be slower than the 95th percentile."""
    outcomes = [outcome(seconds=float(each)) for each in range(1, 21)]

    assert 19.0 == report.totals(outcomes)[4].value


def test_namespaces_are_gone_before_nodes_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its node a pod could not end in good order."""
    told: list[str] = []
    left = iter([["x01-web", "x02-web"], ["x02-web"]])

    def items(path: str) -> list[dict[str, Any]]:
        told.append(path)
        return [
            {"metadata": {"name": name, "labels": {shops.LABEL: name[:3]}}} for name in next(left)
        ]

    def kubectl(_lab: Lab, *arguments: str, **_options: Any) -> None:
        told.append(" ".join(arguments[:2]))

    monkeypatch.setattr(Lab, "kubectl", kubectl)
    monkeypatch.setattr(shops, "POLL_SECONDS", 0.0)
    shops.remove(object.__new__(Lab), items, "x01")

    asked = ["/api/v1/namespaces"] * 2
    assert ["delete namespaces", *asked, f"delete {lifecycle.CLUSTER_SCOPED}"] == told


def workload(name: str, available: int, *, seen: int = 3) -> dict[str, Any]:
    """A Deployment of two replicas in its third generation."""
    status = {"observedGeneration": seen, "availableReplicas": available}
    return {
        "metadata": {"name": name, "generation": 3},
        "spec": {"replicas": 2},
        "status": status,
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(workload("cart", 2), True, id="all-available"),
        pytest.param(workload("cart", 1), False, id="one-is-not"),
        pytest.param(workload("cart", 2, seen=2), False, id="status-of-an-older-generation"),
        pytest.param({**workload("cart", 2), "status": {}}, False, id="no-status-yet"),
    ],
)
def test_shop_stands_when_all_of_it_is_available(
    found: dict[str, Any], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Usual data begins only then; the error names what is missing."""
    monkeypatch.setattr(Lab, "apply", lambda _lab, _text: "")
    monkeypatch.setattr(shops, "STEADY_SECONDS", -1.0)

    def items(path: str) -> list[dict[str, Any]]:
        return [found] if path.endswith("x01-core/deployments") else []

    if expected:
        shops.raise_shop(object.__new__(Lab), items, "x01")
        return
    with pytest.raises(LabError, match="x01 is not available after -1 s: x01-core/cart"):
        shops.raise_shop(object.__new__(Lab), items, "x01")


def test_patience_is_that_of_the_command_line() -> None:
    """The defaults of the command line are those of the examiner."""
    options = program._options([])

    assert run.Patience() == Patience(options.usual, options.settle, options.limit)
