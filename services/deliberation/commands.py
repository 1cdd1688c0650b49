"""The use cases of topics and meetings: each is one transaction that writes state, history and events together.

Refusals come in the order 404, 403, 422, 409: `act` settles who may, its effect looks at what was sent, `admit` at
state and version; then something is changed.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.deliberation import present, telling
from services.deliberation.access import Access, access, check_may
from services.deliberation.domain.duties import may_hand_down
from services.deliberation.domain.states import CHAIR, DONE, HELD, REFUSED, SCHEDULED, SCREENED, WITHDRAWN, allows
from services.deliberation.door import opens_door
from services.deliberation.policy import active
from services.deliberation.store import reading, slots, writing
from services.deliberation.store.reading import SeatRow, Topic
from services.deliberation.telling import about_meeting, about_topic, tell
from shared.auth import Principal
from shared.contracts import Contract
from shared.contracts.labels import is_deliberable
from shared.contracts.meeting import (
    MeetingHeld,
    MeetingOpened,
    MeetingReplied,
    TaskMade,
    TopicEnded,
    TopicProposed,
    TopicScreened,
)
from shared.db import transaction
from shared.idempotency import once
from shared.problems import Problem, already_moved, forbidden, invalid, not_found, wrong_state
from shared.service import Context

OPEN_PHASES = ("assigned", "accepted")


@dataclass(frozen=True)
class Wish:
    """An act as asked for: by whom, with which idempotency key and bytes, at which version."""

    caller: Principal
    key: str | None
    body: bytes
    version: int | None = None


Effect = Callable[[AsyncConnection, Access, Wish], Awaitable[None]]
Show = Callable[[AsyncConnection, Access], Awaitable[dict[str, Any]]]


# -- how an act is done -------------------------------------------------------------------------------------
async def act(ctx: Context, wish: Wish, id_: UUID, name: str, effect: Effect, show: Show) -> dict[str, Any]:
    """Does an act on a locked topic or its meeting; gives what GET shows. Raises 404, 403, and what `effect` raises."""

    async def do() -> tuple[int, dict[str, Any]]:
        await writing.lock_topic(conn, id_)
        found = await access(conn, wish.caller, id_)
        check_may(found, name)
        await effect(conn, found, wish)
        return 200, present.plain(await show(conn, await access(conn, wish.caller, id_)))

    async with transaction(ctx.engine) as conn:
        request = f"{id_}/{name}/".encode() + wish.body
        _, answer = await once(conn, ctx.keys, wish.caller.key, wish.key, request, do)
    return answer


async def admit(conn: AsyncConnection, found: Access, act: str, wish: Wish) -> None:
    """Raises 409 `wrong-state` when the state does not allow the act, else `already-moved` for a stale version."""
    if not allows(act, found.state):
        raise wrong_state(found.topic.state, found.can)
    if wish.version is not None and wish.version != found.topic.version:
        shown = await (show_meeting if found.topic.meeting else show_topic)(conn, found)
        raise already_moved(present.plain(shown), found.can)


async def show_topic(conn: AsyncConnection, found: Access) -> dict[str, Any]:
    return present.topic(found, await reading.tasks(conn, [found.topic.meeting]))


async def show_meeting(conn: AsyncConnection, found: Access) -> dict[str, Any]:
    return present.meeting(found, await reading.seats(conn, found.topic.meeting))


# -- topics -------------------------------------------------------------------------------------------------
async def propose(ctx: Context, wish: Wish, case_id: UUID, title: str, called: Sequence[str]) -> dict[str, Any]:
    """提请议事: a desk above the case's place. The case is open, of a kind that can be deliberated, and has no other
    topic. Tells TopicProposed. Raises 404, 422, 409 `wrong-state`."""

    async def do() -> tuple[int, dict[str, Any]]:
        await writing.lock_case(conn, case_id)
        case = await reading.case(conn, case_id, wish.caller.person)
        if case is None or not case["desk"]:
            raise not_found()
        policy = await active(conn)
        await _check_called(conn, called, policy.seats.kinds)
        if not is_deliberable(case["category"], case["urgency"]) or case["community"] is None:
            raise invalid(("body", "case"), "这件事不能拿来议", "cannot be deliberated")
        await _check_open(conn, case)
        id_ = await writing.propose(
            conn,
            case=case_id,
            community=case["community"],
            title=title,
            called=called,
            screening=policy.screening,
        )
        topic = await telling.present_topic(conn, id_)
        await tell(conn, topic, [about_topic(TopicProposed, topic)], kind="proposed", actor=wish.caller.person)
        return 201, present.plain(await show_topic(conn, await access(conn, wish.caller, id_)))

    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, wish.caller.key, wish.key, b"propose/" + wish.body, do)
    return answer


async def _check_called(conn: AsyncConnection, called: Sequence[str], kinds: frozenset[str]) -> None:
    departments = await reading.departments(conn, called)
    for n, kind in enumerate(called):
        if kind not in kinds and kind not in departments:
            raise invalid(("body", "n", n), "没有这类席位", "is neither a kind of seat nor a department")


async def _check_open(conn: AsyncConnection, case: Mapping[str, Any]) -> None:
    if case["phase"] not in OPEN_PHASES:
        raise wrong_state(case["phase"], [])
    other = (await conn.execute(reading.OPEN_TOPIC, {"case": case["id"]})).one_or_none()
    if other:
        raise wrong_state(other.state, [], topic=other.id)


async def accept_topic(conn: AsyncConnection, found: Access, wish: Wish, reason: str | None) -> None:
    """同意议: the secretary, while the case is open; from now on the case is on hold. Tells TopicScreened."""
    await admit(conn, found, "screen", wish)
    if found.topic.phase not in OPEN_PHASES:
        raise wrong_state(found.topic.phase, found.can)
    await writing.set_state(conn, found.topic.id, SCREENED)
    topic = await telling.present_topic(conn, found.topic.id)
    await tell(conn, topic, [about_topic(TopicScreened, topic)], kind="screened", actor=found.person, words=reason)


async def refuse_topic(conn: AsyncConnection, found: Access, wish: Wish, reason: str | None) -> None:
    """不议: the secretary, with a reason. Tells TopicEnded."""
    await admit(conn, found, "refuse", wish)
    await telling.end(conn, found.topic.id, REFUSED, REFUSED, kind="refused", actor=found.person, words=reason)


async def withdraw_topic(conn: AsyncConnection, found: Access, wish: Wish, reason: str) -> None:
    """不议了: a desk, until the meeting is opened. Tells MeetingCancelled (if there was one) and TopicEnded."""
    await admit(conn, found, "withdraw", wish)
    await telling.end(conn, found.topic.id, WITHDRAWN, WITHDRAWN, kind="withdrawn", actor=found.person, words=reason)


# -- seats --------------------------------------------------------------------------------------------------
async def reply(conn: AsyncConnection, found: Access, wish: Wish, answer: str, substitute: str | None) -> None:
    """来, 来不了, 换人来: whose seat it is, until the meeting is opened. Who comes is booked. Tells MeetingReplied.
    Raises 403 for a substitute, 422 for one who has a seat or another meeting then, 409 `booked-elsewhere`."""
    seats = await reading.seats(conn, found.topic.meeting)
    mine = next((seat for seat in seats if seat.person == found.person), None)
    if mine is None:
        raise forbidden()
    other = await _substitute(conn, seats, substitute) if substitute else None
    await admit(conn, found, "reply", wish)
    await _rebook(conn, found.topic, mine, answer, other)
    await writing.reply(conn, mine.meeting, mine.person, answer, other)
    seats = await reading.seats(conn, mine.meeting)
    event = about_meeting(MeetingReplied, found.topic, seats, person=mine.person, answer=answer, substitute=other)
    await tell(conn, found.topic, [event], kind="replied", actor=found.person)


async def _substitute(conn: AsyncConnection, seats: Sequence[SeatRow], no: str) -> UUID:
    person = await reading.person(conn, no)
    if person is None:
        raise invalid(("body", "substitute"), "没有这个人", "is nobody we know")
    if any(person in (seat.person, seat.substitute) for seat in seats):
        raise invalid(("body", "substitute"), "这个人已经有席位", "has a seat in this meeting")
    return person


async def _rebook(conn: AsyncConnection, topic: Topic, seat: SeatRow, answer: str, other: UUID | None) -> None:
    who = other or seat.person
    if seat.substitute:
        await slots.unbook(conn, seat.meeting, [seat.substitute])
    if answer != "come":
        await slots.unbook(conn, seat.meeting, [seat.person])
    if answer != "cannot" and not await slots.book_person(conn, seat.meeting, who, topic.starts, topic.ends):
        if other:
            raise invalid(("body", "substitute"), "这个人那时有别的会", "has another meeting then")
        raise Problem("booked-elsewhere", 409, "您那时有别的会", "You have another meeting then")


async def check_in(
    conn: AsyncConnection, found: Access, wish: Wish, ctx: Context, code: str | None, person: str | None
) -> None:
    """签到: with the code at the door, for one's own seat or the one one comes for; or the chair, on paper, for
    anybody with a seat. Once more changes nothing; tells nothing. Raises 403, 422."""
    topic = found.topic
    assert topic.meeting is not None
    who = found.person
    if person is not None:
        if CHAIR not in found.relations:
            raise forbidden()
        who = await _seated(conn, topic.meeting, person)
    elif not opens_door(ctx.keys, topic.meeting, topic.sequence, code or ""):
        raise invalid(("body", "code"), "签到码不对", "is not the code of this door")
    await admit(conn, found, "check-in", wish)
    if who is None or not await writing.check_in(conn, topic.meeting, who):
        raise forbidden()


async def _seated(conn: AsyncConnection, meeting: UUID, person: str) -> UUID:
    """Who is called so (编号, or a resident's id) and has a seat or comes for one."""
    for seat in await reading.seats(conn, meeting):
        if person in (seat.no, str(seat.person)):
            return seat.person
        if seat.substitute and person == seat.substitute_no:
            return seat.substitute
    raise invalid(("body", "person"), "这个人没有席位", "has no seat in this meeting")


# -- the meeting --------------------------------------------------------------------------------------------
async def open_meeting(conn: AsyncConnection, found: Access, wish: Wish) -> None:
    """开会: the chair, once its time has come and enough of the six are there; the door is closed for replies.
    Tells MeetingOpened. Raises 409 `no-quorum`."""
    await admit(conn, found, "open", wish)
    seats = await reading.seats(conn, found.topic.meeting)
    _check_quorum(found, seats)
    await writing.set_state(conn, found.topic.id, HELD)
    topic = await telling.present_topic(conn, found.topic.id)
    await tell(conn, topic, [about_meeting(MeetingOpened, topic, seats)], kind="opened", actor=found.person)


def _check_quorum(found: Access, seats: Sequence[SeatRow]) -> None:
    quorum = present.quorum(found, seats)
    if quorum["present"] < quorum["needed"]:
        raise Problem(
            "no-quorum",
            409,
            "到场的席位不够",
            "Not enough of the standing seats are present",
            extra={"quorum": quorum, "phase": found.topic.state, "can": found.can},
        )


@dataclass(frozen=True)
class Task:
    """What a meeting gives to somebody: the code of a grid or of a department, and the day."""

    text: str
    grid: str | None
    department: str | None
    due: datetime


@dataclass(frozen=True)
class Result:
    kind: str
    text: str
    tasks: Sequence[Task]


async def post_result(conn: AsyncConnection, found: Access, wish: Wish, result: Result) -> None:
    """公布结果: the chair, of a meeting that was opened. It is posted at once, the case goes back to its holder, and
    each task goes to its owner. Tells MeetingHeld, TaskMade for each task, TopicEnded.
    Raises 422 naming the task, 409 `no-quorum`."""
    tasks = await _owned(conn, found.topic, result.tasks)
    seats = await reading.seats(conn, found.topic.meeting)
    if found.topic.state in (SCHEDULED, HELD):
        _check_quorum(found, seats)
    await admit(conn, found, "result", wish)
    id_, meeting = found.topic.id, found.topic.meeting
    assert meeting is not None
    await writing.put_result(conn, meeting, result.text)
    await writing.set_state(conn, id_, DONE, result.kind)
    topic = await telling.present_topic(conn, id_)
    events: list[Contract] = [about_meeting(MeetingHeld, topic, seats, kind=result.kind)]
    for task in tasks:
        made = await writing.add_task(conn, meeting, task)
        owner = {name: task[name] for name in ("grid", "department", "due")}
        kind = "case" if task["grid"] else "whistle"
        events.append(about_topic(TaskMade, topic, task=made, meeting=meeting, chair=topic.chair, kind=kind, **owner))
    events.append(about_topic(TopicEnded, topic, how=result.kind))
    await tell(conn, topic, events, kind="result", actor=found.person)


async def _owned(conn: AsyncConnection, topic: Topic, tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Tasks with their owner's id. A grid lies in the community, and gets no department's duty; a day lies ahead."""
    duties = (await active(conn)).duties
    grids = await reading.grids_below(conn, topic.community, [task.grid for task in tasks if task.grid])
    departments = await reading.departments(conn, [task.department for task in tasks if task.department])
    for n, task in enumerate(tasks):
        if task.grid and task.grid not in grids:
            raise invalid(("body", "tasks", n, "grid"), "社区里没有这个网格", "is no grid of the community")
        if task.grid and not may_hand_down(topic.category, duties.community):
            zh = f"{duties.rule}里没有这类事，不能交给网格，请吹哨给部门"
            raise invalid(("body", "tasks", n, "grid"), zh, f"is against {duties.rule}: a department's duty")
        if task.department and task.department not in departments:
            raise invalid(("body", "tasks", n, "department"), "没有这个部门", "is not a department")
        if task.due <= topic.now:
            raise invalid(("body", "tasks", n, "due"), "期限已经过了", "is in the past")
    return [
        {
            "text": task.text,
            "grid": grids[task.grid] if task.grid else None,
            "department": task.department,
            "due": task.due,
        }
        for task in tasks
    ]
