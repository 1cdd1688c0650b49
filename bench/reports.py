"""`report/sqlmodel`, `report/empty-route`: what one process takes in reports through HTTP, over 64 connections.

All three sides are routes of the same process with the same server, edge and pool. The other side writes the same two
rows (issue, event) through an SQLModel session, as one writes it first, and looks up the place and the time; it looks
for no duplicates, draws its numbers in the process and keeps no idempotency key. The empty route takes nothing, does
nothing and answers nothing. Callers are residents with tokens, and every report carries an Idempotency-Key, as the
pages send it.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import cycle, islice

from sqlalchemy import text

from bench.http import load, request
from bench.row import Row, medians_of
from bench.servers import KEYS, Bench
from shared.auth import Principal, issue_token
from shared.db import make_engine, transaction
from shared.ids import new_id

SQLMODEL, EMPTY = "report/sqlmodel", "report/empty-route"
CONNECTIONS, CALLERS = 64, 1_000
OURS, THEIRS, NOTHING = "/api/intake/issues", "/sqlmodel/issues", "/empty/nothing"
REPORTS = {OURS: 6_000, THEIRS: 1_500, NOTHING: 12_000}
"""Requests of a run, by path: a few seconds' worth of each."""
WORDS = "三号楼二单元三层到四层之间的楼道灯坏了两天，晚上老人上下楼看不见台阶，请来看看（{n}）"


class Reports:
    """Requests, and the rate at which the server answers them."""

    def __init__(self, port: int, places: list[str], *, quick: bool) -> None:
        self._port = port
        self._places = cycle(places)
        self._tokens = cycle([issue_token(KEYS, Principal(person=new_id())) for _ in range(CALLERS)])
        self._quick = quick

    async def per_second(self, path: str) -> float:
        count = REPORTS[path] // (10 if self._quick else 1)
        await load(self._port, list(islice(self._requests(path), count // 10)), CONNECTIONS)  # warm
        answers = await load(self._port, list(islice(self._requests(path), count)), CONNECTIONS)
        answers.only(200 if path == NOTHING else 201)
        return count / answers.seconds

    def _requests(self, path: str):  # type: ignore[no-untyped-def]
        while True:
            if path == NOTHING:
                yield request(path)
                continue
            body = {
                "category": "FAC.light",
                "text": WORDS.format(n=secrets.token_hex(4)),
                "place": {"grid": next(self._places)},
            }
            yield request(path, body=body, token=next(self._tokens), key=secrets.token_hex(16))


@asynccontextmanager
async def reporting(bench: Bench) -> AsyncIterator[Reports]:
    async with bench.district() as url, bench.process(url, "-m", "bench.report_server") as (_, port):
        owner = make_engine(url, pool=1)
        async with transaction(owner) as conn:
            found = await conn.execute(text("SELECT code FROM directory.grid WHERE rank = 1 ORDER BY md5(code)"))
            places = list(found.scalars())
        await owner.dispose()
        yield Reports(port, places, quick=bench.quick)


def _against(name: str, path: str, at_least: float) -> Callable[[Bench], Awaitable[Row]]:
    async def measure(bench: Bench) -> Row:
        async with reporting(bench) as reports:
            ours, other = await medians_of(
                bench.runs, lambda: reports.per_second(OURS), lambda: reports.per_second(path)
            )
        return Row(name, "reports/s" if path == THEIRS else "requests/s", ours, bench.runs, other, at_least=at_least)

    return measure


ROWS = {SQLMODEL: _against(SQLMODEL, THEIRS, 3), EMPTY: _against(EMPTY, NOTHING, 0.5)}
