"""Structured logs and trace ids: one `traceparent` (W3C Trace Context) from HTTP through outbox, Kafka and consumer."""

import logging
import secrets
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

import structlog

_trace: ContextVar[str | None] = ContextVar("traceparent", default=None)


def configure_logging(level: str = "INFO", file: Path | None = None) -> None:
    """JSON lines to standard error, or to `file` when a terminal is being drawn on."""
    stream: TextIO = file.open("a", buffering=1) if file else sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=stream, force=True, format="%(name)s %(message)s")
    # Their messages quote records and statements with parameters: a phone must never get into a log that way.
    for noisy in ("aiokafka", "sqlalchemy", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def describe(error: BaseException) -> str:
    """An error for a log: its type and where it came from. Not its text, which may quote what somebody sent."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    own = [f for f in frames if "site-packages" not in f.filename]
    via = f" via {Path(own[-1].filename).name}:{own[-1].lineno}" if own and own[-1] is not frames[-1] else ""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return f"{type(error).__name__}{f' [{state}]' if state else ''}{where}{via}"


def new_traceparent(parent: str | None = None) -> str:
    """A new span, of the parent's trace if there is a valid one."""
    parts = (parent or "").split("-")
    trace = parts[1] if len(parts) == 4 and len(parts[1]) == 32 else secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01"


def current_traceparent() -> str | None:
    return _trace.get()


@contextmanager
def traced(parent: str | None) -> Iterator[str]:
    """Everything inside belongs to the parent's trace (or starts one); logs carry its id."""
    value = new_traceparent(parent)
    token = _trace.set(value)
    with structlog.contextvars.bound_contextvars(trace=value.split("-")[1]):
        try:
            yield value
        finally:
            _trace.reset(token)
