"""What docs/architecture.md calls "where do I put": each part fails until all its files agree."""

from __future__ import annotations

import importlib
import inspect
import pathlib
import re

import pytest

from prunella import settings
from prunella.actions import registry
from prunella.adapters.kubernetes import kinds as kubernetes_kinds
from prunella.api import crdgen, resources
from prunella.api import restore as restore_api
from prunella.api import signals as signals_api
from prunella.api import steps as steps_api
from prunella.cli import explain_signals, main
from prunella.core.changes import kinds as change_kinds
from prunella.core.decisions import guards
from prunella.core.decisions.guards import chain
from tests.e2e.chart import test_nodes, test_policies, toolbox

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "prunella"
CHART = ROOT / "charts" / "prunella"
REFUSALS = ROOT / "tests" / "e2e" / "chart"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
WITHOUT_A_STEP = {"returnNode", "returnTraffic", "revert"}
"""Actions that a policy can't name: the operator takes them back by itself."""


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_every_action_that_a_policy_can_name_is_planned_by_a_module_of_that_name() -> None:
    """A field of `Step`, a line of the registry and a file of `actions/` belong together."""
    planned = {
        name: type(each).__module__
        for name, each in registry.all_actions().items()
        if name not in WITHOUT_A_STEP
    }
    expected = {name: f"prunella.actions.{_snake(name)}" for name in steps_api.ACTIONS}
    assert expected == planned
    assert {*map(_snake, steps_api.ACTIONS), "capture"} == set(steps_api.Step.model_fields)


@pytest.mark.parametrize("action", steps_api.ACTIONS)
def test_every_action_has_its_rights_in_the_chart(action: str) -> None:
    """It can be enabled, its authors are checked, and its rights are given with it alone."""
    values = (CHART / "values.yaml").read_text()
    assert f"\n  {action}: false\n" in values
    authors = "admission-webhooks.yaml" if action == "webhook" else "admission-authors.yaml"
    for template in ("_rbac.tpl", "_helpers.tpl", authors):
        text = (CHART / "templates" / template).read_text()
        assert re.search(rf'(\.|"){action}\b', text), f"templates/{template} does not name {action}"


@pytest.mark.parametrize("action", steps_api.ACTIONS)
def test_every_actions_authors_need_its_rights(action: str) -> None:
    """A policy with it beyond Advise is refused on a real API server, without the right."""
    rows = [
        toolbox.policy("shop", mode, **spec)["spec"]["steps"]
        for _, mode, spec, refusal in (
            *test_policies.AUTHORS.values(),
            *test_nodes.AUTHORS.values(),
        )
        if mode == "Live" and "lets the operator" in refusal
    ]
    assert [steps for steps in rows if any(action in step for step in steps)]


@pytest.mark.parametrize("action", steps_api.ACTIONS)
def test_every_action_is_refused_while_it_is_off(action: str) -> None:
    """By a real API server, to the operator's own token: a story says "Given ACTION off"."""
    told = " ".join(path.read_text() for path in REFUSALS.glob("test_*.py"))
    assert re.search(rf'"""Given (\w+ off, (or )?)*{action} off,', told)


@pytest.mark.parametrize("action", steps_api.ACTIONS)
def test_every_action_is_explained(action: str) -> None:
    """docs/actions.md says what it writes, needs, refuses and undoes."""
    text = (ROOT / "docs" / "actions.md").read_text()
    section = text.partition(f"\n## {action}\n")[2].partition("\n## ")[0]
    told = ("Writes", "Needs", "Refuses", "Undone")
    assert [] == [word for word in told if f"**{word}**" not in section]


@pytest.mark.parametrize("kind", restore_api.RestoredKind)
def test_every_restored_kind_is_journalled_and_has_its_rights(
    kind: restore_api.RestoredKind,
) -> None:
    """It is known to the journal and the API server, has a switch in the chart and a row."""
    known, journalled = kubernetes_kinds.RESTORED[kind], change_kinds.BY_NAME[kind]
    assert (known.plural, known.api_version) == (journalled.plural, journalled.api_version)
    group = known.group or "-"
    rights = (CHART / "templates" / "_rbac.tpl").read_text()
    assert f"\n{kind} {group} {known.plural}\n" in rights.partition("restoreKinds")[2]
    assert f"\n    {kind}: false\n" in (CHART / "values.yaml").read_text()
    assert f"`{kind}`" in (ROOT / "docs" / "actions.md").read_text()


