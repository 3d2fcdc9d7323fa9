"""The Outward port: calls of the endpoints that administrators have listed, and of no others."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from prunella import ports
from prunella.adapters.outward import (
    aws_lambda,
    awx,
    generic,
    github,
    gitlab,
    http,
    jenkins,
    rundeck,
    systems,
    terraform,
)
from prunella.api import endpoints
from prunella.core import model
from prunella.core.decisions import started

Found = TypeVar("Found")
Kind = endpoints.EndpointKind
SYSTEMS: Mapping[Kind, systems.System] = {
    Kind.GENERIC: generic.Generic(),
    Kind.JENKINS: jenkins.Jenkins(),
    Kind.GITHUB: github.GitHub(),
    Kind.GITLAB: gitlab.GitLab(),
    Kind.AWX: awx.Awx(),
    Kind.RUNDECK: rundeck.Rundeck(),
    Kind.TERRAFORM: terraform.Terraform(),
    Kind.AWS_LAMBDA: aws_lambda.AwsLambda(),
}


_ANSWERS = 3
"""Most answers that one call waits for, each for the endpoint's ``timeoutSeconds``."""
_BREAKING_SECONDS = 1.0
"""How long what was broken off may take to say so."""


class Webhooks:
    """All endpoints; each has threads of its own: a slow one holds up no other.

    Each call has connections of its own, which are broken off when its time is over: the thread is
    free then, however slowly an answer comes.
    """

    def __init__(self, listed: Mapping[str, endpoints.Endpoint], threads: int = 2) -> None:
        """Raises session.AskError when an extra is missing."""
        self._listed = dict(listed)
        for each in listed.values():
            http.Http(each).close()
        self._threads = {
            name: concurrent.futures.ThreadPoolExecutor(threads, f"outward-{name}")
            for name in listed
        }

    def close(self) -> None:
        """Drop what waits; what is under way is not waited for."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    async def call(self, effect: model.Effect, key: str, *, dry_run: bool) -> ports.Receipt:
        """Ask once. Never raises; a dry run only sees whether secrets can be read."""
        try:
            if dry_run:
                await self._thread(effect, lambda web, _: web.check())
                told = f"{effect.target.name} was not called: a dry run asks nobody"
                return ports.Receipt(ports.Outcome.WOULD_SUCCEED, told)
            run = await self._thread(
                effect, lambda web, system: system.start(web, effect.manifest, key)
            )
        except ports.OutcomeUnknown as error:
            return ports.Receipt(ports.Outcome.UNKNOWN, str(error), status=error.status)
        except ports.ClusterError as error:
            return ports.Receipt(ports.Outcome.REFUSED, str(error), status=error.status)
        return ports.Receipt(ports.Outcome.EFFECTIVE, f"{effect.target.name} called", run=run)

    async def look(self, effect: model.Effect, key: str, known: str) -> started.Run | None:
        """What a call has started. Raises ClusterError."""
        if known:
            return await self._thread(effect, lambda web, system: system.look(web, known, key))
        return await self._thread(effect, lambda web, system: system.find(web, key))

    def _endpoint(self, effect: model.Effect) -> endpoints.Endpoint:
        found = self._listed.get(effect.target.name)
        if found is None or not found.allows(effect.target.namespace):
            where = f"namespace {effect.target.namespace}"
            raise ports.ClusterError(f"no endpoint {effect.target.name} is listed for {where}")
        return found

    async def _thread(
        self, effect: model.Effect, work: Callable[[http.Http, systems.System], Found]
    ) -> Found:
        """Do it in a thread; an answer that can't be understood, or is late, tells nothing.

        Raises ClusterError when it was late before anything was asked for, else OutcomeUnknown.
        """
        endpoint, name = self._endpoint(effect), effect.target.name
        seconds = endpoint.timeout_seconds * _ANSWERS
        web = http.Http(endpoint, time.monotonic() + seconds)
        running = self._threads[name].submit(_told, web, SYSTEMS[endpoint.kind], work)
        answer = asyncio.wrap_future(running)
        answer.add_done_callback(_look_at)
        try:
            await asyncio.wait({answer}, timeout=seconds)
            if answer.done():
                return answer.result()
        finally:
            not_begun = running.cancel()
            web.break_off()
        if not_begun:
            why = f"{name} was not asked: it still owes answers to earlier requests"
            raise ports.ClusterError(why)
        # What was broken off knows best whether something was sent.
        await asyncio.wait({answer}, timeout=_BREAKING_SECONDS)
        with contextlib.suppress(ports.OutcomeUnknown):
            if answer.done():
                return answer.result()
        raise ports.OutcomeUnknown(f"{name} has not answered within {seconds:.0f} s")


def _told(
    web: http.Http, system: systems.System, work: Callable[[http.Http, systems.System], Found]
) -> Found:
    try:
        return work(web, system)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Only its sort: the text of an error may hold what was sent.
        why = f"the answer is not as its API says: {type(error).__name__}"
        raise ports.OutcomeUnknown(why) from None
    finally:
        web.close()


def _look_at(answer: asyncio.Future[Found]) -> None:
    """Nobody may wait for it any more: its error is seen here."""
    if not answer.cancelled():
        answer.exception()
