"""Nodes: cordoned when sick, given back when Healthy, and never fought over with people."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import faults
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import nodes
from tests.engine.harness import Phase, Story

Refused = reasons.Refused
POLICY = "nodes"
CORDONED = ("cordon", Phase.SUCCEEDED)
RETURNED = ("returnNode", Phase.SUCCEEDED)
HOME = "prunella-system"


def deadlock(hold: str = "5s") -> dict[str, Any]:
    """A condition that node-problem-detector reports."""
    condition = {"type": "KernelDeadlock", "status": "True"}
    return {"name": "deadlock", "nodeCondition": condition, "for": hold}


def pool(story: Story, *steps: dict[str, Any], size: int = 6, **changes: Any) -> None:
    """Given nodes of a pool that node-problem-detector watches, and a policy on them."""
    for number in range(size):
        story.world.cluster.nodes.add(f"worker-{number}", {"pool": "batch"}, KernelDeadlock="False")
    document = {
        "mode": "Live",
        "interval": "5s",
        "target": {"selector": {"matchLabels": {"pool": "batch"}}},
        "signals": [deadlock()],
        "steps": list(steps) or [{"cordon": {"uncordonAfter": "1m"}}],
        "guards": {"cooldown": "10s", "maxPerHour": 10},
        **changes,
    }
    story.world.policies.apply("", POLICY, document)
    assert story.engine is not None
    story.engine.mark_dirty(objects.Key("", POLICY))


def sicken(story: Story, name: str = "worker-0", kind: str = "KernelDeadlock") -> None:
    """Node-problem-detector sees that a node hangs."""
    story.world.cluster.nodes.set_condition(name, kind, "True", "DockerHung")


def heal(story: Story, name: str = "worker-0") -> None:
    """The node is as it should be again."""
    story.world.cluster.nodes.set_condition(name, "KernelDeadlock", "False", "KernelHasNoDeadlock")


def node(story: Story, name: str = "worker-0") -> model.Workload:
    """A node as it is now."""
    found = story.world.cluster.nodes.view(name)
    assert found is not None
    return found


def cordoned(story: Story) -> list[str]:
    """The nodes on which no pods are placed."""
    views = story.world.cluster.nodes.views()
    return [each.ref.name for each in views if each.node is not None and each.node.unschedulable]


def refused(story: Story, name: str = "worker-0") -> tuple[str, str]:
    """Reason and message of the refusal that the policy's status tells of a node."""
    status = story.world.policies._stored[objects.Key("", POLICY)].status
    found = next(each for each in status.sick if each.name == name)
    return found.refused, found.refusal


async def test_a_sick_node_is_cordoned_and_given_back_when_it_is_healthy(story: Story) -> None:
    """Given a node that hangs, it is cordoned in the operator's name, and uncordoned once well."""
    pool(story)
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])
    (record,) = story.records()
    assert (HOME, "") == (record.namespace, record.spec.target.namespace)
    assert (["worker-0"], record.name) == (cordoned(story), nodes.owner(node(story)))
    await story.run(120)
    assert [CORDONED] == story.phases(), "while it is sick it stays cordoned"
    heal(story)
    await story.run(50)
    assert ["worker-0"] == cordoned(story), "not before it was Healthy for a minute"
    await story.until(lambda: story.phases() == [CORDONED, RETURNED])
    assert ([], None) == (cordoned(story), node(story).annotations.get(nodes.CORDONED_BY))


async def test_a_node_that_flickers_is_not_given_back(story: Story) -> None:
    """Given a node that is Healthy for less than uncordonAfter, the time begins anew."""
    pool(story)
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])
    for _ in range(3):
        heal(story)
        await story.run(40)
        sicken(story)
        await story.run(10)
    assert (["worker-0"], [CORDONED]) == (cordoned(story), story.phases())


def edit(story: Story, *steps: dict[str, Any]) -> None:
    """Somebody writes other steps into the policy."""
    key = objects.Key("", POLICY)
    spec = story.world.policies._stored[key].spec
    assert spec is not None
    document = {**spec.model_dump(mode="json", by_alias=True, exclude_unset=True)}
    story.world.policies.apply("", POLICY, {**document, "steps": list(steps)})
    assert story.engine is not None
    story.engine.mark_dirty(key)


async def test_a_step_that_has_moved_gives_the_node_back(story: Story) -> None:
    """Given a policy with another step above by then, the node is uncordoned all the same."""
    pool(story)
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])
    edit(story, {"uncordon": {}}, {"cordon": {"uncordonAfter": "1m"}})
    heal(story)
    await story.until(lambda: story.phases() == [CORDONED, RETURNED])
    assert [] == cordoned(story)


async def test_a_policy_that_no_longer_says_how_it_is_given_back_tells_it(story: Story) -> None:
    """Given a policy without any such step, the node stays as it is, and the policy says so."""
    pool(story)
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])
    edit(story, {"uncordon": {}})
    heal(story)
    await story.run(120)
    assert (["worker-0"], [CORDONED]) == (cordoned(story), story.phases())
    status = story.world.policies._stored[objects.Key("", POLICY)].status
    assert any("worker-0, which" in each.message for each in status.conditions)


async def test_keep_leaves_the_node_to_a_person(story: Story) -> None:
    """Given keep, a node that is Healthy again stays cordoned."""
    pool(story, {"cordon": {"uncordonAfter": "0s", "keep": True}})
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])
    heal(story)
    await story.run(180)
    assert (["worker-0"], [CORDONED]) == (cordoned(story), story.phases())


