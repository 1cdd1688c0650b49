"""The use cases of whistles (吹哨报到): each is one transaction that writes state, history and event together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.domain.states import OPEN
from services.routing.domain.whistle import (
    ARBITER,
    DESK,
    LEAD,
    WHISTLE_ACTS,
    WhistleState,
    allows,
    can,
    side_of,
)
from services.routing.policy import Policy
from services.routing.present import plain
from services.routing.store import reading, whistles, writing
from shared.auth import Principal
from shared.contracts.levels import RANK
from shared.db import transaction
from shared.idempotency import once
from shared.ids import new_id
from shared.problems import Problem, already_moved, forbidden, invalid, not_found, wrong_state
from shared.service import Context

READERS = frozenset({"command", "admin", "auditor", "arbiter"})


# -- who is what to a whistle ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Standing:
    """A caller before a whistle: its row, what he is to it, what its state allows."""

    row: RowMapping
    relations: frozenset[str]
    state: WhistleState

    @property
    def can(self) -> list[str]:
        return can(self.state, self.relations)


async def standing(conn: AsyncConnection, caller: Principal, id_: UUID) -> Standing:
    """Raises 404 for whoever is no party to the whistle and has no post above its place."""
    row = await whistles.whistle(conn, id_)
    if row is None:
        raise not_found()
    ties = (await conn.execute(whistles.TIES, {"id": id_, "person": caller.person})).one()
    near = await reading.ties(conn, row["case_id"], caller.person) if caller.person else reading.Ties()
    officer = (ties.leads or ties.assists) and row["state"] != "draft"
    posted = near.posted and not near.complained_of
    if not (officer or ties.blew or posted or caller.role in READERS):
        raise not_found()
    found = {
        LEAD: ties.leads,
        DESK: ties.blew or caller.role == "command",
        ARBITER: caller.role == "arbiter",
    }
    return Standing(row, frozenset(name for name, is_so in found.items() if is_so), state_of(row))


def state_of(row: RowMapping) -> WhistleState:
    return WhistleState(
        state=row["state"],
        disputed=row["disputed"],
        dispute_used=row["dispute_used"],
        transfers=row["transfers"],
        in_time=row["report_in_by"] is None or row["now"] <= row["report_in_by"],
        extended=row["extended"],
        returns=row["returns"],
        rated=frozenset(row["rated"]),
    )


async def show(conn: AsyncConnection, caller: Principal, id_: UUID) -> dict[str, Any]:
    """A whistle as GET shows it. Raises 404."""
    found = await standing(conn, caller, id_)
    history = await whistles.history(conn, id_)
    return plain({**shown(found.row, found.can), "history": [dict(line) for line in history]})


def shown(row: RowMapping, acts: Sequence[str]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "case": row["case_id"],
        "number": row["number"],
        "category": row["category"],
        "place": {"grid": row["place_code"], "label": row["place_label"]},
        "desk": {"grid": row["desk_code"], "label": row["desk_label"]},
        "occasion": row["occasion"],
        "state": row["state"],
        "lead": row["lead"],
        "assisting": row["assisting"],
        "blown_at": row["blown_at"],
        "report_in_by": row["report_in_by"],
        "result_by": row["result_by"],
        "confirm_by": row["confirm_by"],
        "decide_by": row["decide_by"],
        "flags": {"disputed": row["disputed"], "extended": row["extended"], "overdue": row["overdue"]},
        "returns": row["returns"],
        "reported_in": {"person": row["reported_in_person"], "at": row["reported_in_at"]}
        if row["reported_in_at"]
        else None,
        "load": row["load"],
        "supervised": row["supervised_at"] is not None,
        "now": row["now"],
        "version": row["version"],
        "text": row["text"],
        "can": list(acts),
    }


# -- blowing ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Blow:
    """A whistle as asked for."""

    version: int
    occasion: str
    lead: str
    assisting: tuple[str, ...]
    text: str


async def may_blow(conn: AsyncConnection, caller: Principal, case: RowMapping) -> tuple[RowMapping, bool]:
    """The desk a caller blows from, and whether it is only a draft: a large-grid leader's, which the desk sends.
    Raises 403."""
    policy = await reading.policy(conn, case["policy"])
    ranks = [RANK[level] for level in policy.whistle.by]
    where = {"place": case["place"], "person": caller.person, "ranks": ranks}
    desk = (await conn.execute(whistles.DESK_OF, where)).mappings().one_or_none()
    if desk is not None:
        return desk, False
    if (await conn.execute(whistles.LEADS_LARGE, where)).scalar_one():
        above = (await conn.execute(whistles.DESK_ABOVE, {"place": case["place"]})).mappings().one()
        return above, True
    raise forbidden()


async def blow(
    ctx: Context, caller: Principal, id_: UUID, wish: Blow, key: str | None, request: bytes
) -> tuple[int, dict[str, Any]]:
    """Blows a whistle from a case (desk), or drafts one (large-grid leader). Whoever blows takes the case; its clock
    stops while the whistle is open. A second one for the same place and lead within the policy's days becomes an
    addition to the first and answers 200. Tells CaseClaimed, CaseHeld, WhistleBlown (or WhistleAdded).

    Raises 404, 403, 422 naming `lead` or `assisting`, 409 `wrong-state` and `already-moved`.
    """
    from services.routing.access import access
    from services.routing.commands import show as show_case

    async def do() -> tuple[int, dict[str, Any]]:
        await writing.lock_ladder(conn)
        if await writing.lock_case(conn, id_) is None:
            raise not_found()
        found = await access(conn, caller, id_)
        desk, is_draft = await may_blow(conn, caller, found.case)
        await _check_departments(conn, wish)
        if found.case["phase"] not in OPEN or found.case["on_hold"] not in (None, "reporter", "whistle"):
            raise wrong_state(found.case["phase"], found.can, on_hold=found.case["on_hold"])
        if wish.version != found.case["version"]:
            raise already_moved(await show_case(conn, caller, id_), found.can)
        policy = await reading.policy(conn, found.case["policy"])
        whistle, status = await _open(conn, found.case, policy, desk, wish, caller.person, draft=is_draft)
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


async def _open(
    conn: AsyncConnection,
    case: RowMapping,
    policy: Policy,
    desk: RowMapping,
    wish: Blow,
    by: UUID | None,
    *,
    draft: bool = False,
) -> tuple[UUID, int]:
    """The whistle and the status of the answer: 201, or 200 for an addition."""
    await conn.execute(whistles.LOCK_PLACE, {"place": str(case["place"]), "lead": wish.lead})
    within = policy.microseconds(policy.whistle.addition)
    same = {"place": case["place"], "lead": wish.lead, "within": within}
    first = (await conn.execute(whistles.SAME, same)).mappings().one_or_none()
    if first is not None and not draft:
        await conn.execute(whistles.ADD_CASE, {"id": first["id"], "case": case["id"]})
        await _take(conn, case, desk, by)
        await whistles.tell(conn, [_said(first["id"], "added", by, text=wish.text, added=case["id"])])
        return first["id"], 200
    id_ = new_id()
    await conn.execute(
        whistles.INSERT,
        {
            "id": id_,
            "case": case["id"],
            "place": case["place"],
            "occasion": wish.occasion,
            "state": "draft",
            "lead": wish.lead,
            "assisting": list(wish.assisting),
            "text": wish.text,
            "desk": desk["grid"],
            "desk_rank": desk["rank"],
            "blown_by": by,
            "policy": policy.id,
        },
    )
    await conn.execute(whistles.ADD_CASE, {"id": id_, "case": case["id"]})
    if draft:
        await conn.execute(whistles.NOTE, {"id": id_, "kind": "drafted", "actor": by, "text": None})
    else:
        await _sound(conn, case, policy, id_, desk, wish.occasion, wish.lead, by)
    return id_, 201


async def _sound(
    conn: AsyncConnection,
    case: RowMapping,
    policy: Policy,
    id_: UUID,
    desk: RowMapping,
    occasion: str,
    lead: str,
    by: UUID | None,
) -> None:
    """The whistle is heard: the desk takes the case, the lead's clock starts."""
    await _take(conn, case, desk, by)
    await _start(conn, whistles.START_REPORT_IN, id_, policy, occasion, "report_in", lead=lead)
    await whistles.tell(conn, [_said(id_, "blown", by)])


