"""The Outward port: calls of the endpoints that administrators have listed, and of no others."""

from __future__ import annotations

import asyncio
import concurrent.futures
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


class Webhooks:
    """All endpoints; each has connections and threads of its own: a slow one holds up no other."""

    def __init__(self, listed: Mapping[str, endpoints.Endpoint], threads: int = 2) -> None:
        self._listed = {name: http.Http(each) for name, each in listed.items()}
        self._threads = {
            name: concurrent.futures.ThreadPoolExecutor(threads, f"outward-{name}")
            for name in listed
        }

    def close(self) -> None:
        """Give connections back; what is under way is not waited for."""
        for name, web in self._listed.items():
            self._threads[name].shutdown(wait=False, cancel_futures=True)
            web.close()

    async def call(self, effect: model.Effect, key: str, *, dry_run: bool) -> ports.Receipt:
        """Ask once. Never raises; a dry run only sees whether secrets can be read."""
        try:
            web, system = self._endpoint(effect)
            if dry_run:
                await self._thread(effect, web.check)
                told = f"{effect.target.name} was not called: a dry run asks nobody"
                return ports.Receipt(ports.Outcome.WOULD_SUCCEED, told)
            run = await self._thread(effect, lambda: system.start(web, effect.manifest, key))
        except ports.OutcomeUnknown as error:
            return ports.Receipt(ports.Outcome.UNKNOWN, str(error), status=error.status)
        except ports.ClusterError as error:
            return ports.Receipt(ports.Outcome.REFUSED, str(error), status=error.status)
        return ports.Receipt(ports.Outcome.EFFECTIVE, f"{effect.target.name} called", run=run)

    async def look(self, effect: model.Effect, key: str, known: str) -> started.Run | None:
        """What a call has started. Raises ClusterError."""
        web, system = self._endpoint(effect)
        if known:
            return await self._thread(effect, lambda: system.look(web, known, key))
        return await self._thread(effect, lambda: system.find(web, key))

    def _endpoint(self, effect: model.Effect) -> tuple[http.Http, systems.System]:
        web = self._listed.get(effect.target.name)
        if web is None or not web.endpoint.allows(effect.target.namespace):
            where = f"namespace {effect.target.namespace}"
            raise ports.ClusterError(f"no endpoint {effect.target.name} is listed for {where}")
        return web, SYSTEMS[web.endpoint.kind]

    async def _thread(self, effect: model.Effect, work: Callable[[], Found]) -> Found:
        """Do it in a thread; an answer that can't be understood, or is late, tells nothing.

        Raises ClusterError when it was late before it had begun: then nothing was sent.
        """

        def told() -> Found:
            try:
                return work()
            except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
                # Only its sort: the text of an error may hold what was sent.
                why = f"the answer is not as its API says: {type(error).__name__}"
                raise ports.OutcomeUnknown(why) from None

        name = effect.target.name
        seconds = self._listed[name].endpoint.timeout_seconds * _ANSWERS
        running = self._threads[name].submit(told)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), seconds)
        except TimeoutError:
            if running.cancel():
                why = f"{name} was not asked: it still owes answers to earlier requests"
                raise ports.ClusterError(why) from None
            why = f"{name} has not answered within {seconds:.0f} s"
            raise ports.OutcomeUnknown(why) from None
