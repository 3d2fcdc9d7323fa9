"""The chart, installed once for all tests in this folder, and who uses the cluster then."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator

import pytest

from lab.cluster import Lab
from tests.e2e.chart import toolbox


@pytest.fixture(scope="package")
def release(lab: Lab) -> Iterator[Lab]:
    """The chart, installed by helm with restart alone enabled; removed at the end.

    Fields are allowed to patchField, which is off.
    """
    lab.kubectl("apply", "--server-side", "--filename", str(toolbox.ROOT / "crds"))
    lab.helm(
        *(
            "install",
            toolbox.RELEASE,
            str(toolbox.CHART),
            "--namespace",
            toolbox.HOME,
            "--create-namespace",
        ),
        *("--set", "actions.restart=true", "--wait", "--timeout", "90s"),
        *("--set-json", f"patchField.fields={json.dumps(toolbox.FIELDS)}"),
    )
    try:
        toolbox.eventually(
            lambda: (
                "guard-prunella" in toolbox.create(lab, toolbox.record("default"), dry=True).stderr
            )
        )
        toolbox.await_policy(lab, "restart is not enabled", present=False)
        yield lab
    finally:
        lab.helm("uninstall", toolbox.RELEASE, "--namespace", toolbox.HOME, "--wait")
        lab.kubectl("delete", "namespace", toolbox.HOME, "--timeout=90s")


@pytest.fixture(scope="package")
def shop(release: Lab) -> Iterator[str]:
    """A namespace with workloads of each kind, for tests that only try and keep nothing."""
    name = "guard-shop"
    release.kubectl("create", "namespace", name)
    release.apply("\n---\n".join(toolbox.workload(kind, name) for kind in toolbox.KINDS))
    yield name
    release.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="package")
def author(release: Lab, shop: str) -> Callable[..., toolbox.Kubectl]:
    """A user who may edit policies in the shop, with further rights of his own."""

    @functools.cache
    def with_rights(*rights: str) -> toolbox.Kubectl:
        name = "author-" + ("-".join(re.split("[:/.]", "-".join(rights))) or "plain")
        return toolbox.user(release, shop, name, toolbox.POLICIES, *rights)

    return with_rights


@pytest.fixture(scope="package")
def operator(release: Lab) -> toolbox.Kubectl:
    """Kubectl with a token of the chart's ServiceAccount."""
    return toolbox.sign_in(release, toolbox.ACCOUNT, toolbox.HOME)
