"""The command is run here as the unit tests of the others run theirs."""

from __future__ import annotations

from tests.cli.conftest import run, zone

__all__ = ["run", "zone"]
