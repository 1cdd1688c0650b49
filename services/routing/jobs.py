"""The clocks of routing: every row that is due is moved, in batches, by one statement each.

The order matters: what has timed out is moved first, so that a reminder whose deadline has passed as well is never
told. Any number of workers may run side by side; a killed one loses nothing.
"""

from functools import partial
from typing import Any

from prometheus_client import Histogram
from sqlalchemy import Row

from services.routing import commands
from services.routing.domain import ladder
from services.routing.store import whistles, writing
from shared.db import transaction
from shared.service import Context
from shared.telemetry import recording, spans
from shared.telemetry.tracing import Told

BATCH = writing.BATCH
LATE = Histogram(
    "chuishao_deadline_lateness_seconds",
    "How long after its deadline, by the clock of the rules, a case was moved",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
TIMED_OUT: Told = ("case timed out", {})
SHORTEST = 0.005
IDLE = 1.0
"""Longest sleep of the clock in seconds: the worker sleeps until the next due time, at most this."""


async def tick(ctx: Context) -> float:
    """Job: moves what is due; returns the seconds until something will be. One look tells which of the steps there is
    anything for: most of the time for none, or for one. A batch of each, then the next look: nothing waits for a rush
    of something else."""
    async with transaction(ctx.engine) as conn:
        due = (await conn.execute(writing.DUE)).one()
    lanes = 1 if due.timed_out > BATCH else writing.LANES  # in a rush the other lanes are for other workers
    steps = (
        (due.timed_out, partial(escalate_due, lanes=lanes)),
        (due.to_remind, remind),
        (due.to_nag, nag),
        (due.waited, end_waits),
        (due.promised, list_promises),
    )
    for wanted, step in steps:
        if wanted:
            await step(ctx)
    if any(wanted for wanted, _ in steps):
        return SHORTEST  # what is left, and what became due meanwhile
    return IDLE if due.until is None else min(IDLE, max(SHORTEST, float(due.until)))


async def escalate_due(ctx: Context, batch: int = BATCH, lanes: int = writing.LANES) -> int:
    """Moves up to `batch` cases whose accept-by or resolve-by has passed: one level up, with a full new term; at
    community they stay and come onto the supervision list. Tells CaseEscalated or CaseSupervised.

    Emergencies go first; those of one grid in the order of their deadlines, also when several workers move."""
    async with transaction(ctx.engine) as conn:
        await writing.lock_ladder(conn)
        due = await writing.lock_due(conn, batch, lanes)
        with spans("routing", "INTERNAL", [row.traceparent for row in due], lambda _: TIMED_OUT) as begun:
            await writing.move(conn, [_timed_out(*each) for each in zip(due, begun, strict=True)])
    for row in due:
        LATE.observe(row.late)
    return len(due)


def _timed_out(row: Row[Any], traceparent: str | None) -> dict[str, Any]:
    move = {"id": str(row.id), "event": "escalated", "why": None, "first": None, "top": ladder.COMMUNITY}
    # Without a span of ours the case's own trace is as good, and the statement has it at hand.
    return move | {"traceparent": traceparent} if recording() else move


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
