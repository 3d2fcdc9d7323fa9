"""The custom resources on a real API server: what they tell, and how they are upgraded."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml

from lab.cluster import Lab
from prunella.api import resources
from prunella.cli import kube
from tests.e2e.harness import lease, manifests, release
from tests.e2e.harness.running import PROGRAM
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)

Document = dict[str, Any]
KINDS = tuple(each.kind for each in resources.ALL)


def _published(lab: Lab) -> dict[str, Document]:
    """The schemas that the API server publishes, by kind; `kubectl explain` reads them too."""
    raw = json.loads(lab.kubectl("get", "--raw", "/openapi/v3/apis/prunella.dev/v1alpha1").stdout)
    schemas = raw["components"]["schemas"]
    return {kind: schemas[f"dev.prunella.v1alpha1.{kind}"] for kind in KINDS}


def _objects(schema: Document, path: str) -> Iterator[str]:
    """The paths of a schema that have named fields, as `kubectl explain` is asked for them."""
    schema = schema.get("items", schema)
    fields = schema.get("properties", {})
    if fields:
        yield path
    for name, field in fields.items():
        if name not in {"apiVersion", "kind", "metadata"}:
            yield from _objects(field, f"{path}.{name}")


def _unexplained(lab: Lab, path: str) -> list[str]:
    """The fields of one object, and it itself, for which `kubectl explain` has no text."""
    said = lab.kubectl("explain", path, "--api-version=prunella.dev/v1alpha1").stdout
    head, _, fields = said.partition("FIELDS:")
    lines = fields.splitlines()
    found = [
        f"{path}.{line.split()[0]}"
        for line, below in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("  ") and line[2:3].strip() and "<no description>" in below
    ]
    empty = "<empty>" in head or not head.partition("DESCRIPTION:")[2].strip()
    return [*([path] if empty else []), *found]


def test_every_field_is_explained(lab: Lab) -> None:
    """Given the CRDs, when kubectl explains all their fields in turn, then none is without text."""
    paths = [
        path for kind, schema in _published(lab).items() for path in _objects(schema, kind.lower())
    ]
    assert {"remediationpolicy.spec.signals.threshold", "remediation.spec.effects"} <= set(paths)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda path: _unexplained(lab, path), paths))

    assert [path for each in found for path in each] == []


def test_full_name_is_explained_too(lab: Lab) -> None:
    """Given another project's kind of this name, when asked by the full one, then it is ours."""
    path = "remediationpolicies.prunella.dev.spec.signals.threshold.above"
    said = lab.kubectl("explain", path).stdout
    assert "Unhealthy above this value." in said


COLUMNS = {
    "rempol": "NAME MODE READY REASON TARGETS UNHEALTHY LAST-ACTION AGE",
    "rem": "NAME POLICY TARGET ACTION MODE PHASE REASON AGE",
}


def test_kubectl_get_shows_what_matters(story: Story) -> None:
    """Given a policy that has acted, when kubectl lists both kinds, then the tables tell of it."""
    story.run(manifests.workload("checkout", "v1-bad"))
    story.start_operator()
    story.apply(manifests.policy("checkout", {"restart": {}}, mode="Advise"))
    record = story.phase("checkout", "Advised")
    story.wait(lambda: story.status("checkout").get("lastAction"), "the status is current")

    said = story.lab.kubectl("--namespace", story.namespace, "get", "rempol,rem").stdout

    policies, records = (table.splitlines() for table in said.strip().split("\n\n"))
    assert [COLUMNS["rempol"], COLUMNS["rem"]] == [_row(policies[0]), _row(records[0])]
    name = record["metadata"]["name"]
    shown = f"remediationpolicy.prunella.dev/checkout Advise True TargetsUnhealthy 1 1 {name}"
    assert shown == _row(policies[1]).rpartition(" ")[0]
    told = f"remediation.prunella.dev/{name} checkout checkout restart Advise Advised Advised"
    assert told == _row(records[1]).rpartition(" ")[0]


def _row(line: str) -> str:
    return " ".join(line.split())


DROPPED_FIELDS = {
    "remediationpolicies": (
        ("spec", "guards", "stopWhenUnhealthy"),
        ("spec", "verify", "samples"),
        ("status", "sick"),
        ("status", "latch"),
    ),
    "remediations": (("spec", "planHash"), ("status", "verification"), ("status", "escalatedAt")),
}
DROPPED_COLUMNS = {"Last-Action", "Message", "Reason"}


