"""Where traces go: nowhere unless it is wanted, and the library is asked for by name."""

from __future__ import annotations

import sys

import pytest

import prunella.adapters
from prunella import settings
from prunella.adapters import tracing


def test_off_by_default() -> None:
    """Without an endpoint there is nothing, and the library is not wanted."""
    assert tracing.open_traces(settings.Settings()) is None


def test_the_extra_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint without the library ends the start with a line that says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "prunella.adapters.otlp", raising=False)
    monkeypatch.delattr(prunella.adapters, "otlp", raising=False)
    wanted = settings.Settings(tracing=settings.Tracing(endpoint="http://c:4318/v1/traces"))
    with pytest.raises(settings.SettingsError, match=r"needs the extra otel.*prunella\[otel\]"):
        tracing.open_traces(wanted)


def test_an_endpoint_is_a_whole_address() -> None:
    """The path is not guessed: some collectors have another."""
    with pytest.raises(ValueError, match="should match pattern"):
        settings.Tracing(endpoint="http://collector:4318")