async def _take(conn: AsyncConnection, case: RowMapping, desk: RowMapping, by: UUID | None) -> None:
    """The hop ends `taken` and one of the whistling desk opens, accepted; its clock stands still from the start."""
    if not (case["on_hold"] == "whistle" and case["holder_kind"] == "desk" and case["grid"] == desk["grid"]):
        move = {
            "id": case["id"],
            "event": "claimed",
            "why": "taken",
            "accepted": True,
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


async def _release_all(conn: AsyncConnection, whistle: UUID) -> None:
    for id_ in sorted(await whistles.scalars(conn, whistles.CASES_OF, id=whistle)):
        case = await writing.lock_case(conn, id_)
        if case is not None and case["on_hold"] == "whistle":
            await release(conn, case, "whistle")


async def end_with_case(conn: AsyncConnection, case: UUID, by: UUID | None) -> None:
    """A case that its reporter withdrew needs no department any more. Tells WhistleWithdrawn."""
    ended = await whistles.scalars(conn, whistles.WITHDRAW_OF_CASE, case=case)
    await whistles.tell(conn, [_said(id_, "withdrawn", by) for id_ in ended])
    for id_ in ended:
        await _release_all(conn, id_)


async def blow_task(conn: AsyncConnection, case: RowMapping, lead: str, text: str) -> None:
    """A meeting's task for a department, as a whistle of the community's desk. Tells WhistleBlown."""
    policy = await reading.policy(conn, case["policy"])
    desk = (await conn.execute(whistles.DESK_ABOVE, {"place": case["place"]})).mappings().one()
    await _open(conn, case, policy, desk, Blow(0, "key_work", lead, (), text), None)


# -- acts on a whistle --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Doing:
    """An act that may be done now: the locked whistle, its policy, who does it."""

    row: RowMapping
    policy: Policy
    actor: UUID | None
    side: str


Effect = Callable[[AsyncConnection, Doing], Awaitable[None]]


async def check_may(conn: AsyncConnection, caller: Principal, id_: UUID, name: str) -> None:
    """Raises 404 and 403, before a body is looked at."""
    if not (await standing(conn, caller, id_)).relations & WHISTLE_ACTS[name].by:
        raise forbidden()


async def act(
    ctx: Context, caller: Principal, id_: UUID, name: str, version: int, effect: Effect, key: str | None, request: bytes
) -> dict[str, Any]:
    """Does an act on a whistle. Returns it as GET shows it. Raises 404, 403, 409 `wrong-state`, `already-moved`."""

    async def do() -> tuple[int, dict[str, Any]]:
        await perform(conn, caller, id_, name, version, effect)
        return 200, await show(conn, caller, id_)

    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, caller.key, key, f"{id_}/{name}/".encode() + request, do)
    return answer


