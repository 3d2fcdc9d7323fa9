"""The same cases of gitRevert on the simulated repository and on a real Git server."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from typing import Protocol

import pytest

from prunella import ports
from prunella.adapters.git import repositories
from prunella.adapters.simulated import repositories as twins
from prunella.adapters.simulated import world as worlds
from prunella.core import model, pushes
from prunella.core.decisions import gitops
from tests.adapters.git import test_repositories as real
from tests.adapters.git.conftest import Shop

CHECKOUT = model.Ref("Deployment", "shop", "checkout")
MARK = "shop/deployment-checkout-1"


class World(Protocol):
    """A repository with two releases of checkout, the newer one bad."""

    port: ports.Repositories
    good: str
    bad: str

    @property
    def head(self) -> str:
        """The branch's head."""

    @property
    def file(self) -> str:
        """The file that each release changes."""

    @property
    def deployment(self) -> gitops.Deployment:
        """What deploys it."""

    def release(self) -> str:
        """Somebody's next commit on the same file."""

    def image(self) -> str:
        """The image at the head."""

    def lose_answer(self) -> None:
        """Let the next push be carried out and its answer be lost."""


class Real:
    """On Git's own server."""

    def __init__(self, shop: Shop, pool: concurrent.futures.Executor) -> None:
        self._shop = shop
        self.good, self.bad = real.released(shop)
        self.port: ports.Repositories = repositories.GitRepositories(real.wanted(shop), pool)
        self.file = "apps/checkout/app.yaml"

    @property
    def head(self) -> str:
        """The branch's head."""
        return self._shop.head()

    @property
    def deployment(self) -> gitops.Deployment:
        """What deploys it."""
        return real.deployment(self._shop, self.bad)

    def release(self) -> str:
        """Somebody's next commit on the same file."""
        return self._shop.commit("Release v3", apps__checkout__app="image: v3\n")

    def image(self) -> str:
        """The image at the head."""
        return self._shop.show(self.file).removeprefix("image: ")

    def lose_answer(self) -> None:
        """Let the answer to the next push be lost."""
        self._shop.server.drop_answers = 1


class Simulated:
    """In memory."""

    def __init__(self) -> None:
        self._world = worlds.World.create()
        self._world.cluster.add_deployment("shop", "checkout", "v1", labels=twins.MARKS)
        self._twin = self._world.repositories
        self._twin.deploy(CHECKOUT, "v1")
        self.good, self.bad = self._twin.head, self._twin.commit("Release v2", {CHECKOUT: "v2"})
        self.port: ports.Repositories = self._twin
        self.file = "apps/checkout/deployment.yaml"

    @property
    def head(self) -> str:
        """The branch's head."""
        return self._twin.head

    @property
    def deployment(self) -> gitops.Deployment:
        """What deploys it."""
        path = "apps/checkout"
        return gitops.Deployment(twins.OWNER, "", 1, twins.URL, twins.BRANCH, path, self.bad)

    def release(self) -> str:
        """Somebody's next commit on the same file."""
        return self._twin.commit("Release v3", {CHECKOUT: "v3"})

    def image(self) -> str:
        """The image at the head."""
        return self._twin.images[CHECKOUT]

    def lose_answer(self) -> None:
        """Let the answer to the next push be lost."""
        self._world.cluster.faults = self._twin.faults
        self._world.cluster.lose_answer_once()


@pytest.fixture(params=["simulated", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One of the two."""
    if request.param == "simulated":
        yield Simulated()
        return
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield Real(request.getfixturevalue("shop"), pool)


def change(world: World) -> pushes.GitChange:
    """The revert of the bad release."""
    place = world.deployment
    return pushes.GitChange(
        repository=place.repository,
        branch=place.branch,
        path=place.path,
        revert=world.bad,
        files=(world.file,),
        expected_head=world.bad,
        applied=world.bad,
        message='Revert "Release v2"',
    )


async def test_history_is_told_newest_first(world: World) -> None:
    """With the files of each commit, and what the folder is built from."""
    found = await world.port.history(world.deployment, "shop")
    assert isinstance(found, gitops.History)
    assert ("main", world.bad, ("apps/checkout",)) == (found.branch, found.head, found.built_from)
    assert [world.bad, world.good] == [each.id for each in found.commits]
    assert (world.file,) == found.commits[0].files
    assert ["", ""] == [each.remediation for each in found.commits]
    assert [False, True] == [each.first for each in found.commits]


async def test_a_push_happens_once_and_bears_the_mark(world: World) -> None:
    """A dry run leaves nothing; a repeat gives the same answer."""
    tried = await world.port.send(change(world), MARK, dry_run=True)
    assert (ports.Outcome.WOULD_SUCCEED, world.bad) == (tried.outcome, world.head)
    first = await world.port.send(change(world), MARK, dry_run=False)
    again = await world.port.send(change(world), MARK, dry_run=False)
    assert (ports.Outcome.EFFECTIVE, world.head) == (first.outcome, first.commit)
    assert (first.outcome, first.commit) == (again.outcome, again.commit)
    assert "v1" == world.image()
    found = await world.port.history(world.deployment, "shop")
    assert isinstance(found, gitops.History)
    assert MARK == found.commits[0].remediation
    assert await world.port.contains(change(world), world.bad, world.head)
    assert not await world.port.contains(change(world), world.head, world.bad)


async def test_a_head_that_has_moved_is_refused(world: World) -> None:
    """With 409, in the dry run and without; nothing is overwritten."""
    later = world.release()
    for dry_run in (True, False):
        done = await world.port.send(change(world), MARK, dry_run=dry_run)
        assert (ports.Outcome.REFUSED, 409) == (done.outcome, done.status)
    assert (later, "v3") == (world.head, world.image())
    settled = await world.port.sent(change(world), MARK)
    assert (ports.Outcome.REFUSED, 409) == (settled.outcome, settled.status)


async def test_a_lost_answer_is_found_out_by_looking(world: World) -> None:
    """Unknown at first; then what the repository shows."""
    world.lose_answer()
    lost = await world.port.send(change(world), MARK, dry_run=False)
    settled = await world.port.sent(change(world), MARK)
    assert ports.Outcome.UNKNOWN is lost.outcome
    assert (ports.Outcome.EFFECTIVE, world.head) == (settled.outcome, settled.commit)
    assert "v1" == world.image()
