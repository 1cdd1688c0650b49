"""`deadlines/bare`: our escalation with its whole ladder against one bare statement that knows none.

Both take what is due in batches of the same size through the same library, move the case, and write a history row and
an event of the same content. The bare side has no path, candidates, absences, terms, working time or hops.
"""

import time

from sqlalchemy import text

from bench.row import Row, medians_of
from bench.servers import Bench
from services.routing.jobs import BATCH, escalate_due
from shared.db import transaction
from shared.service import Context

NAME = "deadlines/bare"

BARE = text("""
WITH due AS (
    SELECT id, public.clock_now() AS now FROM cases
     WHERE next_at <= public.clock_now() AND (accept_by <= public.clock_now() OR resolve_by <= public.clock_now())
     ORDER BY next_at LIMIT :batch FOR UPDATE SKIP LOCKED
),
moved AS (
    UPDATE cases c SET seq = c.seq + 1, version = c.version + 1, phase = 'assigned', hop = c.hop + 1,
           rank = least(c.rank + 1, 5), accept_since = d.now, accept_by = d.now + interval '8 hours',
           accept_remind = d.now + interval '6 hours', resolve_since = d.now,
           resolve_by = d.now + interval '48 hours', resolve_remind = d.now + interval '36 hours'
      FROM due d WHERE c.id = d.id
    RETURNING c.id, c.seq, c.hop, c.rank, d.now,
           facts(c) || jsonb_build_object('reason', 'accept_timeout', 'from_level', level_of(c.rank - 1),
               'from_hop', c.hop - 1, 'by', NULL, 'count', NULL, 'skipped', '[]'::jsonb) AS data
),
written AS (
    INSERT INTO history (case_id, seq, at, kind, hop, rank, detail)
    SELECT id, seq, now, 'escalated', hop, rank,
           jsonb_build_object('reason', 'accept_timeout', 'from_rank', rank - 1, 'skipped', 0)
      FROM moved
),
told AS (
    INSERT INTO outbox (topic, subject, seq, type, at, data)
    SELECT 'case', id, seq, 'cn.chuishao.routing.case.escalated.v1', now, data FROM moved
)
SELECT id, rank FROM moved
""")


async def bare(ctx: Context) -> int:
    """Moves a batch. Returns how many cases it were."""
    async with transaction(ctx.engine) as conn:
        return len((await conn.execute(BARE, {"batch": BATCH})).all())


async def ours_per_second(bench: Bench) -> float:
    """Cases a second that `escalate_due` moves until nothing is due."""
    async with bench.pending_cases() as ctx:
        began = time.perf_counter()
        moved = 0
        while batch := await escalate_due(ctx):
            moved += batch
        seconds = time.perf_counter() - began
    assert moved == bench.size.due, f"{moved} were moved"
    return moved / seconds


async def bare_per_second(bench: Bench) -> float:
    """Cases a second that the bare statement moves until nothing is due."""
    async with bench.pending_cases() as ctx:
        began = time.perf_counter()
        moved = 0
        while batch := await bare(ctx):
            moved += batch
        seconds = time.perf_counter() - began
    assert moved == bench.size.due, f"{moved} were moved"
    return moved / seconds


async def measure(bench: Bench) -> Row:
    ours, baseline = await medians_of(bench.runs, lambda: ours_per_second(bench), lambda: bare_per_second(bench))
    return Row(NAME, "cases/s", ours, bench.runs, baseline, at_least=0.5)
