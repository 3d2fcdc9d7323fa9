"""The Cluster adapter: what goes over the wire, and what each answer becomes."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella import ports
from prunella.adapters.kubernetes import client, cluster, store, switches
from prunella.core import model, objects
from prunella.core.decisions import halts
from prunella.engine import attempt
from tests.adapters.kubernetes import builders, fake_server
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

WEB = model.Ref("Deployment", "shop", "web")
WEB_PATH = "/apis/apps/v1/namespaces/shop/deployments/web"
EVICTION_PATH = "/api/v1/namespaces/shop/pods/web-0/eviction"
PAUSE_PATH = "/api/v1/namespaces/prunella-system/configmaps/prunella-pause"
SCALE = {"op": "replace", "path": "/spec/replicas", "value": 4}
PATCH = model.Effect(model.Verb.PATCH, WEB, "web-uid", "scale", generation=2, patch=(SCALE,))
EVICT = model.Effect(
    model.Verb.EVICT, model.Ref("Pod", "shop", "web-0"), "web-0-uid", "evict web-0"
)


def make(api: client.KubeApi, *watched: builders.Raw) -> tuple[Any, store.Stores]:
    """A cluster and its stores, which have seen some Deployments."""
    stores = store.Stores(lambda *_: None)
    for raw in watched:
        stores.workloads["Deployment"].put(raw)
    return cluster.KubernetesCluster(api, stores, "prunella-system"), stores


def annotated(**metadata: Any) -> builders.Raw:
    """A Deployment with an annotation."""
    return builders.workload(annotations={"a": "b"}, **metadata)


TESTS = [
    {"op": "test", "path": "/metadata/uid", "value": "web-uid"},
    {"op": "test", "path": "/metadata/generation", "value": 2},
]
MARK = {"op": "add", "path": "/metadata/annotations/prunella.dev~1remediation", "value": "r-1"}
EMPTY = [
    {"op": "test", "path": "/metadata/annotations", "value": None},
    {"op": "add", "path": "/metadata/annotations", "value": {}},
]


@pytest.mark.parametrize(
    ("has_annotations", "expected"),
    [(True, [*TESTS, MARK, SCALE]), (False, [*TESTS, *EMPTY, MARK, SCALE])],
    ids=["with annotations", "without"],
)
def test_patch(has_annotations: bool, expected: list[builders.Raw]) -> None:
    """Tests come first, so that a repeat or a stale plan is refused as a whole."""
    assert expected == cluster.patch(PATCH, "r-1", has_annotations=has_annotations)


def test_a_patch_that_tests_what_it_replaces_leaves_no_mark() -> None:
    """UID and version are tested before it; a workload's generation in the place of that."""
    test = {"op": "test", "path": "/spec/a", "value": 1}
    tested = dataclasses.replace(PATCH, generation=None, resource_version="7", patch=(test, SCALE))
    assert [
        {"op": "test", "path": "/metadata/uid", "value": "web-uid"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        test,
        SCALE,
    ] == cluster.patch(tested, "r-1", has_annotations=True)


def test_mark_is_the_documented_annotation() -> None:
    """The mark is written where verification and people look for it."""
    assert "prunella.dev/remediation" == objects.MARK


async def test_watched_annotations_save_a_request(server: FakeServer, api: client.KubeApi) -> None:
    """A workload that is known to have annotations is patched in one request; it is then known."""
    port, stores = make(api, annotated())
    server.rules[f"PATCH {WEB_PATH}"] = Answer(200, annotated(resourceVersion="11", generation=3))

    receipt = await port.send(PATCH, "r-1", dry_run=False)

    assert ports.Outcome.EFFECTIVE is receipt.outcome
    assert ["PATCH"] == [request.method for request in server.requests]
    assert "prunella" == server.requests[0].query["fieldManager"]
    assert [*TESTS, MARK, SCALE] == server.requests[0].body
    assert 3 == stores.workloads["Deployment"].of("shop")[0].generation


@pytest.mark.parametrize(
    ("live", "expected"),
    [(annotated(), [MARK]), (builders.workload(), [*EMPTY, MARK])],
    ids=["there are some by now", "there are none"],
)
async def test_unknown_annotations_are_asked_for(
    server: FakeServer, api: client.KubeApi, live: builders.Raw, expected: list[builders.Raw]
) -> None:
    """Where the watch saw no annotations the object itself is asked."""
    port, _ = make(api, builders.workload())
    server.rules[f"GET {WEB_PATH}"] = Answer(200, live)
    server.rules[f"PATCH {WEB_PATH}"] = Answer(200, live)

    await port.send(PATCH, "r-1", dry_run=False)

    assert [*TESTS, *expected, SCALE] == server.requests[-1].body


async def test_dry_run_says_so_and_is_not_stored(server: FakeServer, api: client.KubeApi) -> None:
    """A dry run goes out with dryRun=All, and its answer is not taken for the cluster's state."""
    port, stores = make(api, annotated())
    server.rules[f"PATCH {WEB_PATH}"] = Answer(200, annotated(resourceVersion="11", generation=3))

    receipt = await port.send(PATCH, "r-1", dry_run=True)

    assert ports.Outcome.WOULD_SUCCEED is receipt.outcome
    assert receipt.workload is not None
    assert 3 == receipt.workload.generation
    assert "All" == server.requests[0].query["dryRun"]
    assert 2 == stores.workloads["Deployment"].of("shop")[0].generation


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "live"])
async def test_eviction_body(server: FakeServer, api: client.KubeApi, dry_run: bool) -> None:
    """An eviction carries the UID, and in a dry run says so in both places."""
    port, _ = make(api)
    server.rules[f"POST {EVICTION_PATH}"] = Answer(201, {"status": "Success"})

    await port.send(EVICT, "r-1", dry_run=dry_run)

    options = {"preconditions": {"uid": "web-0-uid"}, **({"dryRun": ["All"]} if dry_run else {})}
    assert options == server.requests[0].body["deleteOptions"]
    assert {"namespace": "shop", "name": "web-0"} == server.requests[0].body["metadata"]
    assert dry_run is ("dryRun" in server.requests[0].query)


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        (
            model.Ref("Kustomization", "flux-system", "shop"),
            "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/shop",
        ),
        (
            model.Ref("GitRepository", "flux-system", "shop"),
            "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/shop",
        ),
        (
            model.Ref("Application", "argocd", "shop"),
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, model.Ref) else "",
)
async def test_what_deploys_from_git_is_read_and_never_written(
    server: FakeServer, api: client.KubeApi, ref: model.Ref, path: str
) -> None:
    """A patch of it is refused before anything is sent."""
    port, _ = make(api)
    server.rules[f"GET {path}"] = Answer(200, {"spec": {"a": 1}})
    found = await port.read_object(ref)
    assert {"a": 1} == found["spec"]
    effect = dataclasses.replace(PATCH, target=ref)
    receipt = await port.send(effect, "r-1", dry_run=False)
    assert ports.Outcome.REFUSED is receipt.outcome
    assert f"{ref}: the operator reads and writes no {ref.kind}" == receipt.message
    assert ["GET"] == [each.method for each in server.requests]


