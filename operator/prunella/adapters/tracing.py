"""Where traces are sent to, as the settings say. The library is an extra: imported when wanted."""

from __future__ import annotations

import concurrent.futures

from prunella import ports, settings


def open_traces(wanted: settings.Settings) -> ports.Traces | None:
    """What sends traces; None without an endpoint.

    Raises settings.SettingsError when the library is not there.
    """
    if wanted.tracing.endpoint is None:
        return None
    try:
        from prunella.adapters import otlp  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise settings.SettingsError(
            f"tracing.endpoint needs the extra otel, as in `pip install prunella[otel]`: {error}"
        ) from error
    executor = concurrent.futures.ThreadPoolExecutor(1, "traces")
    return otlp.OtlpTraces(wanted.tracing, wanted.operator_namespace, executor)