async def perform(
    conn: AsyncConnection, caller: Principal, id_: UUID, name: str, version: int | None, effect: Effect
) -> None:
    """The act itself, in whatever transaction it came; `version` None: a button, which saw no version."""
    head = await whistles.whistle(conn, id_)
    if head is None:
        raise not_found()
    await writing.lock_ladder(conn)
    await writing.lock_case(conn, head["case_id"])
    await whistles.lock(conn, id_)
    found = await standing(conn, caller, id_)
    row = WHISTLE_ACTS[name]
    if not row.by & found.relations:
        raise forbidden()
    side = side_of(found.relations & row.by)
    if not allows(row, found.state, side):
        raise wrong_state(found.row["state"], found.can)
    if version not in (None, found.row["version"]):
        raise Problem(
            "already-moved",
            409,
            "这个哨刚刚已有变化",
            "It has moved on meanwhile",
            extra={"whistle": await show(conn, caller, id_), "can": found.can},
        )
    policy = await reading.policy(conn, found.row["policy"])
    await effect(conn, Doing(found.row, policy, caller.person, side))


def _said(id_: UUID, event: str, by: UUID | None, text: str | None = None, **detail: Any) -> dict[str, Any]:
    return plain({"id": id_, "event": event, "actor": by, "detail": detail, "text": text})


