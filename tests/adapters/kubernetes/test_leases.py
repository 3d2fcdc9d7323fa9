"""The Lease as it is read and written, and writes that are refused to who does not lead."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import pytest

from prunella import leadership as leaderships
from prunella import ports
from prunella.adapters.kubernetes import client, credentials, leases
from prunella.core.election import lease as values
from tests.adapters.kubernetes import fake_server
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

PLACE = "/apis/coordination.k8s.io/v1/namespaces/prunella-system/leases"
PATH = f"{PLACE}/prunella"
HELD = values.Lease("pod-a", 3, "2026-01-05T09:00:00.000001Z", 10.0, version="7")


def raw(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A Lease as the API server shows it."""
    return {"metadata": {"resourceVersion": "7", "annotations": annotations}, "spec": spec or None}


@pytest.fixture
def lease(api: client.KubeApi) -> leases.KubernetesLeases:
    """The Lease of the fake server."""
    return leases.KubernetesLeases(api, "prunella-system", "prunella")


SPEC = {
    "holderIdentity": "pod-a",
    "leaseTransitions": 3,
    "renewTime": HELD.renewed,
    "leaseDurationSeconds": 10,
}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(raw(**SPEC), HELD, id="held"),
        pytest.param(raw(), values.Lease("", version="7"), id="as the chart makes it"),
        pytest.param(
            raw({leases.RELEASED: "3"}, leaseTransitions=3, holderIdentity=""),
            values.Lease("", 3, released=3, version="7"),
            id="given back",
        ),
        pytest.param(
            raw({leases.RELEASED: "yes"}, leaseTransitions=3),
            values.Lease("", 3, version="7"),
            id="an annotation that is no number",
        ),
    ],
)
async def test_reading(
    server: FakeServer, lease: leases.KubernetesLeases, found: Any, expected: values.Lease
) -> None:
    """What is not there is as if nobody had ever held it."""
    server.rules[f"GET {PATH}"] = Answer(200, found)
    assert await lease.read() == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(Answer(404, {"details": {"name": "prunella"}}), None, id="there is none"),
        pytest.param(Answer(404, {"message": "no route"}), ports.ClusterError, id="a gateway's"),
        pytest.param(Answer(403, {"message": "no"}), ports.ClusterError, id="forbidden"),
        pytest.param(Answer(200, {"metadata": {}}), ports.ClusterError, id="no version"),
        pytest.param(Answer(200, ["?"]), ports.ClusterError, id="no object"),
    ],
)
async def test_only_a_clear_absence_is_one(
    server: FakeServer, lease: leases.KubernetesLeases, answer: Answer, expected: Any
) -> None:
    """Else somebody who can't see the Lease would begin to wait for making a new one."""
    server.rules[f"GET {PATH}"] = answer
    if expected is None:
        assert await lease.read() is None
    else:
        with pytest.raises(expected):
            await lease.read()


async def test_a_renewal_is_under_the_version(
    server: FakeServer, lease: leases.KubernetesLeases
) -> None:
    """A merge patch with the resourceVersion: labels stay, a race that is lost is a Conflict."""
    server.rules[f"PATCH {PATH}"] = [Answer(200, raw(**SPEC)), Answer(409, {"message": "no"})]
    assert await lease.write(HELD) == HELD
    [request] = server.requests
    assert request.body == {
        "metadata": {"resourceVersion": "7", "annotations": {leases.RELEASED: None}},
        "spec": SPEC,
    }
    with pytest.raises(ports.Conflict):
        await lease.write(HELD)


async def test_one_that_is_gone_is_made_again(
    server: FakeServer, lease: leases.KubernetesLeases
) -> None:
    """With its holder in it; the time of taking is told only then."""
    server.rules[f"POST {PLACE}"] = Answer(201, raw(**SPEC))
    taken = values.Lease("pod-a", 3, HELD.renewed, 10.0, taken=True)
    await lease.write(taken)
    [request] = server.requests
    assert request.body["spec"] == {**SPEC, "acquireTime": HELD.renewed}
    assert request.body["metadata"] == {"namespace": "prunella-system", "name": "prunella"}


class Told(leaderships.Alone):
    """Leads for so many seconds more, or does not."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @contextlib.contextmanager
    def sending(self) -> Iterator[float]:
        """Around a write."""
        if self.seconds <= 0:
            raise leaderships.NotLeading("another replica leads")
        yield self.seconds


@pytest.mark.parametrize(
    ("seconds", "timeouts"),
    [
        pytest.param(0.0, [], id="who does not lead sends no write"),
        pytest.param(4.26, ["4.3s"], id="given up before another may lead"),
        pytest.param(60.0, ["10.0s"], id="never later than without an election"),
        pytest.param(math.inf, [None], id="alone: as before"),
    ],
)
async def test_writes_are_for_who_leads(
    server: FakeServer, seconds: float, timeouts: list[str | None]
) -> None:
    """The API server is told until when a write may take effect; reads are free."""
    given = credentials.explicit(fake_server.configuration(server.url))
    api = client.KubeApi(given, leadership=Told(seconds))
    server.rules |= {f"PATCH {PATH}": Answer(200, {}), f"GET {PATH}": Answer(200, {})}
    refused = contextlib.suppress(leaderships.NotLeading)
    with refused:
        await api.request("PATCH", PATH, body={}, mutating=True)
    await api.request("GET", PATH, mutating=False)
    api.close()
    written = [each.query.get("timeout") for each in server.requests if each.method == "PATCH"]
    assert (written, server.count("GET")) == (timeouts, 1)
