"""Reading a fault's two files: what is understood, and how mistakes are told."""

from __future__ import annotations

import pathlib
import textwrap

import pytest

from lab.binaries import LabError
from lab.shop import faults, injection
from lab.shop.faults import Cause, Ref, Step

CART = Ref("Deployment", "s-core", "cart")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of a fault that deletes a Service."""
    found = tmp_path / "a-fault"
    found.mkdir()
    write(found, "inject.yaml", "- delete: {kind: Service, namespace: '${SHOP}-core', name: cart}")
    cause = "cause: [{kind: Service, namespace: '${SHOP}-core', name: cart}]"
    write(found, "truth.yaml", cause)
    return found


def write(folder: pathlib.Path, name: str, text: str) -> None:
    """Write a file of a fault."""
    (folder / name).write_text(textwrap.dedent(text).strip() + "\n")


def test_both_files_are_read_for_one_shop(folder: pathlib.Path) -> None:
    """The shop's name takes the place of ``${SHOP}`` in steps and truth alike."""
    found = faults.load(folder, "s")

    service = Ref("Service", "s-core", "cart")
    assert ("a-fault", (Step("delete", service),)) == (found.name, found.steps)
    assert (Cause(service, ""),) == found.truth.causes
    assert not found.truth.nothing


STEPS = {
    "strategic-patch": (
        """
        - patch:
            kind: Deployment
            namespace: ${SHOP}-core
            name: cart
            patch: {spec: {replicas: 0}}
        """,
        Step("patch", CART, body={"spec": {"replicas": 0}}),
    ),
    "json-patch-with-a-delay-and-a-manager": (
        """
        - patch:
            {kind: Deployment, namespace: s-core, name: cart, type: json,
             patch: [{op: remove, path: /spec/replicas}]}
          after: 2.5
          manager: kubectl-edit
        """,
        Step(
            "patch",
            CART,
            after=2.5,
            manager="kubectl-edit",
            patch_type="json",
            body=[{"op": "remove", "path": "/spec/replicas"}],
        ),
    ),
    "manifest": (
        "- apply: {apiVersion: v1, kind: ConfigMap, metadata: {namespace: s-web, name: c}}",
        Step(
            "apply",
            Ref("ConfigMap", "s-web", "c"),
            body={
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"namespace": "s-web", "name": "c"},
            },
        ),
    ),
    "document-of-its-own": (
        "scale: {kind: Deployment, namespace: s-core, name: cart, replicas: 3}",
        Step("scale", CART, replicas=3),
    ),
    "restart": (
        "- restart: {kind: Deployment, namespace: s-core, name: cart}",
        Step("restart", CART),
    ),
    "deletion-by-label": (
        "- delete: {kind: Pod, namespace: s-core, selector: app=cart}",
        Step("delete", Ref("Pod", "s-core", ""), selector="app=cart"),
    ),
    "cluster-scoped": (
        "- patch: {kind: Node, name: n1, type: merge, patch: {spec: {unschedulable: true}}}",
        Step(
            "patch",
            Ref("Node", "", "n1"),
            patch_type="merge",
            body={"spec": {"unschedulable": True}},
        ),
    ),
}


@pytest.mark.parametrize(("text", "expected"), STEPS.values(), ids=STEPS)
def test_step_is_what_a_person_does(folder: pathlib.Path, text: str, expected: Step) -> None:
    """Each form of a step, alone in its file."""
    write(folder, "inject.yaml", text)

    assert (expected,) == faults.load(folder, "s").steps


MISTAKES = {
    "unknown-verb": ("inject.yaml", "- pach: {}", r"inject.yaml:1: unknown key 'pach'"),
    "two-verbs": (
        "inject.yaml",
        """
        - scale: {kind: Deployment, namespace: a, name: b, replicas: 1}
          restart: {kind: Deployment, namespace: a, name: b}
        """,
        r"inject.yaml:1: found scale and restart, wanted one of patch",
    ),
    "no-verb": ("inject.yaml", "- after: 3", r"inject.yaml:1: found none, wanted one of"),
    "unknown-kind": (
        "inject.yaml",
        "\n\n- delete:\n    kind: Deploymet\n    namespace: a\n    name: b",
        r"inject.yaml:2: kind 'Deploymet': known are ",
    ),
    "kind-that-cannot-be-scaled": (
        "inject.yaml",
        "- scale: {kind: Service, namespace: a, name: b, replicas: 1}",
        r"kind 'Service': known are Deployment, ReplicaSet, StatefulSet",
    ),
    "no-namespace": (
        "inject.yaml",
        "- delete: {kind: Pod, name: b}",
        r"inject.yaml:1: a Pod needs a namespace",
    ),
    "namespace-of-a-node": (
        "inject.yaml",
        "- delete: {kind: Node, namespace: a, name: b}",
        r"a Node has no namespace",
    ),
    "no-name": ("inject.yaml", "- delete: {kind: Node}", r"inject.yaml:1: 'name' is missing"),
    "name-and-selector": (
        "inject.yaml",
        "- delete: {kind: Pod, namespace: a, name: b, selector: c=d}",
        r"found name and selector, wanted one of them",
    ),
    "patch-type": (
        "inject.yaml",
        "- patch: {kind: Node, name: n, type: apply, patch: {}}",
        r"type 'apply': wanted one of strategic, merge, json",
    ),
    "json-patch-that-is-no-list": (
        "inject.yaml",
        "- patch: {kind: Node, name: n, type: json, patch: {}}",
        r"a json patch is a list of operations",
    ),
    "negative-delay": (
        "inject.yaml",
        "- restart: {kind: Deployment, namespace: a, name: b}\n  after: -1",
        r"inject.yaml:2: found -1, wanted a number of 0 or more",
    ),
    "half-a-replica": (
        "inject.yaml",
        "- scale: {kind: Deployment, namespace: a, name: b, replicas: 1.5}",
        r"found 1.5, wanted a whole number",
    ),
    "manifest-without-a-kind": (
        "inject.yaml",
        "- apply: {apiVersion: v1, metadata: {name: n}}",
        r"a manifest has 'kind'",
    ),
    "empty": ("inject.yaml", "", r"inject.yaml: nothing is injected"),
    "no-yaml": ("inject.yaml", "- a: [", r"inject.yaml:\d+: not YAML"),
    "unknown-key-of-truth": ("truth.yaml", "cuase: []", r"truth.yaml:1: unknown key 'cuase'"),
    "unknown-key-of-a-cause": (
        "truth.yaml",
        "cause:\n  - {kind: Node, name: n}\n  - {kind: Node, name: n, path: spec}",
        r"truth.yaml:3: unknown key 'path': known are field, kind",
    ),
    "neither-cause-nor-nothing": ("truth.yaml", "note: x", r"wanted either 'cause' or 'nothing"),
    "cause-and-nothing": (
        "truth.yaml",
        "nothing: true\ncause: [{kind: Node, name: n}]",
        r"wanted either 'cause' or 'nothing",
    ),
    "nothing-that-is-a-text": ("truth.yaml", "nothing: 'yes'", r"truth.yaml:1: found 'yes'"),
    "cause-that-is-no-list": ("truth.yaml", "cause: {}", r"truth.yaml:1: found a mapping"),
    "two-truths": ("truth.yaml", "nothing: true\n---\nnothing: true", r"found 2 documents"),
}