async def test_a_forced_eviction_has_no_grace(server: FakeServer, api: client.KubeApi) -> None:
    """The API server forgets the pod of a node that does not answer."""
    port, _ = make(api)
    server.rules[f"POST {EVICTION_PATH}"] = Answer(201, {"status": "Success"})

    await port.send(dataclasses.replace(EVICT, forced=True), "r-1", dry_run=False)

    options = {"preconditions": {"uid": "web-0-uid"}, "gracePeriodSeconds": 0}
    assert options == server.requests[0].body["deleteOptions"]


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "live"])
async def test_a_job_is_created_with_its_mark(
    server: FakeServer, api: client.KubeApi, dry_run: bool
) -> None:
    """The Job of the plan, and on it the record that it is of."""
    port, _ = make(api)
    server.rules["POST /apis/batch/v1/namespaces/shop/jobs"] = Answer(201, {"status": "Success"})
    whole = {"metadata": {"name": "job-1", "annotations": {"a": "b"}}, "spec": {"backoffLimit": 1}}
    operation = {"op": "add", "path": "", "value": whole}
    target = model.Ref("Job", "shop", "job-1")
    effect = model.Effect(model.Verb.CREATE, target, "", "create it", patch=(operation,))

    receipt = await port.send(effect, "r-1", dry_run=dry_run)

    annotations = {"a": "b", objects.MARK: "r-1"}
    sent = server.requests[0]
    expected = {**whole, "metadata": {"name": "job-1", "annotations": annotations}}
    assert (expected, dry_run) == (sent.body, "dryRun" in sent.query)
    assert (201, None) == (receipt.status, receipt.workload)
    assert {"a": "b"} == whole["metadata"]["annotations"], "the plan stays as it was"


