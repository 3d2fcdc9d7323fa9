"""The way to the demo's own Prometheus: `kubectl port-forward`, for as long as the story takes."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
from asyncio import subprocess
from collections.abc import AsyncIterator

from prunella import ports
from prunella.demo import story

LOCALHOST = "127.0.0.1"
START_SECONDS = 30.0
POLL_SECONDS = 0.1
MISSING = "missing: kubectl. Install kubectl (https://kubernetes.io/docs/tasks/tools), or give "
MISSING += "--prometheus URL of one that scrapes the demo's pods."


def free_port() -> int:
    """A port of this machine on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def to_prometheus(
    port: int, kubeconfig: pathlib.Path | None = None, context: str | None = None
) -> AsyncIterator[None]:
    """Forward a local port to Prometheus; ended on leaving.

    Raises ClusterError when kubectl is missing, ends, or does not listen in time.
    """
    chosen = {"--kubeconfig": kubeconfig, "--context": context}
    options = [f"{name}={value}" for name, value in chosen.items() if value is not None]
    command = ["port-forward", "deployment/prometheus", f"{port}:9090", f"--address={LOCALHOST}"]
    try:
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            *options,
            f"--namespace={story.NAMESPACE}",
            *command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise ports.ClusterError(MISSING) from error
    try:
        await _listening(process, port)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(process: subprocess.Process, port: int) -> None:
    """Wait until the port answers."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _answers(port):
                if process.returncode is not None:
                    raise ports.ClusterError(f"kubectl port-forward ended: {await _said(process)}")
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        text = f"kubectl port-forward does not listen on {port} after {START_SECONDS:.0f} s"
        raise ports.ClusterError(text) from error


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOCALHOST, port)
    except OSError:
        return False
    writer.close()
    return True


async def _said(process: subprocess.Process) -> str:
    """The last line of its complaint."""
    text = await process.stderr.read() if process.stderr is not None else b""
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {process.returncode}"