@pytest.mark.parametrize("detector", signals_api.DETECTORS)
def test_every_detector_is_a_field_a_sentence_and_a_section(detector: str) -> None:
    """A signal can be judged by it, `prunella explain` tells it, docs/detectors.md explains it."""
    assert _snake(detector) in signals_api.Signal.model_fields
    assert _snake(detector) in explain_signals._TELL
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs" / "detectors.md").read_text(), re.MULTILINE)
    assert detector in sections


def test_every_guard_stands_in_the_chain_with_its_reason() -> None:
    """A guard that nobody asks guards nothing; each line of the chain says why it is there."""
    written = set()
    folder = pathlib.Path(inspect.getfile(guards)).parent
    for path in folder.glob("*.py"):
        module = importlib.import_module(f"{guards.__name__}.{path.stem}")
        for name, each in inspect.getmembers(module, inspect.isfunction):
            takes = list(inspect.signature(each).parameters)
            if each.__module__ == module.__name__ and takes == ["case"] and name[0] != "_":
                written.add(name)
    asked = {guard.__name__ for guard in (*guards.GUARDS, *guards.REVERT_GUARDS)}
    assert written == asked
    lines = inspect.getsource(chain)
    assert [] == [name for name in asked if not re.search(rf"\b{name},  # Make sure ", lines)]


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda each: each.kind)
def test_every_custom_resource_is_generated_and_its_rights_are_given(
    resource: crdgen.CustomResource,
) -> None:
    """Its definition is written for kubectl and for the chart, whose roles name it."""
    name = f"{resource.plural}.prunella.dev.yaml"
    assert (ROOT / "crds" / name).read_text() == (CHART / "crds" / name).read_text()
    assert resource.plural in (CHART / "templates" / "_rbac.tpl").read_text()


def test_every_command_has_a_section_in_the_docs() -> None:
    """A command is a line of `COMMANDS`, a module of that name or folder, and a section."""
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [] == [
        each.__name__ for each in main.COMMANDS if f"prunella {each.__name__}" not in text
    ]


def test_every_field_of_a_source_is_in_the_docs() -> None:
    """Who runs the operator finds each setting of a metrics source in docs/metrics-sources.md."""
    text = (ROOT / "docs" / "metrics-sources.md").read_text()
    aliases = [field.alias or name for name, field in settings.Source.model_fields.items()]
    assert [] == [alias for alias in aliases if f"`{alias}`" not in text]


def test_every_path_of_the_intake_is_in_the_docs() -> None:
    """Who has something to tell finds where to post it, and which setting opens the door."""
    text = (ROOT / "docs" / "intake.md").read_text()
    modules = (PACKAGE / "adapters" / "intake").glob("*.py")
    lines = [line for each in modules for line in each.read_text().splitlines()]
    paths = [found[1] for line in lines if (found := re.fullmatch(r'PATH = "(.+)"', line))]
    assert {"/alertmanager", "/audit", "/changes/{name}"} == set(paths)
    assert [] == [path for path in paths if path.replace("{name}", "NAME") not in text]


def test_every_file_that_the_architecture_names_is_there() -> None:
    """Nobody is sent to a file that has moved."""
    named = re.findall(
        r"`((?:operator|charts|docs|tests|crds|bench|lab|playbooks)/[\w/.-]+)`", ARCHITECTURE
    )
    rooms = re.findall(
        r"`((?:api|core|detectors|actions|promql|adapters|engine|cli|backtest|policytest)/[\w/.]*)`",
        ARCHITECTURE,
    )
    paths = [ROOT / each for each in named] + [PACKAGE / each for each in rooms]
    assert paths
    assert [] == [str(path) for path in paths if not path.exists()]
