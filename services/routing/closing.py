"""Ends that a desk gives a case: not for us (不受理), another system's (移交), the same as another (合并)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import followers, whistling
from services.routing.access import access
from services.routing.commands import Admitted
from services.routing.domain.states import AUTHORITY, OPEN
from services.routing.requesting import Plea, ask_for, grant
from services.routing.store import merging, writing
from shared.auth import Principal
from shared.problems import Problem, invalid


@dataclass(frozen=True)
class External:
    """A number in another system."""

    system: str
    number: str


async def out_of_scope(conn: AsyncConnection, a: Admitted, reply: str | None) -> None:
    """不受理: a desk of community or above says where the resident has to turn to, a second person of such a desk
    confirms. Tells CaseRequested, or CaseClosed. Raises 422 naming `reply`."""
    if not a.granting:
        await ask_for(conn, a, "out-of-scope", Plea(reply), word="reply")
        return
    asked = await grant(conn, a, Plea(reply))
    await _close(conn, a, "out_of_scope", "taken", reply or asked["text"])


async def hand_over(conn: AsyncConnection, a: Admitted, external: External, reply: str) -> None:
    """移交 by a desk of community or above: another system goes on with it, under a number of its own. Never counted as
    solved. Tells CaseClosed."""
    values = {"id": a.case["id"], "system": external.system, "number": external.number}
    await conn.execute(merging.HAND_OVER, values)
    await _close(conn, a, "handed_over", "taken", reply)


async def merge(conn: AsyncConnection, a: Admitted, caller: Principal, into: UUID) -> None:
    """合并 by a desk of community or above whose subtree holds both: it closes and follows the other one, which moves
    to the lowest place above both; its reporter hears what becomes of that one. Tells CaseClosed, CaseJoined and
    CaseMoved. Raises 422 naming `into`. The caller has locked both."""
    lead = await _lead(conn, a, caller, into)
    await conn.execute(merging.FOLLOW, {"ids": [a.case["id"]], "lead": into})
    await _close(conn, a, "merged", "merged", None, into=str(into))
    await followers.join(conn, lead, [a.case])


async def _lead(conn: AsyncConnection, a: Admitted, caller: Principal, into: UUID) -> RowMapping:
    """The case to follow. What one may not know of is refused like what does not exist."""
    case = a.case
    if into == case["id"]:
        raise _refused("不能并到自己", "cannot be merged into itself")
    try:
        found = await access(conn, caller, into)
    except Problem:
        raise _unknown() from None
    lead = found.case
    common = await merging.common_place(conn, [lead["place"], case["place"]] if case["placed"] else [lead["place"]])
    holds_both = caller.role == "command" or any(rank >= common["rank"] for rank in a.ties.desks & found.ties.desks)
    if AUTHORITY not in found.relations or not holds_both or not lead["placed"] or lead["origin"] != case["origin"]:
        raise _unknown()
    if lead["merged_into"] is not None:
        raise _refused("那一件自己已经并到别处了", "was merged itself")
    if lead["phase"] not in OPEN:
        raise _refused("那一件已经办完了", "is over already")
    if lead["about_leader"] != case["about_leader"] or (case["about_leader"] and lead["place"] != case["place"]):
        raise _refused("说网格长的事要瞒着他，不能和别的事合在一起", "is a complaint that others would get to read")
    return lead


def _refused(zh: str, en: str) -> Problem:
    return invalid(("body", "into"), zh, en)


def _unknown() -> Problem:
    return _refused("您管的范围里没有这件事", "is no case of your grids")


async def _close(conn: AsyncConnection, a: Admitted, how: str, ended_by: str, reply: str | None, **detail: Any) -> None:
    id_ = a.case["id"]
    await conn.execute(writing.CLOSE, {"ids": [id_], "how": how, "ended_by": ended_by, "reply": reply})
    await writing.tell(conn, [a.said("closed", text=reply, detail={"how": how, **detail})])
    await whistling.end_with_case(conn, id_, a.actor)
    if how != "merged":
        await followers.ended(conn, [id_], how)
