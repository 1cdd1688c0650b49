"""Traces: one `traceparent` (W3C Trace Context) from HTTP through outbox, Kafka, consumer and clock to a provider.

Trace ids always travel, and logs carry them. Spans are recorded only where the standard variables of OpenTelemetry ask
for them; elsewhere not even its SDK is imported. A span holds ids and codes, like an event: never a path with its ids
and secrets filled in, never an error's text.
"""

import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span, Tracer

Kind = Literal["SERVER", "CLIENT", "PRODUCER", "CONSUMER", "INTERNAL"]
Attributes = Mapping[str, str | int | float | bool]
Told = tuple[str, Attributes]
"""A span's name and attributes."""

log = structlog.get_logger()
_VALID = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_span: ContextVar["Span | None"] = ContextVar("span", default=None)
_processor: "SpanProcessor | None" = None


def configure_tracing(environment: Mapping[str, str] = os.environ) -> None:
    """Sends spans by OTLP over HTTP if `OTEL_TRACES_EXPORTER` is `otlp` or an `OTEL_EXPORTER_OTLP_(TRACES_)ENDPOINT` is
    set. Headers, sampler, time-outs and batches follow the other `OTEL_…` variables."""
    endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT" in environment or "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in environment
    wanted = environment.get("OTEL_TRACES_EXPORTER", "otlp" if endpoint else "none")
    if wanted == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    if wanted != "otlp":
        log.warning("tracing.exporter-unknown")
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    record_with(BatchSpanProcessor(OTLPSpanExporter()))


def record_with(processor: "SpanProcessor | None") -> None:
    """From now on spans are recorded and given to `processor`; None: no longer."""
    global _processor
    _processor = processor
    _provider.cache_clear()


def recording() -> bool:
    """Whether spans are recorded in this process."""
    return _processor is not None


def flush_traces() -> None:
    """Sends what is still waiting, a few seconds at most; for the end of a process."""
    if _processor is not None:
        _processor.force_flush(3000)


@cache
def _provider(service: str) -> "TracerProvider":
    """One per service, also where all run in one process: a trace shows which of them did what."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": service, "service.namespace": "chuishao"}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    assert _processor is not None
    provider.add_span_processor(_processor)
    return provider


def _tracer(service: str) -> "Tracer":
    return _provider(service).get_tracer("chuishao")


def new_traceparent(parent: str | None = None) -> str:
    """A new span id, of the parent's trace if there is a valid one."""
    valid = _VALID.fullmatch(parent or "")
    trace = valid[1] if valid else secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01"


def current_traceparent() -> str | None:
    """What is written beside an event that comes of what is being done; None when that is no one's in particular."""
    return _current.get()


@contextmanager
def continued(traceparent: str | None) -> Iterator[None]:
    """Everything inside belongs to this trace, under this span; None: to none."""
    token = _current.set(traceparent)
    valid = _VALID.fullmatch(traceparent or "")
    bound = {"trace": valid[1]} if valid else {}
    with structlog.contextvars.bound_contextvars(**bound):
        try:
            yield
        finally:
            _current.reset(token)


@contextmanager
def traced(
    parent: str | None,
    name: str = "",
    *,
    service: str = "chuishao",
    kind: Kind = "INTERNAL",
    attributes: Attributes | None = None,
) -> Iterator[str]:
    """Everything inside belongs to the parent's trace (or starts one); logs carry its id. Yields its traceparent."""
    if not recording():
        value = new_traceparent(parent)
        with continued(value):
            yield value
        return
    with spans(service, kind, [parent], lambda _: (name, attributes or {})) as (own,), continued(own):
        yield str(own)


@contextmanager
def spans(
    service: str,
    kind: Kind,
    parents: Sequence[str | None],
    told: Callable[[int], Told],
    since: Callable[[int], datetime] | None = None,
) -> Iterator[Sequence[str | None]]:
    """One span in each parent's trace for what is done to all of them at once, so that every trace is whole although
    the work is a batch. Yields their traceparents; where nothing is recorded, the parents as they are.

    `told(i)` names the i-th span; `since(i)` is when it began (default: now).
    """
    if not recording():
        yield parents
        return
    begun = [_start(service, kind, parent, told(i), since(i) if since else None) for i, parent in enumerate(parents)]
    token = _span.set(begun[0] if len(begun) == 1 else None)
    try:
        yield [_traceparent(span) for span in begun]
    except BaseException as error:
        for span in begun:
            _fail(span, error)
        raise
    finally:
        _span.reset(token)
        for span in begun:
            span.end()


def annotate(name: str | None = None, attributes: Attributes | None = None, *, failed: str | None = None) -> None:
    """Renames the span being recorded (if one is), adds attributes, says that it failed (by a kind of error)."""
    span = _span.get()
    if span is None:
        return
    if name:
        span.update_name(name)
    span.set_attributes(attributes or {})
    if failed:
        _failed(span, failed)


def _start(service: str, kind: Kind, parent: str | None, told: Told, since: datetime | None) -> "Span":
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    name, attributes = told
    return _tracer(service).start_span(
        name,
        # An empty carrier gives an empty context: a root.
        context=TraceContextTextMapPropagator().extract({"traceparent": parent} if parent else {}),
        kind=SpanKind[kind],
        attributes=dict(attributes),
        start_time=int(since.timestamp() * 1e9) if since else None,
        record_exception=False,
        set_status_on_exception=False,
    )


def _traceparent(span: "Span") -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _fail(span: "Span", error: BaseException) -> None:
    _failed(span, type(error).__name__)


def _failed(span: Any, kind: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