@pytest.mark.parametrize(("name", "text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_told_with_file_and_line(
    folder: pathlib.Path, name: str, text: str, expected: str
) -> None:
    """The error says where it is, what was found, and what would be right."""
    write(folder, name, text)

    with pytest.raises(LabError, match=expected):
        faults.load(folder, "s")


def test_missing_file_is_named(folder: pathlib.Path) -> None:
    """Half a fault is none."""
    (folder / "truth.yaml").unlink()

    with pytest.raises(LabError, match=r"truth.yaml is missing"):
        faults.load(folder, "s")


def test_other_files_are_refused(folder: pathlib.Path) -> None:
    """A note beside the truth would be read by nobody, a script by nobody safely."""
    (folder / "inject.sh").write_text("")

    with pytest.raises(LabError, match=r"inject.sh does not belong here"):
        faults.load(folder, "s")


def test_folder_without_faults_is_an_error(tmp_path: pathlib.Path) -> None:
    """A mistyped path must not look like an exam that was passed."""
    with pytest.raises(LabError, match="holds no fault"):
        faults.folders(tmp_path)
    with pytest.raises(LabError, match="is no folder of faults"):
        faults.folders(tmp_path / "absent")


COMMANDS = {
    "patch": (
        Step("patch", CART, body={"spec": {}}),
        'patch --namespace s-core Deployment cart --type=strategic --patch {"spec": {}}',
    ),
    "patch-by-another-manager": (
        Step("patch", Ref("Node", "", "n"), manager="kubectl-edit", patch_type="json", body=[]),
        "patch --field-manager=kubectl-edit Node n --type=json --patch []",
    ),
    "delete": (Step("delete", CART), "delete --namespace s-core Deployment cart --wait=false"),
    "delete-by-label": (
        Step("delete", Ref("Pod", "s-core", ""), selector="app=cart"),
        "delete --namespace s-core Pod --selector app=cart --wait=false",
    ),
    "scale": (
        Step("scale", CART, replicas=0),
        "scale --namespace s-core Deployment cart --replicas=0",
    ),
    "restart": (Step("restart", CART), "rollout restart --namespace s-core Deployment cart"),
}


@pytest.mark.parametrize(("step", "expected"), COMMANDS.values(), ids=COMMANDS)
def test_step_becomes_a_command_of_kubectl(step: Step, expected: str) -> None:
    """Who changed it is then what kubectl writes into managedFields."""
    arguments, stdin = injection.command(step)

    assert (expected, None) == (" ".join(arguments), stdin)


def test_manifest_is_applied_from_standard_input() -> None:
    """As ``kubectl apply -f -``."""
    arguments, stdin = injection.command(Step("apply", CART, body={"kind": "Deployment"}))

    assert ["apply", "--filename", "-"] == arguments
    assert stdin == "kind: Deployment\n"


CURES = {
    "an-action": ("kind: Service, namespace: a, name: b", "cure: restore", True),
    "none": ("kind: Service, namespace: a, name: b", "cure: none\nwhy: Rights.", False),
    "none-with-words": ("kind: Service, namespace: a, name: b", "cure: none of ours", False),
    "false": ("kind: Service, namespace: a, name: b", "cure: false", False),
    "not-said": ("kind: Service, namespace: a, name: b", "", True),
    "not-said-of-a-node": ("kind: Node, name: b", "", False),
    "of-a-node": ("kind: Node, name: b", "cure: uncordon", True),
    "a-form-that-is-not-known": ("kind: Node, name: b", "cure: [{a: 1}]", False),
}


@pytest.mark.parametrize(("cause", "said", "expected"), CURES.values(), ids=CURES)
def test_what_has_a_cure(folder: pathlib.Path, cause: str, said: str, expected: bool) -> None:
    """As it says; else all but what is for people by its kind. Other forms say nothing."""
    write(folder, "truth.yaml", f"cause: [{{{cause}}}]\n{said}")
    assert expected == faults.load(folder, "x01").truth.curable
