"""`lateness/p99`, `lateness/early`: 200 deadlines a second fall due for a minute, and a worker of routing moves them.

The worker is a process of its own, as it is deployed, with its relay and its consumer. How late a case was moved is
told by PostgreSQL: the time of the commit that moved it, less its deadline. A move is early when the statement that
decided it began before the deadline.
"""

import asyncio
import time
from datetime import timedelta
from statistics import median

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.pending import STEADILY, keep_still, put_cases
from bench.row import Row
from bench.running import COMMAND
from bench.servers import Bench
from shared.db import clock_now, make_engine, transaction

P99, EARLY = "lateness/p99", "lateness/early"
RATE, SECONDS, AHEAD = 200, 60, 5

# A case's first deadline is kept by its first hop: it was due four hours after it opened.
FOUND = text("""
SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY late) AS p99, max(late) AS latest,
       count(*) FILTER (WHERE h.at < due.at) AS early
  FROM routing.history h JOIN routing.cases c ON c.id = h.case_id
 CROSS JOIN LATERAL (SELECT c.opened_at + interval '4 hours' AS at) due
 CROSS JOIN LATERAL (SELECT extract(epoch FROM pg_xact_commit_timestamp(h.xmin) - due.at) AS late) o
 WHERE h.seq = 2
""")


async def measured(bench: Bench) -> tuple[float, int]:
    """The median of the runs' p99 (s), and how many were moved early in all of them. Measured once."""
    if P99 not in bench.found:
        runs = [await _run(bench, 5 if bench.quick else SECONDS) for _ in range(bench.runs)]
        bench.found[P99] = median(p99 for p99, _ in runs), sum(early for _, early in runs)
    found: tuple[float, int] = bench.found[P99]
    return found


async def _run(bench: Bench, seconds: int) -> tuple[float, int]:
    kafka, prefix = await bench.broker()
    async with bench.district() as url:
        owner = make_engine(url, pool=1)
        worker = bench.process(
            url, str(COMMAND), "serve", "routing", "--role", "worker", kafka=kafka, topic_prefix=prefix
        )
        async with worker:
            async with transaction(owner) as conn:
                await keep_still(conn)
                since = await clock_now(conn) + timedelta(seconds=AHEAD)
                await put_cases(conn, STEADILY, RATE * seconds, since=since, rate=RATE)
            await _until_moved(owner, RATE * seconds, seconds)
        async with transaction(owner) as conn:
            row = (await conn.execute(FOUND)).one()
        await owner.dispose()
    bench.say(f"p99 {row.p99:.3f} s, latest {row.latest:.3f} s, {row.early} early")
    return float(row.p99), int(row.early)


async def _until_moved(owner: AsyncEngine, count: int, seconds: int) -> None:
    """Looks seldom: looking costs."""
    began = time.monotonic()
    await asyncio.sleep(AHEAD + seconds)
    while time.monotonic() - began < AHEAD + 2 * seconds + 10:
        async with transaction(owner) as conn:
            moved = (await conn.execute(text("SELECT count(*) FROM routing.history WHERE seq = 2"))).scalar_one()
        if moved == count:
            return
        await asyncio.sleep(0.5)
    raise RuntimeError(f"{moved} of {count} were moved")


async def p99(bench: Bench) -> Row:
    return Row(P99, "s", (await measured(bench))[0], bench.runs, at_most=0.1)


async def early(bench: Bench) -> Row:
    return Row(EARLY, "cases", (await measured(bench))[1], bench.runs, at_most=0)


ROWS = {P99: p99, EARLY: early}
