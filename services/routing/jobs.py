"""The clocks of routing: every row that is due is moved, in batches, by one statement each.

The order matters: what has timed out is moved first, so that a reminder whose deadline has passed as well is never
told. Any number of workers may run; a killed one loses nothing.
"""

from collections import Counter as Counted

import structlog
from prometheus_client import Counter, Gauge

from services.routing import commands
from services.routing.domain import ladder
from services.routing.store import whistles, writing
from shared.contracts.levels import LEVEL
from shared.db import transaction
from shared.service import Context

log = structlog.get_logger()

BATCH = writing.BATCH
MOVED = Counter("chuishao_escalations_total", "Cases moved by the clock", ["level"])
OVERDUE = Gauge("chuishao_deadlines_overdue", "Cases due for more than a second and not moved")
IDLE = 1.0
"""Longest sleep of the clock in seconds: the worker sleeps until the next due time, at most this."""


async def tick(ctx: Context) -> float:
    """Job: moves everything that is due; returns the seconds until something will be."""
    while await escalate_due(ctx) == BATCH:
        pass
    for step in (remind, nag, end_waits, list_promises):
        while await step(ctx) == BATCH:
            pass
    async with transaction(ctx.engine) as conn:
        until = (await conn.execute(writing.NEXT)).scalar_one()
    return IDLE if until is None else min(IDLE, max(0.005, float(until)))


async def escalate_due(ctx: Context, batch: int = BATCH) -> int:
    """Moves up to `batch` cases whose accept-by or resolve-by has passed: one level up, with a full new term; at
    community they stay and come onto the supervision list. Tells CaseEscalated or CaseSupervised."""
    async with transaction(ctx.engine) as conn:
        await writing.lock_ladder(conn)
        due = (await conn.execute(writing.LOCK_DUE, {"batch": batch})).scalars().all()
        moves = [
            {"id": str(id_), "event": "escalated", "why": None, "first": None, "top": ladder.COMMUNITY} for id_ in due
        ]
        moved = Counted(row["rank"] for row in await writing.move(conn, moves))
    for rank, count in moved.items():
        MOVED.labels(LEVEL[rank]).inc(count)
    return len(due)


async def remind(ctx: Context) -> int:
    """催办 at three quarters of a term, once per clock. Tells CaseReminded."""
    async with transaction(ctx.engine) as conn:
        rows = (await conn.execute(writing.REMIND, {"batch": BATCH})).mappings().all()
        await writing.tell(
            conn, [{"id": str(r["id"]), "event": "reminded", "detail": {"clock": r["clock"]}} for r in rows]
        )
    return len(rows)


async def nag(ctx: Context) -> int:
    """Reminds residents: of "solved?" on its days, of a question once. Tells CaseStillAsking or CaseAskReminded."""
    async with transaction(ctx.engine) as conn:
        rows = (await conn.execute(writing.NAG, {"batch": BATCH})).mappings().all()
        await writing.tell(
            conn,
            [
                {
                    "id": str(r["id"]),
                    "event": "still-asking" if r["phase"] == "resolved" else "ask-reminded",
                    "detail": {"n": r["n"]},
                }
                for r in rows
            ],
        )
    return len(rows)


async def end_waits(ctx: Context) -> int:
    """No answer in time: a resolved case closes as `unanswered`; a question's clock goes on.
    Tells CaseClosed or CaseReplied."""
    async with transaction(ctx.engine) as conn:
        rows = (await conn.execute(writing.LOCK_WAITED, {"batch": BATCH})).mappings().all()
        silent = [r["id"] for r in rows if r["phase"] == "resolved"]
        asked = [r["id"] for r in rows if r["phase"] != "resolved"]
        if silent:
            await conn.execute(
                writing.CLOSE, {"ids": silent, "how": "unanswered", "ended_by": "resolved", "reply": None}
            )
        if asked:
            await conn.execute(writing.RESUME, {"ids": asked})
        await writing.tell(
            conn,
            [{"id": str(i), "event": "closed", "detail": {"how": "unanswered"}} for i in silent]
            + [{"id": str(i), "event": "replied", "detail": {"by": "clock"}} for i in asked],
        )
    return len(rows)


async def list_promises(ctx: Context) -> int:
    """A promise to the resident has passed: nothing moves, but it comes onto the supervision list, once."""
    async with transaction(ctx.engine) as conn:
        due = (await conn.execute(writing.LOCK_PROMISED, {"batch": BATCH})).scalars().all()
        if due:
            await commands.supervise(conn, due, "promise")
    return len(due)


async def audit(ctx: Context) -> float:
    """Job, independent of the clock: says how many deadlines are due and unmoved."""
    async with transaction(ctx.engine) as conn:
        overdue = int((await conn.execute(writing.OVERDUE, {"seconds": 2})).scalar_one())
    OVERDUE.set(overdue)
    if overdue:
        log.error("auditor.overdue", cases=overdue)
    return 10.0


async def chase(ctx: Context) -> float:
    """Job: the clocks of whistles. A missed report-in is yellow at 100 %, red at 150 %, on the supervision list at
    200 %; a result nobody confirms comes there too. Tells WhistleOverdue and WhistleSupervised."""
    async with transaction(ctx.engine) as conn:
        rows = (await conn.execute(whistles.CHASE, {"batch": BATCH})).mappings().all()
        for row in rows:
            said = {"id": str(row["id"]), "actor": None, "text": None}
            if row["state"] != "result":
                await whistles.tell(conn, [{**said, "event": "overdue", "detail": {}}])
            if row["state"] == "result" or row["overdue"] == "supervision":
                await whistles.tell(conn, [{**said, "event": "supervised", "detail": {"why": row["supervised_why"]}}])
        until = (await conn.execute(whistles.NEXT)).scalar_one()
    return IDLE if until is None else min(IDLE, max(0.005, float(until)))
