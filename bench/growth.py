"""`growth`: what 1,000 deadlines a second cost with 10 million cases in the table, against 10 thousand.

The table grows to 10 thousand, 100 thousand, 1 million and 10 million pending cases; at each size the same is measured:
fresh cases fall due at 1,000 a second and the clock of routing moves them as they do. The cost is the processor time of
this process and of its sessions in PostgreSQL, in milliseconds for each 1,000 deadlines.
"""

import asyncio
from datetime import timedelta
from statistics import median

import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.pending import LATER, STEADILY, keep_still, put_cases, vacuum
from bench.row import Row
from bench.servers import Bench
from services.routing.jobs import tick
from shared.db import clock_now, make_engine, transaction
from shared.service import Context

NAME = "growth"
SIZES, QUICK = (10_000, 100_000, 1_000_000, 10_000_000), (10_000, 100_000)
RATE, SECONDS, AHEAD, CHUNK = 1_000, 5, 2, 1_000_000
SESSIONS = text("SELECT pid FROM pg_stat_activity WHERE usename = 'chuishao_routing'")
LEFT = text("SELECT count(*) FROM cases WHERE next_at < clock_now() + interval '1 hour'")
NEWEST = "SELECT id FROM routing.cases ORDER BY id DESC LIMIT :count"


async def measure(bench: Bench) -> Row:
    costs = []
    async with bench.district() as url, bench.context(url, "routing") as ctx:
        owner = make_engine(url, pool=1)
        there = 0
        for size in QUICK if bench.quick else SIZES:
            await grow(owner, size - there)
            there = size
            costs.append(median([await cost(ctx, owner) for _ in range(bench.runs)]))
            bench.say(f"{size:,} cases: {costs[-1]:.0f} ms of processor time for 1,000 deadlines")
        await owner.dispose()
    return Row(NAME, "ms/1,000", costs[-1], bench.runs, costs[0], at_most=1.3)


async def grow(owner: AsyncEngine, by: int) -> None:
    """Puts more cases that wait."""
    for begun in range(0, by, CHUNK):
        async with transaction(owner) as conn:
            await keep_still(conn)
            await put_cases(conn, LATER, min(CHUNK, by - begun))
    await vacuum(owner)


async def cost(ctx: Context, owner: AsyncEngine) -> float:
    """Milliseconds for 1,000 deadlines. Afterwards the table is as it was."""
    async with transaction(owner) as conn:
        since = await clock_now(conn) + timedelta(seconds=AHEAD)
        await put_cases(conn, STEADILY, RATE * SECONDS, since=since, rate=RATE)
    await tick(ctx)  # opens the sessions
    before = await _processor(ctx)
    while True:
        await asyncio.sleep(await tick(ctx))
        async with transaction(ctx.engine) as conn:
            now, left = await clock_now(conn), 0
            if now > since + timedelta(seconds=SECONDS):
                left = (await conn.execute(LEFT)).scalar_one()
                if left == 0:
                    break
    spent = await _processor(ctx) - before
    async with transaction(owner) as conn:
        values = {"count": RATE * SECONDS}
        await conn.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("history", "hops"):
            await conn.execute(text(f"DELETE FROM routing.{table} WHERE case_id IN ({NEWEST})"), values)
        await conn.execute(text(f"DELETE FROM routing.cases WHERE id IN ({NEWEST})"), values)
        await conn.execute(text("TRUNCATE routing.outbox"))
    await vacuum(owner)
    return 1_000 * spent / SECONDS


async def _processor(ctx: Context) -> float:
    """Seconds of processor time that this process and its sessions have taken so far."""
    async with transaction(ctx.engine) as conn:
        pids = (await conn.execute(SESSIONS)).scalars().all()
    times = [psutil.Process(pid).cpu_times() for pid in (psutil.Process().pid, *pids)]
    return sum(each.user + each.system for each in times)
