"""The stage that needs nothing: a simulated cluster and metric source behind the same ports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from prunella import wiring
from prunella.adapters.simulated import world as simulated_world
from prunella.core import model
from prunella.demo import story
from prunella.engine import loop
from prunella.engine import world as worlds

PACE = 0.2
"""Real seconds for each simulated second, so that people can follow."""
RELIST_SECONDS = 60.0


class SimulatedStage:
    """Plays the story in simulated time."""

    title = "simulated cluster and metrics, the real engine"

    def __init__(self, world: simulated_world.World, ports: worlds.World) -> None:
        self._world = world
        self._ports = ports

    @property
    def world(self) -> worlds.World:
        """The ports that the engine uses."""
        return self._ports

    async def apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Create the objects in the simulated cluster."""
        for document in documents:
            self._world.apply(document)

    async def release(self, deployment: str, tag: str) -> None:
        """Set another image, as a person would."""
        ref = model.Ref("Deployment", story.NAMESPACE, deployment)
        self._world.cluster.set_image(ref, f"shop.example/{deployment}:{tag}")

    async def image(self, deployment: str) -> str:
        """The image in the pod template."""
        live_state = await self._ports.cluster.live_state(
            model.Ref("Deployment", story.NAMESPACE, deployment)
        )
        return template_image(live_state.workload.template) if live_state is not None else ""

    async def stop_metrics(self) -> None:
        """End the scraping."""
        self._world.apps.stop()


def template_image(template: Mapping[str, Any]) -> str:
    """The first container's image of a pod template."""
    return str(template["spec"]["containers"][0]["image"])


async def play(fault: story.Fault, show: story.Show, *, pace: float = PACE) -> bool:
    """Play the whole story on the simulator."""
    world = simulated_world.World.create(pace=pace)
    engine = wiring.simulated(world, guards=story.guard_chain(fault))
    stage = SimulatedStage(world, engine.world)
    teller = story.Teller(stage, fault, show)
    return await world.clock.complete(play_with(engine, world, teller))


async def play_with(
    engine: loop.Engine, world: simulated_world.World, teller: story.Teller
) -> bool:
    """Run the engine beside the story until the story is over."""

    async def relist() -> None:
        world.policies.relist()
        world.cluster.relist()

    running = asyncio.create_task(engine.run(relist, RELIST_SECONDS))
    try:
        return await teller.tell()
    finally:
        engine.stop()
        await running