def _older(text: str) -> str:
    """A CRD as an earlier version might have had it: some fields and columns do not exist yet."""
    document = yaml.safe_load(text)
    version = document["spec"]["versions"][0]
    columns = version["additionalPrinterColumns"]
    version["additionalPrinterColumns"] = [c for c in columns if c["name"] not in DROPPED_COLUMNS]
    for path in DROPPED_FIELDS[document["spec"]["names"]["plural"]]:
        _drop(version["schema"]["openAPIV3Schema"], path)
    return yaml.safe_dump(document, sort_keys=False)


def _drop(schema: Document, path: Sequence[str]) -> None:
    for part in path[:-1]:
        schema = schema["properties"][part]
    del schema["properties"][path[-1]]


@pytest.fixture
def old_chart(tmp_path: pathlib.Path) -> pathlib.Path:
    """The chart with the CRDs of an earlier version, which had fewer of them."""
    chart = tmp_path / "prunella"
    shutil.copytree(release.ROOT / "charts" / "prunella", chart)
    for path in (chart / "crds").iterdir():
        if path.name.partition(".")[0] in DROPPED_FIELDS:
            path.write_text(_older(path.read_text()))
        else:
            path.unlink()
    return chart


@pytest.fixture
def fresh_lab() -> Iterator[Lab]:
    """A lab of its own: definitions are the cluster's, and other tests need theirs."""
    name = f"{os.environ.get('PRUNELLA_LAB', 'test')}-upgrade"
    with lease.leased(name) as found:
        yield found


def test_crds_are_upgraded_and_objects_keep_working(
    fresh_lab: Lab, old_chart: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Given older CRDs with objects, when the documented command is run, then both are current.

    Helm itself leaves them as they are: that is why there is a command.
    """
    lab, name = fresh_lab, "shop"
    _helm(lab, "install", old_chart)
    lab.kubectl("create", "namespace", name)
    account = lab.token_kubeconfig(release.ACCOUNT, release.HOME)
    api = kube.connect(lab.kubeconfig, None, name)
    story = Story(lab, api, account, release.USERNAME, name, tmp_path)
    story.run(manifests.workload("checkout", "v1-bad"))
    written = manifests.policy("checkout", {"restart": {}}, mode="Advise")
    del written["spec"]["guards"]["stopWhenUnhealthy"]
    story.apply(written)
    record = {**yaml.safe_load(release.PROBE), "metadata": {"name": "older", "namespace": name}}
    lab.kubectl("create", "--filename=-", input=json.dumps(record), kubeconfig=account)

    _helm(lab, "upgrade", release.ROOT / "charts" / "prunella")
    assert "LAST-ACTION" not in lab.kubectl("-n", name, "get", "rempol").stdout
    _upgrade_as_documented(lab)

    assert "LAST-ACTION" in lab.kubectl("-n", name, "get", "rempol").stdout
    spec = lab.get("-n", name, "rempol", "checkout")["spec"]
    assert (spec["guards"]["stopWhenUnhealthy"], spec["verify"]["samples"]) == ("20%", 3)
    story.edit_policy("checkout", verify={"within": "30s", "samples": 2})
    try:
        operator = story.start_operator()
        story.phase("checkout", "Advised")
        story.wait(lambda: story.sick("checkout"), "the new status fields are written")
        assert "older" in lab.kubectl("-n", name, "get", "rem").stdout
        assert operator.running
    finally:
        story.close()


def _helm(lab: Lab, verb: str, chart: pathlib.Path) -> None:
    namespace = ("--namespace", release.HOME, "--create-namespace")
    lab.helm(verb, release.ACCOUNT, str(chart), *namespace)


def _upgrade_as_documented(lab: Lab) -> None:
    """`prunella crds | kubectl apply --server-side --force-conflicts -f -`, over Helm's."""
    printed = subprocess.run(  # noqa: S603
        [str(PROGRAM), "crds"], capture_output=True, text=True, check=True
    ).stdout
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=printed)
    lab.await_crds(*(each["metadata"]["name"] for each in yaml.safe_load_all(printed)))
