"""The Traces port by OTLP over HTTP, with OpenTelemetry's own library: the extra ``otel``.

https://opentelemetry.io/docs/specs/otlp/#otlphttp

The library is imported here and nowhere else.  Spans are made whole, as what they tell of has
ended; it takes care of encoding, of answers that say to try again, and of time.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import logging
from collections.abc import Sequence
from typing import Final

from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto import http
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk import resources
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import export
from opentelemetry.sdk.util import instrumentation

import prunella
from prunella import settings
from prunella.adapters.prometheus import session
from prunella.core.incidents import trace

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_SCOPE: Final = instrumentation.InstrumentationScope("prunella", prunella.__version__)
_SAMPLED: Final = otel.TraceFlags(otel.TraceFlags.SAMPLED)


class _Exporter:
    """The library's exporter on a session of ours: no proxy and no setting of the environment."""

    def __init__(self, wanted: settings.Tracing, access: session.Access) -> None:
        self._session = session.open_session(access)
        self._exporter = trace_exporter.OTLPSpanExporter(
            endpoint=wanted.endpoint,
            headers=dict(wanted.headers),
            timeout=wanted.timeout_seconds,
            compression=http.Compression.Gzip,
            session=self._session,
        )

    def export(self, spans: Sequence[sdk.ReadableSpan]) -> export.SpanExportResult:
        return self._exporter.export(spans)

    def close(self) -> None:
        self._session.close()


class OtlpTraces:
    """Sends spans to one endpoint (`ports.Traces`), in a thread of its own."""

    def __init__(
        self, wanted: settings.Tracing, namespace: str, executor: concurrent.futures.Executor
    ) -> None:
        """``namespace``: the operator's own."""
        endpoint = wanted.endpoint or ""
        access = session.Access(
            url=endpoint, tls=wanted.tls, bearer_token_file=wanted.bearer_token_file
        )
        self._endpoint = endpoint
        self._exporters = session.PerThread(access, lambda: _Exporter(wanted, access))
        self._executor = executor
        self._resource = resources.Resource(
            {
                "service.name": "prunella",
                "service.version": prunella.__version__,
                "service.namespace": namespace,
                **wanted.attributes,
            }
        )
        # It logs each attempt; that spans did not arrive is told once, by who sends them.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)

    async def send(self, spans: Sequence[trace.Span]) -> str:
        """Send spans; returns why they did not arrive, or nothing. Never raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.send_now, spans)

    def send_now(self, spans: Sequence[trace.Span]) -> str:
        """The same, at once."""
        try:
            sent = self._exporters.get().export([self._span(each) for each in spans])
        except session.AskError as error:
            return str(error)
        if sent is export.SpanExportResult.SUCCESS:
            return ""
        return f"{len(spans)} spans did not arrive at {self._endpoint}"

    def close(self) -> None:
        """Drop what waits, and close all connections."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._exporters.close()

    def _span(self, span: trace.Span) -> sdk.ReadableSpan:
        code = otel.StatusCode.ERROR if span.error else otel.StatusCode.UNSET
        return sdk.ReadableSpan(
            name=span.name,
            context=_context(span.trace, span.id),
            parent=_context(span.trace, span.parent) if span.parent else None,
            resource=self._resource,
            attributes=span.attributes,
            events=[
                sdk.Event(each.name, each.attributes, _nanoseconds(each.at)) for each in span.events
            ],
            status=otel.Status(code, span.error or None),
            start_time=_nanoseconds(span.start),
            end_time=_nanoseconds(span.end),
            instrumentation_scope=_SCOPE,
        )


def _context(trace_id: str, span_id: str) -> otel.SpanContext:
    return otel.SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED
    )


def _nanoseconds(at: datetime.datetime) -> int:
    """Since the epoch."""
    return (at - _EPOCH) // _MICROSECOND * 1000
