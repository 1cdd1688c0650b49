"""`policy/replay`: a month of 100,000 cases under other hours, against the same rule asking the database for every
deadline.

Both sides read the same record with the same statement. The other side asks `due()` and `open_between()` of PostgreSQL
row by row, for a part of the cases; its time is that part's, as many times over. Ours must be there within 60 s.
"""

import asyncio
import time
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.pending import vacuum
from bench.row import Row, medians_of
from bench.servers import Bench
from services.routing import replaying
from services.routing.domain import replay
from services.routing.domain.replay import Running, Terms
from services.routing.policy import Policy, load, parse
from shared.calendar.spans import EPOCH
from shared.db import make_engine, transaction
from shared.service import Context

NAME = "policy/replay"
CASES, QUICK, BY_ROW = 100_000, 5_000, 500
PROMISED = 60.0
"""Seconds."""

# A month of cases: each climbs by timeouts to one of five levels, where it is accepted and resolved; every fifth of
# them after a question.
FILL = text("""
WITH n AS MATERIALIZED (
    SELECT uuidv7() AS id, n, 1 + n % 5 AS top, clock_now() - interval '35 days' + random() * interval '28 days' AS at
      FROM generate_series(1, CAST(:cases AS int)) n
),
cases AS (
    INSERT INTO routing.cases (id, number, category, urgency, class, policy, place, start_rank, rank, grid, hop,
                               opened_at, phase, closed_how, seq)
    SELECT id, n::text, 'FAC.light', 'ordinary', 'ordinary', f.policy, uuidv7(), 1, top, uuidv7(), top, at, 'closed',
           'confirmed', top + 2
      FROM n CROSS JOIN routing.policy_in_force f
),
stays AS MATERIALIZED (
    SELECT n.id, n.n, r AS rank, n.top, n.at + interval '10 hours' * (r - 1) AS since,
           interval '1 minute' * (n.n % 600) AS took
      FROM n CROSS JOIN LATERAL generate_series(1, n.top) r
),
hops AS (
    INSERT INTO routing.hops (case_id, hop, rank, grid, holder_kind, holder_person, since, accepted_at, until, ended_by)
    SELECT id, rank, rank, uuidv7(), 'person', uuidv7(), since, CASE WHEN rank = top THEN since + took END,
           CASE WHEN rank = top THEN since + took * 3 ELSE since + interval '10 hours' END,
           CASE WHEN rank = top THEN 'resolved' ELSE 'accept_timeout' END
      FROM stays
)
INSERT INTO routing.history (case_id, seq, at, kind, hop, rank)
SELECT id, rank, since, CASE rank WHEN 1 THEN 'opened' ELSE 'escalated' END, rank, rank FROM stays
UNION ALL SELECT id, top + 1, since + took, 'accepted', top, top FROM stays WHERE rank = top
UNION ALL SELECT id, top + 2, since + took * 3, 'resolved', top, top FROM stays WHERE rank = top
UNION ALL SELECT id, top + 3, since + took * 1.5, 'asked', top, top FROM stays WHERE rank = top AND n % 5 = 0
UNION ALL SELECT id, top + 4, since + took * 2, 'replied', top, top FROM stays WHERE rank = top AND n % 5 = 0
""")
DUE = text("SELECT due(:c, to_timestamp(CAST(:a AS float8) / 1000000), CAST(:t AS bigint))")
BETWEEN = text(
    "SELECT open_between(:c, to_timestamp(CAST(:a AS float8) / 1000000), to_timestamp(CAST(:b AS float8) / 1000000))"
)


def longer() -> Policy:
    """The default with twice the hours of a volunteer."""
    body = load("default").body()
    body["urgencies"]["ordinary"]["accept"] |= {"micro": "8h", "small": "8h", "middle": "16h", "large": "16h"}
    return parse({**body, "name": "longer"})


async def ours(ctx: Context, since: datetime, until: datetime, cases: int) -> float:
    """Seconds."""
    policy = longer()
    began = time.perf_counter()
    async with transaction(ctx.engine) as conn:
        found = await replaying.replay_policy(conn, policy, since, until)
    assert found["cases"] == cases, found["cases"]
    return time.perf_counter() - began


class Asking:
    """A calendar that asks the database, from a thread that is not the connection's."""

    def __init__(self, conn: AsyncConnection, name: str) -> None:
        self._conn, self._name, self._loop = conn, name, asyncio.get_running_loop()

    def due(self, at: int, left: int) -> int:
        asked = self._conn.scalar(DUE, {"c": self._name, "a": at, "t": left})
        found: datetime = asyncio.run_coroutine_threadsafe(asked, self._loop).result()
        return (found - EPOCH) // timedelta(microseconds=1)

    def between(self, since: int, until: int) -> int:
        asked = self._conn.scalar(BETWEEN, {"c": self._name, "a": since, "b": until})
        return int(asyncio.run_coroutine_threadsafe(asked, self._loop).result())


async def row_by_row(ctx: Context, since: datetime, until: datetime, cases: int) -> float:
    """Seconds, as many times over as there are more cases."""
    policy = longer()
    async with transaction(ctx.engine) as conn:
        clocks = {
            rank: tuple(Running(Asking(conn, c.calendar), c.microseconds) if c else None for c in both)
            for rank, *both in policy.ladder("ordinary")
        }
        terms = Terms(clocks, policy.microseconds(policy.whistle.rest))  # type: ignore[arg-type]
        where = {"since": since, "until": until, "kinds": replaying.KINDS}
        began = time.perf_counter()
        rows = (await conn.execute(text(f"{replaying.RECORD.text} LIMIT {BY_ROW}"), where)).mappings().all()
        end = (until - EPOCH) // timedelta(microseconds=1)
        for row in rows:
            stays = replaying.read_stays(row["stays"], row["marks"] or ())
            await asyncio.to_thread(lambda stays=stays: list(replay.replayed(stays, terms, end)))
        return (time.perf_counter() - began) * cases / len(rows)


async def measure(bench: Bench) -> Row:
    cases = QUICK if bench.quick else CASES
    async with bench.district() as url:
        owner = make_engine(url, pool=1)
        async with transaction(owner) as conn:
            await conn.execute(FILL, {"cases": cases})
            until: datetime = (await conn.execute(text("SELECT clock_now()"))).scalar_one()
        await vacuum(owner)
        await owner.dispose()
        bench.say(f"{cases:,} cases of a month")
        since = until - timedelta(days=60)
        async with bench.context(url, "routing") as ctx:
            mine, theirs = await medians_of(
                bench.runs,
                lambda: ours(ctx, since, until, cases),
                lambda: row_by_row(ctx, since, until, cases),
            )
    assert mine <= PROMISED, f"the replay took {mine:.1f} s"
    return Row(NAME, "s", mine, bench.runs, theirs, at_most=0.2)
