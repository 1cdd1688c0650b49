"""`deadlines/procrastinate`: 10,000 cases due at once, against a job each in procrastinate, a queue on PostgreSQL.

Same PostgreSQL, same rows written: a job moves its case by our own statement, in a transaction of its own. Its jobs
were queued for that moment before the clock starts, its worker is up, runs as many at once as serve it best on two
cores, and ends when nothing is left, so that no poll is waited for.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import procrastinate
from sqlalchemy import make_url, text

from bench.pending import LATE, keep_still, put_cases, vacuum
from bench.row import Row, medians_of
from bench.servers import KEYS, Bench
from services.routing.domain import ladder
from services.routing.jobs import escalate_due
from services.routing.store import writing
from shared.db import make_engine, service_url, transaction

NAME = "deadlines/procrastinate"
DUE, QUICK = 10_000, 500
AT_ONCE = 8
MOVED = text("SELECT count(*) FROM routing.history WHERE seq = 2")


async def measure(bench: Bench) -> Row:
    due = QUICK if bench.quick else DUE

    async def ours() -> float:
        async with bench.district() as url:
            await _put(url, due)
            async with bench.context(url, "routing") as ctx:
                began = time.perf_counter()
                while await escalate_due(ctx):
                    pass
                return due / (time.perf_counter() - began)

    async def theirs() -> float:
        async with bench.district() as url:
            return due / await _queued(url, await _put(url, due))

    mine, other = await medians_of(bench.runs, ours, theirs)
    return Row(NAME, "cases/s", mine, bench.runs, other, at_least=20)


async def _put(url: str, due: int) -> list[UUID]:
    owner = make_engine(url, pool=1)
    async with transaction(owner) as conn:
        await keep_still(conn)
        await put_cases(conn, LATE, due)
    await vacuum(owner)
    async with transaction(owner) as conn:
        ids = list((await conn.execute(text("SELECT id FROM routing.cases ORDER BY next_at"))).scalars())
    await owner.dispose()
    return ids


async def _queued(url: str, cases: list[UUID]) -> float:
    """Seconds until every job is done."""
    place = make_url(url)
    login = {"host": str(place.query["host"]), "dbname": place.database, "user": place.username}
    connector = procrastinate.PsycopgConnector(kwargs={**login, "options": "-c search_path=queue,public"})
    app = procrastinate.App(connector=connector)
    owner = make_engine(url, pool=1)
    engine = make_engine(service_url(url, "routing", KEYS), pool=AT_ONCE)

    @app.task(name="escalate")
    async def escalate(case: str) -> None:
        move = {"id": case, "event": "escalated", "why": None, "first": None, "top": ladder.COMMUNITY}
        async with transaction(engine) as conn:
            await writing.lock_ladder(conn)
            await writing.lock_case(conn, UUID(case))
            await writing.move(conn, [move])

    async with transaction(owner) as conn:
        await conn.execute(text("CREATE SCHEMA queue"))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        at = datetime.now(UTC) + timedelta(seconds=0.5)
        await escalate.configure(schedule_at=at).batch_defer_async(*({"case": str(case)} for case in cases))
        await vacuum(owner)
        await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
        began = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=AT_ONCE, install_signal_handlers=False)
        seconds = time.perf_counter() - began
    async with transaction(owner) as conn:
        assert (await conn.execute(MOVED)).scalar_one() == len(cases)
    await engine.dispose()
    await owner.dispose()
    return seconds
