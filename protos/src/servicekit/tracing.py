"""OpenTelemetry spans, sent by OTLP where an endpoint is configured; else they cost next to nothing.

Follows the semantic conventions for RPC and databases. A trace is carried on by W3C's `traceparent`: in a
call's metadata, and beside a job's row from its start to its worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()
_SEND_MS = 1_000  # at most so long after a span's end

_tracer: Tracer = NoOpTracer()


@contextmanager
def exporting(service: str, endpoint: str) -> Iterator[None]:
    """Sends the spans of the block to an OTLP collector, http://host:4317; empty: nowhere.

    A collector that does not answer costs spans, nothing else. What is left is sent at the end.
    """
    global _tracer
    if not endpoint:
        yield
        return
    # Only here: importing them takes .15 s, of every command too.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"rookify-{service}"}))
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_SEND_MS))
    _tracer = provider.get_tracer("rookify")
    try:
        yield
    finally:
        _tracer = NoOpTracer()
        provider.shutdown()


def enabled() -> bool:
    """Whether spans go anywhere."""
    return not isinstance(_tracer, NoOpTracer)


@contextmanager
def span(
    name: str, attributes: Mapping[str, str | int] | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[Span]:
    """One step of the current trace. An exception marks it as failed by its class: texts may hold names."""
    with _tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def begun(name: str, attributes: Mapping[str, str | int]) -> Span:
    """A step of the current trace that ends elsewhere: the caller sees to its `end`."""
    return _tracer.start_span(name, attributes=attributes)


@contextmanager
def continued(traceparent: str | None) -> Iterator[None]:
    """The block's spans belong to the trace of `traceparent`; without one they begin a trace of their own."""
    carrier = {TRACEPARENT: traceparent} if traceparent else {}
    token = context.attach(_PROPAGATOR.extract(carrier, context=context.Context()))
    try:
        yield
    finally:
        context.detach(token)


def traceparent() -> str | None:
    """To carry the current trace on; None where nothing is recorded."""
    if not trace.get_current_span().is_recording():
        return None
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT)


def trace_id() -> str | None:
    """Of the current trace, as logs and tracing tools write it."""
    current = trace.get_current_span().get_span_context()
    return f"{current.trace_id:032x}" if current.is_valid else None
