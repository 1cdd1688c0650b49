"""The form of bench/latest.json, and which figure a limit holds for."""

import asyncio

import pytest

from bench.__main__ import ROWS, table
from bench.http import HOST, load, request
from bench.row import Row, medians_of

BARE = Row("deadlines/bare", "cases/s", ours=6_000.0, runs=5, baseline=10_000.0, at_least=0.5)
IDLE = Row("memory/idle", "GiB", ours=0.9, runs=5, at_most=1.0)


def test_a_row_with_a_baseline_shows_both_sides_and_their_ratio() -> None:
    assert BARE.as_json() == {
        "name": "deadlines/bare",
        "ours": 6_000.0,
        "baseline": 10_000.0,
        "ratio": 0.6,
        "at_least": 0.5,
        "unit": "cases/s",
        "runs": 5,
    }


def test_a_row_without_a_baseline_has_no_ratio() -> None:
    assert IDLE.as_json() == {
        "name": "memory/idle",
        "ours": 0.9,
        "baseline": None,
        "ratio": None,
        "at_most": 1.0,
        "unit": "GiB",
        "runs": 5,
    }


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (BARE, True),
        (Row("r", "1/s", ours=4_999, runs=1, baseline=10_000, at_least=0.5), False),
        (IDLE, True),
        (Row("r", "GiB", ours=1.1, runs=1, at_most=1.0), False),
    ],
)
def test_a_limit_holds_for_the_ratio_where_there_is_a_baseline_else_for_our_figure(row: Row, kept: bool) -> None:
    assert row.kept is kept


async def test_both_sides_take_turns_and_each_goes_first() -> None:
    turns: list[str] = []

    async def ours() -> float:
        turns.append("ours")
        return float(len(turns))

    async def baseline() -> float:
        turns.append("baseline")
        return float(len(turns))

    assert await medians_of(3, ours, baseline) == (4.0, 3.0)
    assert turns == ["ours", "baseline", "baseline", "ours", "ours", "baseline"]


def test_the_rows_have_their_fixed_names() -> None:
    assert set(ROWS) >= {
        *("deadlines/bare", "deadlines/row-by-row", "deadlines/procrastinate", "growth", "lateness/p99"),
        *("lateness/early", "report/sqlmodel", "report/empty-route", "report-to-phone/p50", "report-to-phone/p99"),
        *("relay", "consumer", "pipeline", "up/existing", "memory/idle", "slot/earliest"),
    }


def test_a_row_without_a_limit_is_shown_and_kept() -> None:
    row = Row("pipeline", "issues/s", ours=10.0, runs=1)
    assert row.kept
    assert table([row]).row_count == 1


class Server(asyncio.Protocol):
    """Answers every request by its number, the third one with 500."""

    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"HTTP/1.1")):
            Server.answered += 1
            status, body = b"500" if Server.answered == 3 else b"200", str(Server.answered).encode()
            self.transport.write(b"HTTP/1.1 %s x\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))


async def test_a_load_counts_answers_by_status_and_keeps_their_bodies() -> None:
    server = await asyncio.get_running_loop().create_server(Server, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    answers = await load(port, [request("/x", body={"n": 1})] * 10, connections=2, keep=True)
    server.close()
    assert answers.statuses == {200: 9, 500: 1}
    assert sorted(map(int, answers.bodies)) == list(range(1, 11))
    with pytest.raises(AssertionError):
        answers.only(200)
