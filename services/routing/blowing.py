"""How a whistle comes to be: a desk blows it, or sends what a large-grid leader drafted."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.access import access
from services.routing.commands import show as show_case
from services.routing.domain.states import LAST_NO, OPEN
from services.routing.domain.whistle import FREE
from services.routing.holding import Desk, take
from services.routing.policy import Policy
from services.routing.store import reading, whistles, writing
from services.routing.whistling import Doing, said, show, start
from shared.auth import Principal
from shared.contracts.levels import COMMUNITY, DISTRICT, RANK
from shared.db import transaction
from shared.idempotency import once
from shared.ids import new_id
from shared.problems import already_moved, forbidden, invalid, not_found, wrong_state
from shared.service import Context


@dataclass(frozen=True)
class Blow:
    """A whistle as asked for."""

    version: int
    occasion: str
    lead: str
    assisting: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Whence:
    """The desk it is blown from, the case and its policy, who blows."""

    desk: Desk
    case: RowMapping
    policy: Policy
    by: UUID | None


async def may_blow(conn: AsyncConnection, caller: Principal, case: RowMapping) -> tuple[Desk, bool]:
    """The desk a caller blows from, and whether it is only a draft: a large-grid leader's, which the desk sends.
    After the third "no" only the desk that holds the case blows. Raises 403."""
    policy = await reading.policy(conn, case["policy"])
    ranks = [RANK[level] for level in policy.whistle.by]
    where = {"place": case["place"], "person": caller.person, "ranks": ranks}
    desk = (await conn.execute(whistles.DESK_OF, where)).mappings().one_or_none()
    is_last = case["noes"] >= LAST_NO
    if desk is not None and not (is_last and desk["grid"] != case["grid"]):
        return desk, False
    if not is_last and desk is None and (await conn.execute(whistles.LEADS_LARGE, where)).scalar_one():
        return await _desk_above(conn, case, ranks), True
    raise forbidden()


async def _desk_above(conn: AsyncConnection, case: RowMapping, ranks: list[int]) -> Desk:
    where = {"place": case["place"], "ranks": ranks}
    return (await conn.execute(whistles.DESK_ABOVE, where)).mappings().one()


async def blow(
    ctx: Context, caller: Principal, id_: UUID, wish: Blow, key: str | None, request: bytes
) -> tuple[int, dict[str, Any]]:
    """Blows a whistle from a case (desk), or drafts one (large-grid leader). Whoever blows takes the case; its clock
    stops while the whistle is open. A second one for the same place and lead within the policy's days becomes an
    addition to the first and answers 200. Tells CaseClaimed, CaseHeld, WhistleBlown (or WhistleAdded).

    Raises 404, 403, 422 naming `lead` or `assisting`, 409 `wrong-state` and `already-moved`.
    """

    async def do() -> tuple[int, dict[str, Any]]:
        await writing.lock_ladder(conn)
        await whistles.lock_place(conn, id_)
        if await writing.lock_case(conn, id_) is None:
            raise not_found()
        found = await access(conn, caller, id_)
        desk, is_draft = await may_blow(conn, caller, found.case)
        await _check_departments(conn, wish)
        if found.case["phase"] not in OPEN or found.case["on_hold"] not in FREE:
            raise wrong_state(found.case["phase"], found.can, on_hold=found.case["on_hold"])
        if wish.version != found.case["version"]:
            raise already_moved(await show_case(conn, caller, id_), found.can)
        whence = Whence(desk, found.case, await reading.policy(conn, found.case["policy"]), caller.person)
        whistle, status = await (_draft if is_draft else _open)(conn, whence, wish)
        return status, await show(conn, caller, whistle)

    async with transaction(ctx.engine) as conn:
        return await once(conn, ctx.keys, caller.key, key, f"{id_}/whistles/".encode() + request, do)


async def _check_departments(conn: AsyncConnection, wish: Blow) -> None:
    codes = [wish.lead, *wish.assisting]
    known = set(await whistles.scalars(conn, whistles.DEPARTMENTS, codes=codes))
    if wish.lead not in known:
        raise invalid(("body", "lead"), "没有这个部门", "is no department we know")
    for number, code in enumerate(wish.assisting):
        if code not in known:
            raise invalid(("body", "assisting", number), "没有这个部门", "is no department we know")
        if code == wish.lead or code in wish.assisting[:number]:
            raise invalid(("body", "assisting", number), "这个部门已经在里面了", "is in it already")


async def _open(conn: AsyncConnection, whence: Whence, wish: Blow) -> tuple[UUID, int]:
    """The whistle and the status of the answer: 201, or 200 for an addition."""
    if first := await _add(conn, whence, wish.lead, wish.assisting, wish.text):
        return first, 200
    id_ = await _insert(conn, whence, wish)
    await _sound(conn, whence, id_, wish.occasion, wish.lead)
    return id_, 201


async def _draft(conn: AsyncConnection, whence: Whence, wish: Blow) -> tuple[UUID, int]:
    id_ = await _insert(conn, whence, wish)
    await conn.execute(whistles.NOTE, {"id": id_, "kind": "drafted", "actor": whence.by, "text": None})
    return id_, 201


async def _insert(conn: AsyncConnection, whence: Whence, wish: Blow) -> UUID:
    id_ = new_id()
    row = {
        "id": id_,
        "case": whence.case["id"],
        "place": whence.case["place"],
        "occasion": wish.occasion,
        "state": "draft",
        "lead": wish.lead,
        "assisting": list(wish.assisting),
        "text": wish.text,
        "desk": whence.desk["grid"],
        "desk_rank": whence.desk["rank"],
        "blown_by": whence.by,
        "policy": whence.policy.id,
    }
    await conn.execute(whistles.INSERT, row)
    await conn.execute(whistles.ADD_CASE, {"id": id_, "case": whence.case["id"]})
    return id_


async def _add(conn: AsyncConnection, whence: Whence, lead: str, assisting: tuple[str, ...], text: str) -> UUID | None:
    """Adds the case to the open whistle for the same place and lead, if there is a young one; assisting departments
    that were not called before are called now. Tells WhistleAdded."""
    case, within = whence.case, whence.policy.microseconds(whence.policy.whistle.addition)
    same = {"place": case["place"], "lead": lead, "within": within}
    first: UUID | None = (await conn.execute(whistles.SAME, same)).scalar_one_or_none()
    if first is not None:
        await conn.execute(whistles.ADD_CASE, {"id": first, "case": case["id"]})
        await conn.execute(whistles.ADD_ASSISTING, {"id": first, "more": list(assisting)})
        await take(conn, case, whence.desk, whence.by)
        await whistles.tell(conn, [said(first, "added", whence.by, text=text, added=case["id"])])
    return first


async def _sound(conn: AsyncConnection, whence: Whence, id_: UUID, occasion: str, lead: str) -> None:
    """The whistle is heard: the desk takes the case, the lead's clock starts. Tells WhistleBlown."""
    await take(conn, whence.case, whence.desk, whence.by)
    await start(conn, whistles.START_REPORT_IN, id_, whence.policy, occasion, "report_in", lead=lead)
    await whistles.tell(conn, [said(id_, "blown", whence.by)])


