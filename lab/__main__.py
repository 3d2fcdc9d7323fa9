"""The lab's command line: ``python -m lab up|down|status|build``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from types import FrameType
from typing import NoReturn

from lab import addons, binaries, lifecycle

ADDONS = ("kube-state-metrics", "shop")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    summaries = {
        "up": "bring the lab up, and build its programs first where they are missing",
        "down": "end the lab's programs and remove its folder",
        "status": "show the lab's endpoints and programs; exit 1 when it is not up",
    }
    for command, summary in summaries.items():
        sub = commands.add_parser(command, help=summary)
        sub.add_argument("--name", help="the lab's name (default: $PRUNELLA_LAB, or 'default')")
        if command == "up":
            _add_up_options(sub)
        if command == "status":
            sub.add_argument("--json", action="store_true", help="print lab.json's fields")
    build = commands.add_parser("build", help="build the lab's programs into the user's cache")
    flux = "build Flux's source- and kustomize-controller too (Go 1.26)"
    build.add_argument("--flux", action="store_true", help=flux)
    return parser


def _add_up_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--nodes", type=int, default=3, help="how many nodes (default: 3)")
    state = "run kube-state-metrics too, scraped by Prometheus"
    sub.add_argument("--kube-state-metrics", action="store_true", help=state)
    shop = "run the shop's data plane and its alert rules too, and kube-state-metrics"
    sub.add_argument("--shop", action="store_true", help=shop)
    webhook = "where Alertmanager posts alerts; 'none' for nowhere (default: as it is)"
    sub.add_argument("--webhook", metavar="URL", help=webhook)


def _up(options: argparse.Namespace) -> None:
    lab = lifecycle.up(options.name, nodes=options.nodes, shop=options.shop, say=_say)
    if options.kube_state_metrics or options.shop:
        addons.start_kube_state_metrics(lab)
    if options.shop:
        addons.start_shop(lab)
    if options.webhook:
        addons.send_alerts(lab, None if options.webhook == "none" else options.webhook)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C does, so that an interrupted start is cleared away."""
    raise SystemExit(143)


def _status(name: str | None, *, as_json: bool) -> int:
    found = lifecycle.status(name)
    endpoints = found.lab.endpoints() if found.lab else {"name": found.layout.name}
    if as_json:
        print(json.dumps({**endpoints, "up": found.is_up, "pids": found.running}, indent=2))
        return 0 if found.is_up else 1
    print(f"lab {found.layout.name} is {'up' if found.is_up else 'not up'}")
    shown = ("kubeconfig", "api_server_url", "prometheus_url", "alertmanager_url", "audit_log")
    for key in shown if found.lab else ():
        print(f"  {key:17} {endpoints[key]}")
    programs = [*lifecycle.COMPONENTS, *(each for each in ADDONS if each in found.running)]
    for program in programs if found.lab or found.running else ():
        pid = found.running.get(program)
        print(f"  {program:24} {f'running, pid {pid}' if pid else 'stopped'}")
    return 0 if found.is_up else 1


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code; what goes wrong is one line on stderr."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    # A shell that starts us in the background hands SIGINT down as ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if options.command == "status":
            return _status(options.name, as_json=options.json)
        if options.command == "up":
            _up(options)
            return _status(options.name, as_json=False)
        if options.command == "down":
            lifecycle.down(options.name, say=_say)
        else:
            more = binaries.FLUX if options.flux else ()
            cache = binaries.build_all(_say, (*binaries.BINARIES, *more))
            _say(f"the lab's programs are in {cache}")
    except binaries.LabError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
