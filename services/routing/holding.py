"""What a whistle or a topic does to a case: its clocks stand still, and go on afterwards."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.domain.states import LAST_NO, OPEN
from services.routing.present import plain
from services.routing.store import reading, whistles, writing

Desk = RowMapping | dict[str, Any]
"""A desk by its `grid` and `rank`."""


async def take(conn: AsyncConnection, case: RowMapping, desk: Desk, by: UUID | None) -> None:
    """Whoever blows takes the locked case: the hop ends `taken` and one of the desk opens, accepted, without clocks
    after the third "no"; its clock stands still from the start. Tells CaseClaimed and CaseHeld."""
    if not (case["on_hold"] == "whistle" and case["holder_kind"] == "desk" and case["grid"] == desk["grid"]):
        move = {
            "id": case["id"],
            "event": "claimed",
            "why": "taken",
            "accepted": True,
            "clocks": case["noes"] < LAST_NO,
            "to_rank": desk["rank"],
            "to_grid": desk["grid"],
            "actor": by,
        }
        await writing.move(conn, [plain(move)])
    await hold(conn, [case["id"]], "whistle")


async def hold(conn: AsyncConnection, cases: Sequence[UUID], why: str) -> None:
    """Stops the clocks of locked cases. Tells CaseHeld."""
    held = await whistles.scalars(conn, whistles.HOLD, ids=list(cases), why=why)
    await writing.tell(conn, [{"id": str(id_), "event": "held", "detail": {"why": why}} for id_ in held])


async def release(conn: AsyncConnection, case: RowMapping | Mapping[str, Any], why: str) -> None:
    """What held a locked case is over: the clocks go on with the rest of the term, at least the policy's, unless
    another whistle or a topic still holds it. Tells CaseReleased or CaseHeld."""
    if case["phase"] not in OPEN:
        return
    if await whistles.scalars(conn, whistles.OPEN_OF_CASE, case=case["id"]):
        return
    if case["topic"] is not None:
        await hold(conn, [case["id"]], "deliberation")
        return
    policy = await reading.policy(conn, case["policy"])
    rest = policy.microseconds(policy.whistle.rest)
    await conn.execute(whistles.REST, {"ids": [case["id"]], "rest": rest})
    await conn.execute(writing.RESUME, {"ids": [case["id"]]})
    await writing.tell(conn, [{"id": str(case["id"]), "event": "released", "detail": {"why": why}}])


async def release_all(conn: AsyncConnection, whistle: UUID) -> None:
    """A whistle is over: so it is for every case it held."""
    for id_ in sorted(await whistles.scalars(conn, whistles.CASES_OF, id=whistle)):
        case = await writing.lock_case(conn, id_)
        if case is not None and case["on_hold"] == "whistle":
            await release(conn, case, "whistle")