async def _start(
    conn: AsyncConnection, statement: Any, id_: UUID, policy: Policy, occasion: str, which: str, **more: Any
) -> None:
    """Starts one of the lead's clocks, by the occasion's term."""
    terms = policy.whistle.occasions[occasion]  # type: ignore[index]
    clock = policy.clock(terms.report_in if which == "report_in" else terms.result)
    await conn.execute(statement, {"id": id_, "calendar": clock.calendar, "term": clock.microseconds, **more})


async def send(conn: AsyncConnection, d: Doing) -> None:
    """The desk sends a draft with one tap. Tells CaseClaimed, CaseHeld, WhistleBlown."""
    case = await reading.case(conn, d.row["case_id"])
    if case is None or case["phase"] not in OPEN:
        raise wrong_state("closed", [])
    desk = {"grid": d.row["desk"], "rank": d.row["desk_rank"]}
    await _sound(conn, case, d.policy, d.row["id"], desk, d.row["occasion"], d.row["lead"], d.actor)  # type: ignore[arg-type]


async def acknowledge(conn: AsyncConnection, d: Doing) -> None:
    """收到, by the lead. Tells WhistleAcknowledged."""
    await conn.execute(whistles.STATE, {"id": d.row["id"], "state": "acknowledged"})
    await whistles.tell(conn, [_said(d.row["id"], "acknowledged", d.actor)])


async def report_in(conn: AsyncConnection, d: Doing, person: str, at: datetime) -> None:
    """已到场: a statement of who and when; implies acknowledgement; the result's clock starts now.
    Tells WhistleReportedIn. Raises 422 naming `at` (before it was blown, or not yet) or `person`."""
    if at < d.row["blown_at"]:
        raise invalid(("body", "at"), "早于吹哨的时间", "is before it was blown")
    if at > d.row["now"]:
        raise invalid(("body", "at"), "还没到这个时间", "is in the future")
    if (await conn.execute(reading.PERSON_BY_NO, {"no": person})).scalar_one_or_none() is None:
        raise invalid(("body", "person"), "没有这个人", "is nobody we know")
    await conn.execute(whistles.REPORT_IN, {"id": d.row["id"], "person": person, "at": at})
    await _start(conn, whistles.START_RESULT, d.row["id"], d.policy, d.row["occasion"], "result")
    await whistles.tell(conn, [_said(d.row["id"], "reported-in", d.actor)])


async def result(conn: AsyncConnection, d: Doing, words: str) -> None:
    """结果, by the lead; the whistler confirms or returns. Tells WhistleResulted."""
    clock = d.policy.clock(d.policy.whistle.confirm)
    term = {"calendar": clock.calendar, "term": clock.microseconds}
    await conn.execute(whistles.START_CONFIRM, {"id": d.row["id"], **term})
    await whistles.tell(conn, [_said(d.row["id"], "resulted", d.actor, text=words)])


async def confirm(conn: AsyncConnection, d: Doing) -> None:
    """It is over because the whistler says so; the case's clock goes on. Tells WhistleConfirmed, CaseReleased."""
    await _end(conn, d, "confirmed")


