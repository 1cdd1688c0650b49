"""Open cases follow people and the tree: between the moment somebody leaves a post, goes away or comes back, or a grid
is moved, merged or voided, and the next tick, their cases go to whoever is next."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import holding
from services.routing.domain import ladder
from services.routing.domain.states import LAST_NO
from services.routing.store import following as store
from services.routing.store import writing
from shared.db import LADDER_EXCLUSIVE, transaction
from shared.service import Context

IDLE = 1.0
"""Longest sleep of `follow` in seconds."""


async def posts_changed(conn: AsyncConnection, grids: Collection[UUID]) -> None:
    """Posts at these grids changed hands (the system): what is displaced there moves on. Tells CaseMoved, CaseHeld."""
    await writing.lock_ladder(conn)
    await move_displaced(conn, await store.lock_displaced(conn, grids, ()))


async def tree_changed(conn: AsyncConnection) -> None:
    """Grids were moved, merged or voided, or the district was imported (the system): whatever is displaced, anywhere,
    moves on; a whistle of a desk that is gone follows as well. Tells CaseMoved, CaseHeld."""
    await writing.lock_ladder(conn)
    await conn.execute(store.WHISTLES_FOLLOW)
    await move_displaced(conn, await store.lock_all_displaced(conn))


async def absences_changed(conn: AsyncConnection, persons: Collection[UUID]) -> None:
    """Absences of these persons were set, changed or lifted (the system): what is displaced by it moves on, now and
    when they begin or end. Tells CaseMoved, CaseHeld."""
    await writing.lock_ladder(conn)
    await _turned(conn, persons)


async def follow(ctx: Context) -> float:
    """Job: absences that begin or end by the clock. Takes the ladder for itself: a hop that was opened a moment before
    the absence began is seen."""
    async with transaction(ctx.engine) as conn:
        until = await store.until_next_turn(conn)
    if until is None or until > 0:
        return IDLE if until is None else min(IDLE, max(0.005, until))
    async with transaction(ctx.engine) as conn:
        await conn.execute(LADDER_EXCLUSIVE)
        await _turned(conn, await store.lock_turned(conn))
    return 0.005


async def _turned(conn: AsyncConnection, persons: Collection[UUID]) -> None:
    await store.note_turns(conn, persons)
    grids = await store.posts_of(conn, persons)
    await move_displaced(conn, await store.lock_displaced(conn, grids, persons))


async def move_displaced(conn: AsyncConnection, cases: Sequence[RowMapping]) -> None:
    """Moves locked cases to whoever is next, beginning with the same level, with a full new term; after the third "no"
    without one. What held a case goes on holding it."""
    moves = [
        {
            "id": str(case["id"]),
            "event": "moved",
            "why": "moved",
            "first": case["rank"],
            "top": ladder.DISTRICT,
            "clocks": case["noes"] < LAST_NO,
        }
        for case in cases
    ]
    await writing.move(conn, moves)
    await holding.hold_again(conn, cases)
