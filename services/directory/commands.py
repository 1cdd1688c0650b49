"""What can be done with the directory besides importing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory import store
from services.directory.domain.posts import PostKind, may_stand, shown_posts
from shared.auth import Principal
from shared.contracts.directory import AbsenceChanged, PostChanged
from shared.db import LADDER_EXCLUSIVE
from shared.messaging.events import NewEvent
from shared.messaging.outbox import publish
from shared.problems import forbidden, invalid, not_found


@dataclass(frozen=True)
class Absence:
    """Away from `since` until just before `until`; `stand_in` is a number of the workbook."""

    since: datetime
    until: datetime
    stand_in: str | None


# -- reading --------------------------------------------------------------------------------------------
async def grid_answer(conn: AsyncConnection, caller: Principal, code: str) -> dict[str, Any]:
    """A grid with its posts. Who holds its posts is for staff only. Raises not-found."""
    return (await grid_answers(conn, caller, [await known_grid(conn, code)]))[0]


async def grid_answers(conn: AsyncConnection, caller: Principal, grids: Sequence[RowMapping]) -> list[dict[str, Any]]:
    held = await store.holders(conn, [grid["id"] for grid in grids]) if caller.is_staff else {}
    return [
        {
            "code": grid["code"],
            "level": grid["level"],
            "village": grid["village"],
            "label": grid["label"],
            "kind": grid["kind"],
            "path": grid["path"],
            "parent": grid["above"],
            "posts": shown_posts(grid["level"], held[grid["id"]]) if caller.is_staff else [],
        }
        for grid in grids
    ]


async def known_grid(conn: AsyncConnection, code: str) -> RowMapping:
    """Raises not-found for a code that is unknown or void."""
    grid = await store.find_grid(conn, code)
    if grid is None:
        raise not_found()
    return grid


# -- absences -------------------------------------------------------------------------------------------
async def may_set_absence(conn: AsyncConnection, caller: Principal, no: str) -> UUID:
    """The person's id, if the caller may set their absence: the person, a desk at or above one of their
    posts, an administrator. Raises forbidden for whoever else may know of them, else not-found."""
    found = await store.relation(conn, no, caller.person)
    if found is None:
        raise not_found()
    if caller.role == "admin" or caller.person == found.person or found.desk:
        return found.person
    raise forbidden() if caller.role or found.sees else not_found()


async def set_absence(conn: AsyncConnection, no: str, absence: Absence) -> dict[str, Any]:
    """Sets or replaces a person's absence; who may is `may_set_absence`. While away, the stand-in is tried at
    their posts, or nobody. Tells AbsenceChanged. Raises invalid."""
    await conn.execute(LADDER_EXCLUSIVE)
    if absence.until <= absence.since:
        raise invalid(("body", "to"), "要晚于开始时间", "must be later than `from`")
    person = await store.find_person(conn, no)
    if person is None:
        raise not_found()
    stand_in = await _known_person(conn, ("body", "stand_in"), absence.stand_in)
    if stand_in == person:
        raise invalid(("body", "stand_in"), "不能由本人代替", "must be somebody else")
    await store.set_absence(conn, person, absence.since, absence.until, stand_in)
    await _tell_absence(conn, person)
    return {
        "person": no,
        "from": absence.since.astimezone(UTC).isoformat(),
        "to": absence.until.astimezone(UTC).isoformat(),
        "stand_in": absence.stand_in,
    }


async def end_absence(conn: AsyncConnection, no: str) -> dict[str, Any]:
    """Lifts a person's absence, if there is one; who may is `may_set_absence`. Tells AbsenceChanged."""
    await conn.execute(LADDER_EXCLUSIVE)
    person = await store.find_person(conn, no)
    if person is None:
        raise not_found()
    if await store.end_absence(conn, person):
        await _tell_absence(conn, person)
    return {"person": no}


async def _tell_absence(conn: AsyncConnection, person: UUID) -> None:
    await publish(conn, [NewEvent(person, await store.take_seq(conn, person), AbsenceChanged(person=person))])


# -- posts ----------------------------------------------------------------------------------------------
async def may_set_post(conn: AsyncConnection, caller: Principal, code: str) -> None:
    """Administrators and command may. Raises not-found for an unknown grid, forbidden for anybody else."""
    await known_grid(conn, code)
    if caller.role not in ("admin", "command"):
        raise forbidden()


async def set_post(
    conn: AsyncConnection, caller: Principal, code: str, kind: PostKind, no: str | None
) -> dict[str, Any]:
    """Gives a post to a person, or leaves it vacant; whoever held it before leaves it.

    Who may is `may_set_post`. Tells PostChanged for each who left, or once when nobody did.
    Raises not-found, invalid.
    """
    await conn.execute(LADDER_EXCLUSIVE)
    grid = await known_grid(conn, code)
    if not may_stand(kind, grid["level"]):
        raise invalid(("path", "kind"), "这一层级没有这种岗位", "is no post of this level")
    now = await _known_person(conn, ("body", "person"), no)
    left: list[UUID | None] = [*await store.end_post(conn, grid["id"], kind, now)]
    begun = now is not None and await store.begin_post(conn, grid["id"], kind, now)
    changes = [PostChanged(grid=grid["id"], kind=kind, person=person, now=now) for person in left or [None] * begun]
    if changes:
        first = await store.take_seq(conn, grid["id"], len(changes))
        await publish(conn, [NewEvent(grid["id"], seq, change) for seq, change in enumerate(changes, first)])
    return await grid_answer(conn, caller, code)


async def _known_person(conn: AsyncConnection, loc: tuple[str, ...], no: str | None) -> UUID | None:
    person = await store.find_person(conn, no) if no is not None else None
    if no is not None and person is None:
        raise invalid(loc, "没有这个人", "names nobody of this district")
    return person
