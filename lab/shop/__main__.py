"""The shop's command line: ``python -m lab.shop serve|up|down``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import pathlib
import sys

from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import lifecycle, serve
from lab.shop.load import DAY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.shop", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    program = commands.add_parser("serve", help="be the data plane of every shop of a lab")
    program.add_argument("--kubeconfig", type=pathlib.Path, required=True)
    program.add_argument("--listen", default="127.0.0.1:9470", help="host and port of /metrics")
    program.add_argument("--seed", type=int, default=0, help="of load and noise (default: 0)")
    program.add_argument(
        "--day", type=float, default=DAY, help="seconds that a day of load takes (default: 86400)"
    )
    for name, summary in (
        ("up", "create shops in a running lab and wait until they sell"),
        ("down", "delete shops"),
    ):
        sub = commands.add_parser(name, help=summary)
        sub.add_argument("shops", nargs="+", metavar="NAME")
        sub.add_argument("--lab", help="the lab's name (default: $PRUNELLA_LAB, or 'default')")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code; what goes wrong is one line on stderr."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        if options.command == "serve":
            host, _, port = options.listen.rpartition(":")
            asyncio.run(
                serve.serve(options.kubeconfig, host, int(port), seed=options.seed, day=options.day)
            )
        elif options.command == "up":
            lifecycle.up(Lab.load(options.lab), options.shops)
        else:
            lifecycle.down(Lab.load(options.lab), options.shops)
    except (LabError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
