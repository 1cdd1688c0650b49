"""Planning: the earliest slot in which room, chair, enough of the six and the resident concerned are free, booked in
the same transaction. Whoever loses a race for it takes the next slot, or is told why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.deliberation import present, telling
from services.deliberation.access import Access, access, check_may
from services.deliberation.commands import Wish, admit, show_meeting
from services.deliberation.domain.openings import week_bounds
from services.deliberation.domain.seats import CHAIR, RESIDENT, Seat, fill
from services.deliberation.domain.states import SCHEDULED
from services.deliberation.policy import Policy, active
from services.deliberation.store import reading, slots, writing
from services.deliberation.store.reading import Topic
from services.deliberation.store.slots import Plan, Search, Slot
from services.deliberation.telling import about_meeting, tell
from shared.contracts.meeting import MeetingMoved, MeetingScheduled
from shared.db import clock_now, transaction
from shared.idempotency import once
from shared.problems import Problem, forbidden, invalid
from shared.service import Context

ATTEMPTS = 100
"""How often a race may be lost before somebody is told to come again."""

WHY = {
    "no_chair": "社区没有书记，没有人主持",
    "no_quorum": "能来的席位凑不够人数",
    "no_venue": "附近没有坐得下的场所",
    "no_slot": "这段时间里没有大家都有空的时候",
    "contended": "同时排会的人太多，请再排一次",
}
"""Why a topic was left out, in words."""


@dataclass(frozen=True)
class Span:
    """A meeting begins at `since` or later and ends by `until`."""

    since: datetime
    until: datetime


async def plan_topic(ctx: Context, wish: Wish, id_: UUID) -> dict[str, Any]:
    """排时间: a desk above the place. Of a scheduled topic the meeting is moved, when its earliest slot is another by
    now. Tells MeetingScheduled or MeetingMoved. Raises 404, 403, 409 `wrong-state`; that there is no slot is no error:
    the answer says why."""

    async def do() -> tuple[int, dict[str, Any]]:
        await writing.lock_topic(conn, id_)
        found = await access(conn, wish.caller, id_)
        check_may(found, "plan")
        await admit(conn, found, "plan", wish)
        policy = await active(conn)
        why = await schedule(conn, policy, found.topic, ahead(policy, found.topic), found.person)
        return 200, await _answer(conn, wish, [(id_, why)])

    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, wish.caller.key, wish.key, b"plan/" + wish.body, do)
    return answer


async def plan_week(ctx: Context, wish: Wish, subdistrict: str, week: str) -> dict[str, Any]:
    """Plans every screened topic of a subdistrict into a week, as one problem: the most pressing promise first.
    A desk of the subdistrict or the district. Tells MeetingScheduled of each. Raises 403, 422."""

    async def do() -> tuple[int, dict[str, Any]]:
        place = (
            await conn.execute(reading.SUBDISTRICT, {"code": subdistrict, "person": wish.caller.person})
        ).one_or_none()
        if place is None:
            raise invalid(("body", "subdistrict"), "没有这个街道", "is not a subdistrict")
        if not place.desk:
            raise forbidden()
        monday, end = week_bounds(week)
        if end <= await clock_now(conn):
            raise invalid(("body", "week"), "这一周已经过了", "is in the past")
        policy = await active(conn)
        outcomes = []
        for id_ in (await conn.execute(reading.SCREENED, {"subdistrict": place.id})).scalars().all():
            topic = await _lock(conn, id_)
            if topic.state == "screened":  # nobody else has planned it since
                span = Span(max(monday, topic.now + policy.notice_for(topic.urgency)), end)
                outcomes.append((id_, await schedule(conn, policy, topic, span, wish.caller.person)))
        return 200, await _answer(conn, wish, outcomes)

    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, wish.caller.key, wish.key, b"plan/" + wish.body, do)
    return answer


async def _lock(conn: AsyncConnection, id_: UUID) -> Topic:
    await writing.lock_topic(conn, id_)
    return await telling.present_topic(conn, id_)


async def _answer(conn: AsyncConnection, wish: Wish, outcomes: Sequence[tuple[UUID, str | None]]) -> dict[str, Any]:
    planned = [await show_meeting(conn, await access(conn, wish.caller, id_)) for id_, why in outcomes if why is None]
    left_out = [{"topic": id_, "why": why, "text": WHY[why]} for id_, why in outcomes if why is not None]
    return present.plain({"planned": planned, "left_out": left_out})


async def postpone(conn: AsyncConnection, found: Access, wish: Wish, reason: str) -> None:
    """改期: the chair, as often as the policy allows, to the earliest slot after this one. Answers and presence begin
    anew, the code at the door is another. Tells MeetingMoved. Raises 409, also `no-slot` with why."""
    await admit(conn, found, "postpone", wish)
    topic = found.topic
    assert topic.meeting is not None
    policy = await active(conn)
    span = ahead(policy, topic)
    await writing.postponed(conn, topic.meeting)
    why = await schedule(conn, policy, topic, Span(max(span.since, topic.ends), span.until), found.person, reason)
    if why is not None:
        raise Problem("no-slot", 409, WHY[why], "No other slot", extra={"why": why, "can": found.can})


def ahead(policy: Policy, topic: Topic) -> Span:
    """After the notice, as far as the policy looks."""
    return Span(topic.now + policy.notice_for(topic.urgency), topic.now + policy.horizon)


async def schedule(
    conn: AsyncConnection, policy: Policy, topic: Topic, span: Span, actor: UUID | None, reason: str | None = None
) -> str | None:
    """Books the earliest slot of the span for a locked topic, or moves its meeting there. Gives why not (see WHY), or
    None; a meeting that is where it would be planned now stays as it is."""
    chair = await reading.secretary(conn, topic.community)
    if chair is None or chair in topic.complained:
        return "no_chair"
    people = await reading.people(conn, topic)
    seats = fill(policy.seats.six, people, chair, topic.reporter, topic.called)
    if sum(seat.required for seat in seats) < policy.seats.quorum:
        return "no_quorum"
    search = await _search(conn, policy, topic, span, seats)
    if not search.venues:
        return "no_venue"
    for _ in range(ATTEMPTS):
        slot = await slots.earliest(conn, search)
        if slot is None:
            return "no_slot"
        if await _stays(conn, topic, slot, seats):
            return None
        plan = Plan(topic.id, chair, policy.seats.quorum, seats, slot, policy.reminder, policy.postponements)
        if await slots.book(conn, plan):
            await _tell_booked(conn, topic, actor, reason)
            return None
    return "contended"


async def _search(conn: AsyncConnection, policy: Policy, topic: Topic, span: Span, seats: Sequence[Seat]) -> Search:
    venues = await conn.execute(reading.VENUES, {"place": topic.place, "seats": len(seats)})
    must = [seat.person for seat in seats if seat.kind in (CHAIR, RESIDENT)]
    six = [seat.person for seat in seats if seat.required]
    return Search(
        since=span.since,
        until=span.until,
        slot=policy.slot,
        raster=policy.raster,
        venues=[(row.id, policy.windows(row.opening)) for row in venues],
        must=must,
        six=six,
        quorum=policy.seats.quorum,
        others=[seat.person for seat in seats if seat.person not in {*must, *six}],
        meeting=topic.meeting,
    )


async def _stays(conn: AsyncConnection, topic: Topic, slot: Slot, seats: Sequence[Seat]) -> bool:
    """Whether the topic's meeting has this room, this time and these people already."""
    if topic.state != SCHEDULED or (topic.venue, topic.starts) != (slot.venue, slot.starts):
        return False
    return {seat.person for seat in seats} == {row.person for row in await reading.seats(conn, topic.meeting)}


async def _tell_booked(conn: AsyncConnection, before: Topic, actor: UUID | None, reason: str | None) -> None:
    topic = await telling.present_topic(conn, before.id)
    contract, kind = (MeetingMoved, "moved") if before.meeting else (MeetingScheduled, "scheduled")
    event = about_meeting(contract, topic, await reading.seats(conn, topic.meeting))
    await tell(conn, topic, [event], kind=kind, actor=actor, words=reason)