async def withdraw(conn: AsyncConnection, d: Doing, reason: str) -> None:
    """撤哨. Tells WhistleWithdrawn (not for a draft nobody heard), CaseReleased."""
    if d.row["state"] == "draft":
        await conn.execute(whistles.STATE, {"id": d.row["id"], "state": "withdrawn"})
        return
    await _end(conn, d, "withdrawn", reason)


async def _end(conn: AsyncConnection, d: Doing, state: str, text: str | None = None) -> None:
    await conn.execute(whistles.STATE, {"id": d.row["id"], "state": state})
    await whistles.tell(conn, [_said(d.row["id"], state, d.actor, text=text)])
    await _release_all(conn, d.row["id"])


async def return_(conn: AsyncConnection, d: Doing, reason: str) -> None:
    """The whistler is not content: back to reported_in with a new term, at most twice. Tells WhistleReturned."""
    await conn.execute(whistles.RETURN, {"id": d.row["id"]})
    await _start(conn, whistles.START_RESULT, d.row["id"], d.policy, d.row["occasion"], "result")
    await whistles.tell(conn, [_said(d.row["id"], "returned", d.actor, text=reason)])


async def dispute(conn: AsyncConnection, d: Doing, reason: str) -> None:
    """异议, once and within the report-in limit; its clock runs on. Tells WhistleDisputed."""
    clock = d.policy.clock(d.policy.whistle.decide)
    term = {"calendar": clock.calendar, "term": clock.microseconds}
    await conn.execute(whistles.DISPUTE, {"id": d.row["id"], **term})
    after = await whistles.whistle(conn, d.row["id"])
    assert after is not None
    await whistles.tell(conn, [_said(d.row["id"], "disputed", d.actor, text=reason, decide_by=after["decide_by"])])


async def decide(conn: AsyncConnection, d: Doing, outcome: str, lead: str | None) -> None:
    """The arbiter: it stays (`upheld`), or a new lead gets fresh clocks (`reassign`). Tells WhistleDecided.
    Raises 422 naming `lead`."""
    former = d.row["lead"]
    if outcome == "upheld":
        if lead is not None:
            raise invalid(("body", "lead"), "维持原部门时不用填", "goes with reassign only")
        await conn.execute(whistles.UPHOLD, {"id": d.row["id"]})
    else:
        if lead is None or not await whistles.scalars(conn, whistles.DEPARTMENTS, codes=[lead]):
            raise invalid(("body", "lead"), "要写改派给哪个部门", "must name a department we know")
        if lead == former:
            raise invalid(("body", "lead"), "就是原来的部门", "is the present lead")
        await conn.execute(whistles.REASSIGN, {"id": d.row["id"], "lead": lead})
        await _start(conn, whistles.START_REPORT_IN, d.row["id"], d.policy, d.row["occasion"], "report_in", lead=lead)
    await whistles.tell(conn, [_said(d.row["id"], "decided", d.actor, outcome=outcome, former_lead=former)])


async def extend(conn: AsyncConnection, d: Doing, until: datetime, reason: str) -> None:
    """延期: the lead's own, once, granted at once. Tells WhistleExtended. Raises 422 naming `until`."""
    if until <= d.row["now"]:
        raise invalid(("body", "until"), "已经过去了", "is in the past")
    if until <= d.row["result_by"]:
        raise invalid(("body", "until"), "要晚于现在的期限", "must be later than the present limit")
    await conn.execute(whistles.EXTEND, {"id": d.row["id"], "until": until})
    await whistles.tell(conn, [_said(d.row["id"], "extended", d.actor, text=reason)])


async def rate(conn: AsyncConnection, d: Doing, score: int, comment: str | None) -> None:
    """Either side rates the other, once, after the end. Nobody is told: it scores nothing by itself."""
    await conn.execute(whistles.RATE, {"id": d.row["id"], "side": d.side, "score": score, "comment": comment})