async def send(conn: AsyncConnection, d: Doing) -> UUID | None:
    """The desk sends a draft with one tap, as if it blew it now: it may become an addition to a first whistle, which
    is then what the answer shows. Tells CaseClaimed, CaseHeld, WhistleBlown (or WhistleAdded).
    Raises 409 `wrong-state` for a case from which nobody could blow, or not that desk."""
    row, case = d.row, await reading.case(conn, d.row["case_id"])
    assert case is not None
    is_theirs = case["noes"] < LAST_NO or case["grid"] == row["desk"]
    if case["phase"] not in OPEN or case["on_hold"] not in FREE or not is_theirs:
        raise wrong_state(case["phase"], [], on_hold=case["on_hold"])
    whence = Whence({"grid": row["desk"], "rank": row["desk_rank"]}, case, d.policy, d.actor)
    first = await _add(conn, whence, row["lead"], tuple(row["assisting"]), row["text"])
    if first is None:
        await _sound(conn, whence, row["id"], row["occasion"], row["lead"])
    else:
        await conn.execute(whistles.STATE, {"id": row["id"], "state": "withdrawn"})
    return first


async def blow_task(conn: AsyncConnection, case: RowMapping, lead: str, text: str) -> None:
    """A meeting's task for a department, as a whistle of the community's desk from a locked case.
    Tells CaseClaimed, CaseHeld and WhistleBlown (or WhistleAdded)."""
    desk = await _desk_above(conn, case, list(range(COMMUNITY, DISTRICT + 1)))
    whence = Whence(desk, case, await reading.policy(conn, case["policy"]), None)
    await _open(conn, whence, Blow(0, "key_work", lead, (), text))
