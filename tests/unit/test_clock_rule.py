"""No rule reads Python's clock: what is due, held, late or open is decided by the database's `clock_now()`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted((ROOT / "services").rglob("*.py"))
STATEMENTS = sorted((ROOT / "services").rglob("*.sql")) + SERVICES

# Files that may, and why. Nothing of the domain is among them.
REAL_TIME = {
    "services/notify/channels/alibaba.py": "a provider checks its signature, and files its sendings, by real time",
    "services/notify/jobs.py": "a call ends before its lease, which is the server's real time",
}
TYPES = {"datetime", "date"}
METHODS = {"now", "utcnow", "today"}
FUNCTIONS = {"time", "time_ns", "monotonic", "monotonic_ns", "localtime", "gmtime"}
# The server's own clock in SQL, and notify's columns that live by it: leases, tokens, a card's next try, incidents.
SERVER_CLOCK = re.compile(
    r"(?<!clock_)\bnow\(\)|current_timestamp|current_date|localtimestamp|(clock|statement|transaction)_timestamp", re.I
)
REAL_COLUMNS = {"notify": re.compile(r"lease|begun_at|expires_at|\bnext_at\b|looked_at|seen_at|told_at|ended_at")}
NONE = re.compile(r"(?!)")


def clock_reads(source: str) -> Iterator[int]:
    """Lines that read Python's clock."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "time"
            and {each.name for each in node.names} & FUNCTIONS
        ):
            yield node.lineno
        if isinstance(node, ast.Attribute) and (
            (node.attr in METHODS and ast.unparse(node.value).rpartition(".")[2] in TYPES)
            or (node.attr in FUNCTIONS and isinstance(node.value, ast.Name) and node.value.id == "time")
        ):
            yield node.lineno


@pytest.mark.parametrize("file", [str(each.relative_to(ROOT)) for each in SERVICES])
def test_no_service_reads_pythons_clock(file: str) -> None:
    assert bool(list(clock_reads((ROOT / file).read_text()))) == (file in REAL_TIME)


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "time.time()",
        "from time import monotonic",
        "field(default_factory=datetime.now)",
    ],
)
def test_the_rule_knows_every_way_to_read_it(source: str) -> None:
    assert list(clock_reads(source)) == [1]


@pytest.mark.parametrize("file", [str(each.relative_to(ROOT)) for each in STATEMENTS])
def test_statements_ask_the_shifted_clock_and_nothing_of_the_domain_the_servers_own(file: str) -> None:
    lines = (ROOT / file).read_text().splitlines()
    by_it = REAL_COLUMNS.get(Path(file).parts[1], NONE)
    assert [line for line in lines if SERVER_CLOCK.search(line) and not by_it.search(line)] == []
