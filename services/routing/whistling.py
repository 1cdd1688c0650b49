"""The use cases of whistles (吹哨报到): each is one transaction that writes state, history and event together."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

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
from services.routing.holding import release_all
from services.routing.policy import Policy
from services.routing.present import plain
from services.routing.store import reading, whistles, writing
from shared.attaching import Photos, photos_of
from shared.auth import Principal
from shared.db import transaction
from shared.idempotency import once
from shared.problems import Problem, forbidden, invalid, not_found, wrong_state
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
    photos = await photos_of(conn, id_, "result")
    return plain({**shown(found.row, found.can), "attachments": photos, "history": [dict(line) for line in history]})


async def page_of(conn: AsyncConnection, caller: Principal, **where: Any) -> list[dict[str, Any]]:
    """What a caller may see, oldest first. `where`: department (`me`: those of his own), state, after, limit."""
    mine = where.pop("department") == "me"
    every = caller.role in READERS
    rows = await conn.execute(whistles.LIST, {"person": caller.person, "everything": every, "mine": mine, **where})
    return [shown(row, (await standing(conn, caller, row["id"])).can) for row in rows.mappings().all()]


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


# -- acts on a whistle --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Doing:
    """An act that may be done now: the locked whistle, its policy, who does it."""

    row: RowMapping
    policy: Policy
    actor: UUID | None
    side: str


Effect = Callable[[AsyncConnection, Doing], Awaitable[UUID | None]]
"""What an act does; the whistle the answer shows instead, if it became an addition to another."""


async def check_may(conn: AsyncConnection, caller: Principal, id_: UUID, name: str) -> None:
    """Raises 404 and 403, before a body is looked at."""
    if not (await standing(conn, caller, id_)).relations & WHISTLE_ACTS[name].by:
        raise forbidden()


async def act(
    ctx: Context, caller: Principal, id_: UUID, name: str, version: int, effect: Effect, key: str | None, request: bytes
) -> dict[str, Any]:
    """Does an act on a whistle. Returns it as GET shows it. Raises 404, 403, 409 `wrong-state`, `already-moved`."""

    async def do() -> tuple[int, dict[str, Any]]:
        other = await perform(conn, caller, id_, name, version, effect)
        return 200, await show(conn, caller, other or id_)

    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, caller.key, key, f"{id_}/{name}/".encode() + request, do)
    return answer


async def perform(
    conn: AsyncConnection, caller: Principal, id_: UUID, name: str, version: int | None, effect: Effect
) -> UUID | None:
    """The act itself, in whatever transaction it came; `version` None: a button, which saw no version."""
    head = await whistles.whistle(conn, id_)
    if head is None:
        raise not_found()
    await writing.lock_ladder(conn)
    await whistles.lock_place(conn, head["case_id"])
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
    return await effect(conn, Doing(found.row, policy, caller.person, side))


def said(id_: UUID, event: str, by: UUID | None, text: str | None = None, **detail: Any) -> dict[str, Any]:
    return plain({"id": id_, "event": event, "actor": by, "detail": detail, "text": text})


async def start(
    conn: AsyncConnection, statement: Any, id_: UUID, policy: Policy, occasion: str, which: str, **more: Any
) -> None:
    """Starts one of the lead's clocks, by the occasion's term."""
    terms = policy.whistle.occasions[occasion]  # type: ignore[index]
    clock = policy.clock(terms.report_in if which == "report_in" else terms.result)
    await conn.execute(statement, {"id": id_, "calendar": clock.calendar, "term": clock.microseconds, **more})


async def acknowledge(conn: AsyncConnection, d: Doing) -> None:
    """收到, by the lead. Tells WhistleAcknowledged."""
    await conn.execute(whistles.STATE, {"id": d.row["id"], "state": "acknowledged"})
    await whistles.tell(conn, [said(d.row["id"], "acknowledged", d.actor)])


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
    await start(conn, whistles.START_RESULT, d.row["id"], d.policy, d.row["occasion"], "result")
    await whistles.tell(conn, [said(d.row["id"], "reported-in", d.actor)])


async def result(conn: AsyncConnection, d: Doing, words: str, photos: Photos) -> None:
    """结果, by the lead; the whistler confirms or returns. Tells WhistleResulted. Raises 422 naming a photo."""
    place = d.row["place"] if d.row["origin"] == "task" else None
    await photos.attach(conn, "result", subject=d.row["case_id"], thing=d.row["id"], place=place)
    clock = d.policy.clock(d.policy.whistle.confirm)
    term = {"calendar": clock.calendar, "term": clock.microseconds}
    await conn.execute(whistles.START_CONFIRM, {"id": d.row["id"], **term})
    await whistles.tell(conn, [said(d.row["id"], "resulted", d.actor, text=words)])


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
    await whistles.tell(conn, [said(d.row["id"], state, d.actor, text=text)])
    await release_all(conn, d.row["id"])


async def end_with_case(conn: AsyncConnection, case: UUID, by: UUID | None) -> None:
    """A case is over: whistles that no other open case needs are over with it. The caller has locked the place.
    Tells WhistleWithdrawn (not for a draft nobody heard)."""
    ended = (await conn.execute(whistles.WITHDRAW_OF_CASE, {"case": case})).all()
    await whistles.tell(conn, [said(row.id, "withdrawn", by) for row in ended if row.heard])


async def return_(conn: AsyncConnection, d: Doing, reason: str) -> None:
    """The whistler is not content: back to reported_in with a new term, at most twice. Tells WhistleReturned."""
    await conn.execute(whistles.RETURN, {"id": d.row["id"]})
    await start(conn, whistles.START_RESULT, d.row["id"], d.policy, d.row["occasion"], "result")
    await whistles.tell(conn, [said(d.row["id"], "returned", d.actor, text=reason)])


async def dispute(conn: AsyncConnection, d: Doing, reason: str) -> None:
    """异议, once and within the report-in limit; its clock runs on. Tells WhistleDisputed."""
    clock = d.policy.clock(d.policy.whistle.decide)
    term = {"calendar": clock.calendar, "term": clock.microseconds}
    await conn.execute(whistles.DISPUTE, {"id": d.row["id"], **term})
    after = await whistles.whistle(conn, d.row["id"])
    assert after is not None
    await whistles.tell(conn, [said(d.row["id"], "disputed", d.actor, text=reason, decide_by=after["decide_by"])])


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
        await start(conn, whistles.START_REPORT_IN, d.row["id"], d.policy, d.row["occasion"], "report_in", lead=lead)
    await whistles.tell(conn, [said(d.row["id"], "decided", d.actor, outcome=outcome, former_lead=former)])


async def extend(conn: AsyncConnection, d: Doing, until: datetime, reason: str) -> None:
    """延期: the lead's own, once, granted at once. Tells WhistleExtended. Raises 422 naming `until`."""
    if until <= d.row["now"]:
        raise invalid(("body", "until"), "已经过去了", "is in the past")
    if until <= d.row["result_by"]:
        raise invalid(("body", "until"), "要晚于现在的期限", "must be later than the present limit")
    await conn.execute(whistles.EXTEND, {"id": d.row["id"], "until": until})
    await whistles.tell(conn, [said(d.row["id"], "extended", d.actor, text=reason)])


async def rate(conn: AsyncConnection, d: Doing, score: int, comment: str | None) -> None:
    """Either side rates the other, once, after the end. Nobody is told: it scores nothing by itself."""
    await conn.execute(whistles.RATE, {"id": d.row["id"], "side": d.side, "score": score, "comment": comment})
