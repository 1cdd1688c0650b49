"""What a running system tells about itself: structured logs and traces. Metrics lie beside what they count."""

from shared.telemetry.logs import configure_logging, describe
from shared.telemetry.tracing import (
    annotate,
    configure_tracing,
    continued,
    current_traceparent,
    flush_traces,
    new_traceparent,
    recording,
    spans,
    traced,
)

__all__ = [
    "annotate",
    "configure_logging",
    "configure_tracing",
    "continued",
    "current_traceparent",
    "describe",
    "flush_traces",
    "new_traceparent",
    "recording",
    "spans",
    "traced",
]