REFUSED, UNKNOWN = ports.Outcome.REFUSED, ports.Outcome.UNKNOWN
ANSWERS: dict[str, tuple[model.Effect, bool, Answer, ports.Outcome, int | None, str]] = {
    "test failed": (PATCH, False, Answer(422, {"message": "m"}), REFUSED, 422, "changed since"),
    "no right": (PATCH, False, Answer(403, {"message": "m"}), REFUSED, 403, "forbidden"),
    "gone": (PATCH, False, Answer(404, {"message": "m"}), REFUSED, 404, "m"),
    "busy": (PATCH, False, Answer(429, {"message": "m"}), REFUSED, 429, "m"),
    "server error": (PATCH, False, Answer(500, {"message": "m"}), UNKNOWN, 500, "m"),
    "answer lost": (PATCH, False, Answer(fault="close"), UNKNOWN, None, "the answer was lost"),
    "dry run, answer lost": (PATCH, True, Answer(fault="close"), REFUSED, None, "answer was lost"),
    "dry run, server error": (PATCH, True, Answer(500, {"message": "m"}), REFUSED, 500, "m"),
    "eviction, budget": (EVICT, False, Answer(429, {"message": "m"}), REFUSED, 429, "m"),
    "eviction, another UID": (EVICT, False, Answer(409, {"message": "m"}), REFUSED, 409, "m"),
    "eviction, answer lost": (EVICT, False, Answer(fault="close"), UNKNOWN, None, "answer was"),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_receipts(server: FakeServer, api: client.KubeApi, case: str) -> None:
    """Each answer is a receipt; none is an exception, and none leads to a second request."""
    effect, dry_run, answer, outcome, status, message = ANSWERS[case]
    port, _ = make(api, annotated())
    server.rules |= {f"PATCH {WEB_PATH}": answer, f"POST {EVICTION_PATH}": answer}

    receipt = await port.send(effect, "r-1", dry_run=dry_run)

    assert (outcome, status) == (receipt.outcome, receipt.status)
    assert message in receipt.message
    assert 1 == len(server.requests)


async def test_unreachable_server_is_a_refusal() -> None:
    """An effect that could not be sent has not happened."""
    api = fake_server.api_of("http://127.0.0.1:1")
    port, _ = make(api, annotated())

    receipt = await port.send(PATCH, "r-1", dry_run=False)

    api.close()
    assert (REFUSED, None) == (receipt.outcome, receipt.status)


SWITCHES: dict[str, tuple[Answer, bool, str]] = {
    "there, with a reason": (Answer(200, {"data": {"reason": "a release"}}), True, "a release"),
    "there, without a reason": (Answer(200, {"data": None}), True, "gives no reason"),
    "there, malformed": (Answer(200, [1]), True, "gives no reason"),
    "absent": (Answer(404, builders.refused(404, "m", "prunella-pause")), False, ""),
    "a 404 from elsewhere": (Answer(404, b"nginx"), True, "can't read"),
    "forbidden": (Answer(403, builders.refused(403, "m")), True, "can't read"),
    "server error": (Answer(500, b""), True, "can't read"),
    "no answer": (Answer(fault="close"), True, "can't read"),
}


@pytest.mark.parametrize("case", SWITCHES)
async def test_pause(server: FakeServer, api: client.KubeApi, case: str) -> None:
    """Only the API server's own word that the switch is absent means that we are not paused."""
    answer, paused, message = SWITCHES[case]
    port, _ = make(api)
    server.rules[f"GET {PAUSE_PATH}"] = answer

    found = await port.paused()

    assert paused is found.paused
    assert message in found.message
    told = datetime.datetime(2026, 1, 5, 9, tzinfo=datetime.UTC)
    assert paused or (told, "") == (found.server_time, found.no_time)


ABSENT = builders.refused(404, "m", "prunella-pause")
NO_TIMES: dict[str, tuple[Answer, dict[str, str]]] = {
    "absent, by a server that tells no time": (Answer(404, ABSENT, date=""), {}),
    "absent, by a server whose time is unreadable": (Answer(404, ABSENT, date="yesterday"), {}),
    "a scope": (Answer(200, {"data": {"namespace.shop": "x"}}, date=""), {"namespace.shop": "x"}),
}


@pytest.mark.parametrize(("answer", "scopes"), NO_TIMES.values(), ids=NO_TIMES)
async def test_who_tells_no_time_pauses_nothing(
    server: FakeServer, api: client.KubeApi, answer: Answer, scopes: dict[str, str]
) -> None:
    """Nobody has paused anything: only the guard of the clock is to know of it."""
    port, _ = make(api)
    server.rules[f"GET {PAUSE_PATH}"] = answer

    found = await port.paused()

    assert model.PauseState(False, scopes=scopes, no_time=switches.NO_DATE) == found
    assert found.server_time is None


async def test_only_scopes_pause_only_scopes(server: FakeServer, api: client.KubeApi) -> None:
    """With nothing but keys of scopes the operator as a whole is not paused."""
    port, _ = make(api)
    server.rules[f"GET {PAUSE_PATH}"] = Answer(200, {"data": {"namespace.shop": "sale"}})

    assert model.PauseState(False, "", {"namespace.shop": "sale"}) == await port.paused()


FREEZES: dict[str, tuple[Answer, halts.Freeze]] = {
    "not frozen": (Answer(200, {"metadata": {"name": "shop"}}), halts.NOT_FROZEN),
    "by a label": (
        Answer(200, {"metadata": {"labels": {halts.FREEZE: "true"}}}),
        halts.Freeze(label="true"),
    ),
    "by an annotation": (
        Answer(200, {"metadata": {"annotations": {halts.FREEZE: "soon"}}}),
        halts.Freeze(annotation="soon"),
    ),
    "gone": (Answer(404, builders.refused(404, "no such")), halts.Freeze(problem="no such")),
    "forbidden": (Answer(403, builders.refused(403, "m")), halts.Freeze(problem="m")),
    "not an object": (Answer(200, [1]), halts.Freeze(problem="HTTP status 200")),
}


@pytest.mark.parametrize(("answer", "expected"), FREEZES.values(), ids=FREEZES)
async def test_what_a_namespace_says_of_being_frozen(
    server: FakeServer, api: client.KubeApi, answer: Answer, expected: halts.Freeze
) -> None:
    """Label and annotation are read; what can't be read is a problem, never a pass."""
    port, _ = make(api)
    server.rules["GET /api/v1/namespaces/shop"] = answer

    assert expected == await port.freeze("shop")


async def test_a_namespace_behind_a_broken_line_is_a_problem(
    server: FakeServer, api: client.KubeApi
) -> None:
    """No answer is no permission."""
    port, _ = make(api)
    server.rules["GET /api/v1/namespaces/shop"] = Answer(fault="close")

    assert (await port.freeze("shop")).problem


def lists(server: FakeServer, **items: list[builders.Raw]) -> None:
    """Answer the lists that a look asks for; what is not named is empty."""
    for path in (
        "/apis/apps/v1/namespaces/shop/replicasets",
        "/api/v1/namespaces/shop/pods",
        "/apis/policy/v1/namespaces/shop/poddisruptionbudgets",
        "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers",
        "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects",
    ):
        found = items.get(path.rsplit("/", 1)[1], [])
        server.rules[f"GET {path}"] = Answer(200, builders.listed(*found))


def autoscaler(called: str, **target: str) -> builders.Raw:
    """An autoscaler of a target."""
    return {"metadata": builders.meta(called), "spec": {"scaleTargetRef": target}}


async def test_look(server: FakeServer, api: client.KubeApi) -> None:
    """A look has the workload's own pods, and all that selects or scales it."""
    own = builders.owned_by("ReplicaSet", "web-1aa")
    done = {**builders.pod("web-done", own), "status": {"phase": "Succeeded"}}
    budget: builders.Raw = {"metadata": builders.meta("all"), "spec": {"selector": {}}}
    other = {"metadata": builders.meta("other"), "spec": {"selector": {"matchLabels": {"x": "y"}}}}
    server.rules[f"GET {WEB_PATH}"] = Answer(200, builders.workload())
    lists(
        server,
        replicasets=[builders.replica_set("1", "shop/web:v1")],
        pods=[builders.pod("web-a", own), builders.pod("alien", []), done],
        poddisruptionbudgets=[budget, other],
        horizontalpodautoscalers=[
            autoscaler("web", kind="Deployment", name="web"),
            autoscaler("db", kind="StatefulSet", name="web"),
        ],
        scaledobjects=[autoscaler("web", name="web")],
    )
    port, _ = make(api)

    live_state = await port.live_state(WEB)

    assert ["web-a"] == [pod.name for pod in live_state.pods]
    assert ["all"] == [budget.name for budget in live_state.budgets]
    assert ("HorizontalPodAutoscaler/web", "ScaledObject/web") == live_state.autoscalers
    assert [True] == [revision.current for revision in live_state.revisions]
    queries = {r.path.rsplit("/", 1)[1]: r.query for r in server.requests}
    assert "app=web" == queries["pods"]["labelSelector"] == queries["replicasets"]["labelSelector"]


@pytest.mark.parametrize(
    ("kind", "answer", "fails"),
    [
        ("scaledobjects", Answer(404, b"404 page not found"), False),
        ("scaledobjects", Answer(403, {"message": "no"}), True),
        ("poddisruptionbudgets", Answer(500, {"message": "no"}), True),
    ],
    ids=["no KEDA", "KEDA forbidden", "budgets unreadable"],
)
async def test_look_that_sees_only_a_part_is_none(
    server: FakeServer, api: client.KubeApi, kind: str, answer: Answer, fails: bool
) -> None:
    """A kind that the cluster does not have is empty; one that can't be read is an error."""
    server.rules[f"GET {WEB_PATH}"] = Answer(200, builders.workload())
    lists(server)
    path = next(rule for rule in server.rules if rule.endswith(kind))
    server.rules[path] = answer
    port, _ = make(api)

    if fails:
        with pytest.raises(ports.ClusterError):
            await port.live_state(WEB)
    else:
        assert () == (await port.live_state(WEB)).autoscalers


def managed(*entries: tuple[str, str]) -> builders.Raw:
    """A Deployment that these managers have written to, each with a subresource or none."""
    written = [
        {"manager": manager, "operation": "Update", **({"subresource": sub} if sub else {})}
        for manager, sub in entries
    ]
    return annotated(managedFields=written)


async def test_own_entries_are_taken_out_of_managed_fields(
    server: FakeServer, api: client.KubeApi
) -> None:
    """From the last one on, each only while it is still there; nobody else's are touched."""
    raw = managed(("prunella", ""), ("kubectl", ""), ("prunella", "status"), ("prunella", ""))
    server.rules[f"GET {WEB_PATH}"] = Answer(body=raw)
    server.rules[f"PATCH {WEB_PATH}"] = Answer(body=managed(("kubectl", "")))
    own, _ = make(api)

    await own.give_back(WEB, "web-uid")

    request = server.requests[-1]
    assert [
        TESTS[0],
        {"op": "test", "path": "/metadata/managedFields/3/manager", "value": "prunella"},
        {"op": "remove", "path": "/metadata/managedFields/3"},
        {"op": "test", "path": "/metadata/managedFields/0/manager", "value": "prunella"},
        {"op": "remove", "path": "/metadata/managedFields/0"},
    ] == request.body
    assert {"fieldManager": "prunella"} == request.query


NOTHING_TO_GIVE = {
    "nothing is ours": (Answer(body=managed(("kubectl", ""))), "web-uid"),
    "the object is gone": (Answer(404, {"kind": "Status"}), "web-uid"),
    "it was replaced": (Answer(body=managed(("prunella", ""))), "another-uid"),
    "managedFields are not kept": (Answer(body=annotated()), "web-uid"),
}


@pytest.mark.parametrize(("answer", "uid"), NOTHING_TO_GIVE.values(), ids=NOTHING_TO_GIVE)
async def test_nothing_is_sent_where_nothing_is_ours(
    server: FakeServer, api: client.KubeApi, answer: Answer, uid: str
) -> None:
    """One read, and no write."""
    server.rules[f"GET {WEB_PATH}"] = answer
    own, _ = make(api)

    await own.give_back(WEB, uid)

    assert ["GET"] == [each.method for each in server.requests]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_fields_that_cannot_be_given_back_are_an_error(
    server: FakeServer, api: client.KubeApi, method: str
) -> None:
    """The caller tries again later."""
    server.rules[f"GET {WEB_PATH}"] = Answer(body=managed(("prunella", "")))
    server.rules[f"{method} {WEB_PATH}"] = Answer(422, {"kind": "Status", "message": "no"})
    own, _ = make(api)

    with pytest.raises(ports.ClusterError, match="no"):
        await own.give_back(WEB, "web-uid")


@pytest.mark.parametrize(("status", "dry_run"), [(403, False), (400, True), (500, True)])
async def test_a_webhooks_refusal_is_told_as_it_is(
    server: FakeServer, api: client.KubeApi, status: int, dry_run: bool
) -> None:
    """In its own words, with its name, whatever status it chose."""
    said = 'admission webhook "w.example" denied the request: sign it'
    server.rules[f"PATCH {WEB_PATH}"] = Answer(status, {"kind": "Status", "message": said})
    own, _ = make(api, annotated())

    receipt = await own.send(PATCH, "r-1", dry_run=dry_run)

    expected = (ports.Outcome.REFUSED, said, status, "admission webhook w.example")
    assert expected == (receipt.outcome, receipt.message, receipt.status, receipt.refused_by)


@pytest.mark.parametrize("effect", [PATCH, EVICT], ids=lambda each: str(each.verb))
async def test_the_api_server_is_told_how_long_an_effect_may_take(
    server: FakeServer, api: client.KubeApi, effect: model.Effect
) -> None:
    """What is settled by looking must not arrive later, behind a slow admission webhook."""
    port, _ = make(api, annotated())
    server.rules[f"PATCH {WEB_PATH}"] = Answer(200, annotated())
    server.rules[f"POST {EVICTION_PATH}"] = Answer(201, {"status": "Success"})

    await port.send(effect, "r-1", dry_run=False)

    seconds = float(server.requests[0].query["timeout"].removesuffix("s"))
    assert seconds == api._timeout[1]
    waits = client.PROMPT_SECONDS + sum(client.TIMEOUT)
    assert waits <= attempt.SETTLE_AFTER.total_seconds()
