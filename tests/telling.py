"""What tests ask of logs and traces."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from jsonschema import Draft202012Validator
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry.logs import SCHEMA
from shared.telemetry.tracing import record_with


@cache
def _schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()), format_checker=Draft202012Validator.FORMAT_CHECKER)


def is_log_line(line: str) -> bool:
    """Whether a line is JSON of the log's schema."""
    try:
        return bool(_schema().is_valid(json.loads(line)))
    except ValueError:
        return False


@contextmanager
def recorded() -> Iterator[InMemorySpanExporter]:
    """Spans of this process, kept instead of sent."""
    exporter = InMemorySpanExporter()
    record_with(SimpleSpanProcessor(exporter))
    try:
        yield exporter
    finally:
        record_with(None)
