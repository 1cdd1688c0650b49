"""Logs: one schema, whoever writes the line, and nothing quoted."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from shared.telemetry import configure_logging, traced
from tests.telling import is_log_line

PHONE = "13987654321"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("INFO", tmp_path / "log")
    try:
        yield tmp_path / "log"
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


def written(log: Path) -> list[dict[str, object]]:
    lines = log.read_text().splitlines()
    assert [line for line in lines if not is_log_line(line)] == []
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", ["uvicorn.error", "aiokafka.consumer.fetcher", "asyncio", "some.library"])
def test_a_librarys_line_has_our_form_and_not_what_it_quotes(log: Path, name: str) -> None:
    logging.getLogger(name).error("no %s for %s\nand more", "answer", PHONE)
    (line,) = written(log)
    assert (line["event"], line["logger"], line["text"]) == ("library", name, "no %s for %s")
    assert PHONE not in log.read_text()


def test_an_error_is_told_by_type_and_place(log: Path) -> None:
    try:
        int(PHONE + "x")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
        structlog.get_logger().exception("duty.failed", service="intake")
    errors = [str(line["error"]) for line in written(log)]
    assert len(errors) == 2
    assert all(error.startswith("ValueError at test_logs.py:") for error in errors)
    assert PHONE not in log.read_text()


def test_a_line_carries_the_trace_it_belongs_to(log: Path) -> None:
    with traced(None) as traceparent:
        structlog.get_logger().warning("relay.waiting", service="intake")
    assert written(log)[0]["trace"] == traceparent.split("-")[1]


def test_a_broker_that_is_still_starting_is_no_error(log: Path) -> None:
    logging.getLogger("aiokafka.consumer.group_coordinator").error("Group Coordinator Request failed: %s", "15")
    assert written(log) == []


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "{}",
        '{"timestamp": "2026-11-24T10:00:00.000000Z", "level": "info", "event": "Not a name"}',
        '{"timestamp": "2026-11-24T10:00:00.000000Z", "level": "info", "event": "a.b", "phone": "13987654321"}',
        '{"timestamp": "2026-11-24T10:00:00.000000Z", "level": "info", "event": "a.b", "service": 7}',
    ],
)
def test_the_schema_takes_nothing_else(line: str) -> None:
    assert not is_log_line(line)