async def test_what_a_person_cordoned_stays_so(story: Story) -> None:
    """Given a node that a person has cordoned, nothing is done to it, before or after."""
    pool(story)
    story.world.cluster.nodes.cordon("worker-0")
    sicken(story)
    await story.run(60)
    assert (Refused.AT_BOUND, True) == (refused(story)[0], "somebody else" in refused(story)[1])
    heal(story)
    await story.run(180)
    assert (["worker-0"], []) == (cordoned(story), story.phases())


async def test_who_uncordons_a_sick_node_is_not_fought(story: Story) -> None:
    """Given a person who uncordons a node that is still sick, it stays so until it was Healthy."""
    pool(story)
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])
    story.world.cluster.nodes.uncordon("worker-0")
    await story.run(120)
    assert ([CORDONED], []) == (story.phases(), cordoned(story))
    assert Refused.CHANGED_BY_OTHERS == refused(story)[0]
    heal(story)
    await story.run(20)
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED, CORDONED])


async def test_not_one_node_after_the_other_is_cordoned(story: Story) -> None:
    """Given a fault of one node after the other, those that stay cordoned count as unavailable."""
    pool(story, guards={"cooldown": "1s", "stopWhenUnhealthy": "100%", "maxPerHour": 10})
    for number in range(4):
        sicken(story, f"worker-{number}")
        await story.run(60)
    assert ["worker-0"] == cordoned(story)
    reason, message = refused(story, "worker-1")
    assert (Refused.MAX_UNAVAILABLE, True) == (reason, "1 of 6 other nodes" in message)


async def test_a_fault_of_many_nodes_is_nothing_to_act_on(story: Story) -> None:
    """Given half of the nodes sick at once, the cause is elsewhere: none is cordoned."""
    pool(story)
    for number in range(3):
        sicken(story, f"worker-{number}")
    await story.run(60)
    assert ([], Refused.TOO_MANY_UNHEALTHY) == (cordoned(story), refused(story)[0])


async def test_the_control_plane_is_spared(story: Story) -> None:
    """Given a sick node of the control plane, it is refused with the label that tells."""
    label = "node-role.kubernetes.io/control-plane"
    story.world.cluster.nodes.add("master", {"pool": "batch", label: ""}, KernelDeadlock="True")
    pool(story)
    await story.run(60)
    assert (Refused.CONTROL_PLANE, True) == (
        refused(story, "master")[0],
        label in refused(story, "master")[1],
    )
    assert [] == cordoned(story)


@pytest.mark.parametrize(
    ("mode", "phase"),
    [
        pytest.param("Advise", Phase.ADVISED, id="advise"),
        pytest.param("DryRun", Phase.DRY_RUN, id="dry-run"),
    ],
)
async def test_short_of_live_nothing_is_changed(story: Story, mode: str, phase: Phase) -> None:
    """Given another mode, it is said what would be done, once."""
    pool(story, mode=mode)
    sicken(story)
    await story.run(120)
    assert ([("cordon", phase)], []) == (story.phases(), cordoned(story))


async def test_no_namespace_limits_it(story: Story) -> None:
    """Given labels of Namespaces that can't be read, what is in none goes on."""
    unreadable = ports.ClusterError("forbidden", status=403)
    story.faults.always(faults.Point.NAMESPACE, unreadable)
    pool(story)
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])


async def test_a_condition_that_nobody_reports_is_doubt(story: Story) -> None:
    """Given a node without the condition, nothing is known, and nothing is done."""
    pool(story, signals=[{"name": "gone", "nodeCondition": {"type": "NoSuch", "status": "True"}}])
    await story.run(60)
    assert [] == story.phases()


async def test_a_query_is_mapped_by_the_label_node(story: Story) -> None:
    """Given a query over the whole cluster, each series finds its node, whatever its namespace."""
    pool(
        story,
        signals=[
            {
                "name": "errors",
                "prometheus": {"query": "node_edac_uncorrectable_errors_total"},
                "threshold": {"above": 0},
                "for": "5s",
            }
        ],
    )
    for _ in range(12):
        for number in range(6):
            labels = {"node": f"worker-{number}", "namespace": "monitoring", "pod": "exporter-x"}
            labels["__name__"] = "node_edac_uncorrectable_errors_total"
            now = story.world.clock.now().timestamp()
            story.world.store.append(labels, now, float(number == 2))
        await story.run(5)
    assert ["worker-2"] == cordoned(story)


async def test_a_lost_answer_is_settled_by_looking(story: Story) -> None:
    """Given a cordon whose answer is lost, then the node tells, and nothing is sent again."""
    pool(story)
    story.lose_answer_to_action()
    sicken(story)
    await story.until(lambda: story.phases() == [CORDONED])
    assert (1, ["worker-0"]) == (len(story.sent()), cordoned(story))


async def test_an_operator_that_dies_goes_on_from_the_record(story: Story) -> None:
    """Given a crash just after the cordon, the next operator proves it and gives the node back."""
    pool(story)
    story.world.cluster.crash_after_send_once()
    sicken(story)
    await story.until(lambda: not story.alive)
    story.start()
    await story.until(lambda: story.phases() == [CORDONED])
    heal(story)
    await story.until(lambda: story.phases() == [CORDONED, RETURNED])
    assert [] == cordoned(story)


async def test_a_step_uncordons_only_what_the_operator_cordoned(story: Story) -> None:
    """Given a step uncordon, what somebody else has cordoned is left to them."""
    pool(story, {"uncordon": {}})
    story.world.cluster.nodes.cordon("worker-0")
    sicken(story)
    await story.run(60)
    assert (["worker-0"], []) == (cordoned(story), story.phases())
    assert "somebody else" in refused(story)[1]
