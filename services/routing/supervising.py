"""The supervision list 督办: who has a case or whistle in charge, the trail of notes, its own clock, and the way back
onto the ladder."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import commands, holding
from services.routing.domain import ladder
from services.routing.domain.states import OPEN
from services.routing.present import plain
from services.routing.store import reading, whistles, writing
from services.routing.store import supervising as store
from shared.auth import Principal
from shared.contracts.levels import RANK
from shared.db import transaction
from shared.problems import already_moved, forbidden, invalid, not_found, wrong_state
from shared.service import Context

BATCH = 500
IDLE = 1.0
"""Longest sleep of `review` in seconds."""


# -- reading ----------------------------------------------------------------------------------------------
def shown(row: RowMapping) -> dict[str, Any]:
    """A line of the list. `desk` has it in charge, `person` if it is one of that desk."""
    return {
        "kind": row["kind"],
        "id": row["id"],
        "case": row["case_id"],
        "why": row["why"],
        "since": row["since"],
        "grid": row["grid_code"],
        "desk": row["desk_code"],
        "person": row["person_no"],
        "review_at": row["review_at"],
        "notes": row["notes"],
    }


async def find(conn: AsyncConnection, caller: Principal, id_: UUID, *, deciding: bool = False) -> RowMapping:
    """What is on the list: command sees everything, a desk what lies below it. Raises not-found; `deciding` is for
    command, the district's desk and the one in charge: forbidden for others."""
    row = await store.one(conn, id_, person=caller.person, everything=caller.role == "command")
    if row is None:
        raise not_found()
    if deciding and not await _decides(conn, caller, row):
        raise forbidden()
    return row


async def _decides(conn: AsyncConnection, caller: Principal, row: RowMapping) -> bool:
    return caller.role == "command" or await store.decides(conn, caller.person, row["desk"])


async def show(conn: AsyncConnection, caller: Principal, id_: UUID) -> dict[str, Any]:
    """A line of the list with its trail, and what the caller can do. Raises not-found."""
    row = await find(conn, caller, id_)
    can = ["note"]
    if await _decides(conn, caller, row):
        can += ["hand-over", *(["back"] if row["kind"] == "case" else [])]
    return plain({**shown(row), "trail": await store.notes(conn, id_), "can": can})


# -- acts -------------------------------------------------------------------------------------------------
async def note(conn: AsyncConnection, caller: Principal, id_: UUID, words: str) -> None:
    """Whoever sees it writes a note; it is looked at again a full review term later. Raises not-found."""
    await find(conn, caller, id_)
    await store.note(conn, id_, "note", caller.person, words)
    await conn.execute(store.PUT_OFF, {"id": id_, **await _term(conn)})


async def hand_over(
    conn: AsyncConnection, caller: Principal, id_: UUID, desk: str, person: str | None, words: str
) -> None:
    """Gives the charge to another desk above the place, or to one person of it, who are told.

    Command, the district's desk and whoever is in charge may. Tells CaseSupervisionHanded or WhistleSupervisionHanded.
    Raises not-found, forbidden, invalid.
    """
    row = await find(conn, caller, id_, deciding=True)
    await writing.lock_case(conn, row["case_id"])
    grid = await store.desk_above(conn, desk, row["place"])
    if grid is None:
        raise invalid(("body", "desk"), "没有这个网格", "names no grid in force")
    if not grid["above"] or not grid["manned"]:
        raise invalid(
            ("body", "desk"), "要交给这件事上面的、有人的值班台", "must be a desk with people above the place"
        )
    whom = await store.at_desk(conn, person, grid["id"]) if person is not None else None
    if person is not None and whom is None:
        raise invalid(("body", "person"), "不在这个值班台", "does not sit at that desk")
    await store.note(conn, id_, "hand-over", caller.person, words, desk=grid["id"], person=whom)
    await conn.execute(store.HAND, {"id": id_, "desk": grid["id"], "person": whom, **await _term(conn)})
    await _tell(conn, row, "supervision-handed", {"desk": grid["id"], "person": whom}, "handed")


