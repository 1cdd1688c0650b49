"""`rush`: 100,000 deadlines at 09:00:00 sharp, in a district with a million pending cases.

Two workers and an api of routing, one of each of intake, as processes of their own, on PostgreSQL and Kafka. Measured
is the time from 09:00:00 until the last of them has moved. Meanwhile people go on: they report, accept, report
emergencies. None of that may wait longer than a second, and no grid's cases move out of order.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
from sqlalchemy import text

from bench import pending
from bench.row import Row, median_of
from bench.servers import Bench
from chuishao.wiring import put_district, put_policy
from shared.auth import Principal, issue_token
from shared.db import make_engine, transaction
from tests.system.deployed import Deployed, both_servers, deployed

NAME = "rush"
AHEAD = 6.0
"""Seconds before the rush at which the clock is set, and people begin to act."""
LIMIT = 1.0
# A leader's own pending cases, not due for a day.
ACCEPTABLE = """
SELECT c.id, c.version, c.holder_person AS person, p.no FROM routing.cases c
  JOIN directory.v1_person p ON p.id = c.holder_person WHERE c.accept_by > clock_now() + interval '1 day' LIMIT 300
"""
OPENED = text("SELECT 1 FROM routing.cases WHERE id = :id")
LEFT = "SELECT count(*) FROM routing.cases WHERE next_at <= clock_now() AND number LIKE 'B%'"
MOVED = "SELECT count(*) FROM routing.history WHERE seq = 2 AND kind IN ('escalated', 'supervised')"
# Of two cases of one grid the one that was due later moved earlier.
DISORDER = """
SELECT count(*) FROM (
    SELECT m.at < lag(m.at) OVER (PARTITION BY h.grid ORDER BY o.at) AS wrong
      FROM routing.history m
      JOIN routing.history o ON o.case_id = m.case_id AND o.seq = 1
      JOIN routing.hops h ON h.case_id = m.case_id AND h.hop = 1
     WHERE m.seq = 2 AND m.kind IN ('escalated', 'supervised')) moves WHERE wrong
"""


@dataclass
class Found:
    """Seconds of a rush: until the last case had moved, and the longest that each kind of act took meanwhile."""

    moved: float = 0.0
    waits: dict[str, float] = field(default_factory=dict)
    cases: int = 0
    disorder: int = 0


class People:
    """Who goes on with their day during the rush."""

    def __init__(self, system: Deployed, http: httpx2.AsyncClient, acceptable: list[Any]) -> None:
        self.system, self.http, self.acceptable = system, http, acceptable
        self.engine = make_engine(system.postgres, pool=1)

    async def report(self, category: str = "FAC.light") -> UUID:
        body = {"category": category, "text": "楼道灯不亮了", "place": {"grid": self.place}, "phone": "13912400001"}
        answer = await self.http.post("/api/intake/issues", json=body)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def emergency(self) -> None:
        """From the report until somebody has it."""
        issue = await self.report("SAF.gas")
        while not await self._has_opened(issue):
            await asyncio.sleep(0.02)

    async def _has_opened(self, issue: UUID) -> bool:
        async with transaction(self.engine) as conn:
            return (await conn.execute(OPENED, {"id": issue})).scalar() is not None

    async def accept(self) -> None:
        case = self.acceptable.pop()
        token = issue_token(self.system.keys, Principal(person=case.person, no=case.no))
        answer = await self.http.post(
            f"/api/routing/cases/{case.id}/accept",
            json={"version": case.version},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.text

    async def settle_in(self) -> None:
        rows = await self.system.rows("SELECT code FROM directory.v1_grid WHERE rank = 1 AND void_at IS NULL LIMIT 1")
        self.place = rows[0].code
        for act in (self.report, self.emergency, self.accept):
            await act()


# All at once, and yet one after the other.
AT_ONCE = "clock_now() + interval '50 minutes' + n * interval '1 microsecond'"


async def _fill(system: Deployed, folder: Path, size: pending.Size, say: Callable[[str], None]) -> None:
    admin = await asyncpg.connect(host=str(folder / "postgres" / "postgres" / "socket"), user="postgres")
    await admin.execute("GRANT SET ON PARAMETER session_replication_role TO chuishao")
    await admin.close()
    owner = make_engine(system.postgres, pool=1)
    await put_policy(owner, "default")
    await put_district(owner, system.keys, "seed", say)
    for at, count in ((AT_ONCE, size.due), (pending.LATER, size.pending - size.due)):
        async with transaction(owner) as conn:
            await pending.put_cases(conn, at, count)
    async with transaction(owner) as conn:
        await pending.keep_still(conn)
    await pending.vacuum(owner)
    await owner.dispose()


@asynccontextmanager
async def at_the_door(bench: Bench, size: pending.Size) -> AsyncIterator[tuple[Deployed, People]]:
    """A system whose rush begins in `AHEAD` seconds."""
    with TemporaryDirectory(prefix="chuishao-rush-", ignore_cleanup_errors=True) as folder:
        workers = {"intake": 1, "routing": 2}
        async with (
            both_servers(Path(folder)) as (_, _, servers),
            deployed(
                Path(folder) / "services",
                servers,
                workers,
                fill=lambda system: _fill(system, Path(folder), size, bench.say),
            ) as system,
            httpx2.AsyncClient(base_url=system.url, timeout=30) as http,
        ):
            people = People(system, http, list(await system.rows(ACCEPTABLE)))
            await people.settle_in()
            yield system, people
            await people.engine.dispose()


async def rush(bench: Bench) -> Found:
    found = Found()
    size = bench.size
    async with at_the_door(bench, size) as (system, people):
        async with transaction(people.engine) as conn:
            statement = (
                "UPDATE clock_shift SET shift = shift - make_interval(secs => :ahead)"
                " + ((SELECT min(accept_by) FROM routing.cases WHERE number LIKE 'B%') - clock_now())"
            )
            await conn.execute(text(statement), {"ahead": AHEAD})
        began = time.monotonic() + AHEAD
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for act in (people.report, people.emergency, people.accept):
                group.create_task(_again_and_again(act, over, found.waits))
            await asyncio.sleep(began - time.monotonic())
            while int((await system.rows(LEFT))[0][0]) or time.monotonic() < began + 1:
                await asyncio.sleep(0.1)
            found.moved = time.monotonic() - began
            over.set()
        found.cases = int((await system.rows(MOVED))[0][0])
        found.disorder = int((await system.rows(DISORDER))[0][0])
    bench.say(
        f"{found.cases:,} deadlines moved in {found.moved:.1f} s, {found.disorder} out of order in their grid; longest:"
        + ",".join(f" {name} {seconds:.2f} s" for name, seconds in found.waits.items())
    )
    return found


async def _again_and_again(act: Callable[[], Awaitable[Any]], over: asyncio.Event, waits: dict[str, float]) -> None:
    """Five times a second."""
    while not over.is_set():
        began = time.monotonic()
        await act()
        waits[act.__name__] = max(waits.get(act.__name__, 0.0), time.monotonic() - began)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), 0.2)


async def measure(bench: Bench) -> Row:
    async def once() -> float:
        found = await rush(bench)
        assert found.cases == bench.size.due, f"{found.cases} were moved"
        assert found.disorder == 0, f"{found.disorder} moved out of order"
        assert max(found.waits.values()) <= LIMIT, f"something waited: {found.waits}"
        return found.moved

    return Row(NAME, "s", await median_of(bench.runs, once), bench.runs, at_most=10.0)
