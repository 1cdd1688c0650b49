"""Structured logs: every line is one JSON object of the schema in `log.schema.json`, whoever wrote it."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog

SCHEMA = Path(__file__).with_name("log.schema.json")
_LIBRARY_TEXT = 200
"""Most characters of a library's own words that are logged."""
_STARTING = ("Group Coordinator Request failed",)
"""What aiokafka calls an error while a broker is making its offsets' topic; our consumer says when it has to wait."""


def configure_logging(level: str = "INFO", file: Path | None = None) -> None:
    """JSON lines to standard error, or to `file` when a terminal is being drawn on. Libraries that log in their own way
    (uvicorn, aiokafka, asyncio) write lines of the same form from warnings on."""
    stream: TextIO = file.open("a", buffering=1) if file else sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    ours: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*ours, _errors_without_words, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*ours, _library],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    handler.addFilter(_not_of_starting)
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
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


def _library(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's record: its words without what they were filled with. They quote records and statements with
    parameters, and a phone must never get into a log that way."""
    record: logging.LogRecord = event["_record"]
    words = str(record.msg).partition("\n")[0][:_LIBRARY_TEXT]
    error = record.exc_info[1] if record.exc_info else None
    told = {"logger": record.name, "text": words, **({"error": describe(error)} if error else {})}
    kept = {name: value for name, value in event.items() if name not in ("event", "exc_info", "stack_info")}
    return {**kept, "event": "library", **told}


def _errors_without_words(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`log.exception` says where, as everything else does, and not what the error quotes."""
    error = sys.exc_info()[1] if event.pop("exc_info", None) else None
    if error is not None:
        event.setdefault("error", describe(error))
    return event


def _not_of_starting(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_STARTING)