async def back(
    conn: AsyncConnection, caller: Principal, id_: UUID, version: int, level: str | None, words: str
) -> dict[str, Any]:
    """Puts an open case back onto the ladder: to whoever is next at `level` (default: where it is), with a full new
    term, off the list; the next "not solved" is the last one again. Gives the case.

    Command, the district's desk and whoever is in charge may. Tells CaseMoved and CaseSupervisionEnded.
    Raises not-found, forbidden, 422 naming `level`, 409 `wrong-state` and `already-moved`.
    """
    await writing.lock_ladder(conn)
    row = await find(conn, caller, id_, deciding=True)
    if row["kind"] != "case":
        raise wrong_state("supervised", ["note", "hand-over"])
    case = await writing.lock_case(conn, id_)
    assert case is not None
    rank = RANK[level] if level else min(case["rank"], ladder.SUBDISTRICT)
    if rank > ladder.SUBDISTRICT or not await store.has_level(conn, case["place"], rank):
        raise invalid(("body", "level"), "这件事的上面没有这一层", "is no level of the ladder above the place")
    if case["phase"] not in OPEN:
        raise wrong_state(case["phase"], ["note", "hand-over"], on_hold=case["on_hold"])
    if version != case["version"]:
        raise already_moved(await commands.show(conn, caller, id_), ["note", "hand-over", "back"])
    await store.note(conn, id_, "back", caller.person, words)
    await conn.execute(store.UNLIST, {"id": id_})
    move = {"event": "moved", "why": "moved", "first": rank, "top": max(rank, ladder.COMMUNITY)}
    await writing.move(conn, [plain({"id": id_, **move, "actor": caller.person})])
    await holding.hold_again(conn, [case])
    await conn.execute(writing.COUNT_EVENT, {"id": id_})
    await writing.tell(conn, [plain({"id": id_, "event": "supervision-ended", "actor": caller.person})])
    return await commands.show(conn, caller, id_)


# -- its own clock ----------------------------------------------------------------------------------------
async def review(ctx: Context) -> float:
    """Job: takes up what is new on the list, lets go what has left it, and tells again of what nobody wrote a note
    about for the policy's time. Tells CaseSupervisionDue and WhistleSupervisionDue."""
    async with transaction(ctx.engine) as conn:
        if (await conn.execute(writing.IN_FORCE)).scalar_one_or_none() is None:
            return IDLE
        term = await _term(conn)
        await conn.execute(store.TAKE_UP, term)
        await conn.execute(store.LET_GO)
        cases = (await conn.execute(store.LOCK_CASES_DUE, {"batch": BATCH})).scalars().all()
        if cases:
            due = (await conn.execute(store.REVIEW, {"cases": list(cases), **term})).mappings().all()
            for row in due:
                detail = {"desk": row["desk"], "person": row["person"], "n": row["reviews"]}
                await _tell(conn, row, "supervision-due", detail, "unnoted")
        until = (await conn.execute(store.NEXT)).scalar_one()
    return IDLE if until is None else min(IDLE, max(0.005, float(until)))


async def _term(conn: AsyncConnection) -> Mapping[str, Any]:
    """The review term of the policy in force: calendar and microseconds."""
    policy = await reading.policy(conn, (await conn.execute(writing.IN_FORCE)).scalar_one())
    clock = policy.clock(policy.supervision.review)
    return {"calendar": clock.calendar, "term": clock.microseconds}


async def _tell(conn: AsyncConnection, row: RowMapping, event: str, whom: Mapping[str, Any], why: str) -> None:
    """An event about who is in charge, on the case or on the whistle."""
    detail = {"in_charge": whom["desk"], "in_charge_person": whom["person"], "n": whom.get("n", 0), "why": why}
    said = plain({"id": row["id"], "event": event, "detail": detail})
    if row["kind"] == "whistle":
        await whistles.tell(conn, [said])
        return
    await conn.execute(writing.COUNT_EVENT, {"id": row["id"]})
    await writing.tell(conn, [said])
