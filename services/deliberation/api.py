"""HTTP of deliberation: translate and call. Refusals come in the order 401, 404, 403, 422, 409: who may is checked by
a dependency, before the body is looked at."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from services.deliberation import commands, planning, present
from services.deliberation.access import COMMAND, access, check_may, look
from services.deliberation.commands import Effect, Result, Show, Task, Wish, show_meeting, show_topic
from services.deliberation.domain.notice import Notice, compose
from services.deliberation.domain.openings import CHINA
from services.deliberation.domain.states import WITHDRAWN
from services.deliberation.door import door_code
from services.deliberation.invitation import calendar
from services.deliberation.schemas import Act, CheckIn, PlanIn, ReplyIn, ResultIn, Screen, State, TopicIn, WithReason
from services.deliberation.store import reading
from shared.auth import Principal
from shared.contracts.labels import category_label
from shared.db import DatabaseAway, transaction
from shared.http import PAGE, Caller, Ctx, Cursor, IdempotencyKey, Limit, Route, decode_cursor, page
from shared.live import live_of, stream
from shared.messaging.events import Event
from shared.problems import Problem, forbidden

router = APIRouter(tags=["deliberation"], route_class=Route)


# -- who may ------------------------------------------------------------------------------------------------
async def desk(caller: Caller, ctx: Ctx) -> Principal:
    """Whoever sits at any desk; at which one is settled once it is known what for."""
    async with transaction(ctx.engine) as conn:
        if not await reading.is_desk(conn, caller.person):
            raise forbidden()
    return caller


@dataclass(frozen=True)
class Admitted:
    """A caller who may do an act on a topic."""

    caller: Principal
    topic: UUID
    act: str


def _may(act: str, *, of_meeting: bool = False) -> Any:
    """Dependency: the caller, once it is clear that nothing but state and version may stand in the way."""

    async def check(id: UUID, caller: Caller, ctx: Ctx) -> Admitted:
        async with transaction(ctx.engine) as conn:
            found = await access(conn, caller, await reading.topic_of(conn, id) if of_meeting else id)
            check_may(found, act)
        return Admitted(caller, found.topic.id, act)

    return Depends(check)


async def _act(
    request: Request, ctx: Ctx, who: Admitted, version: int | None, effect: Effect, show: Show, key: str | None
) -> dict[str, Any]:
    wish = Wish(who.caller, key, await request.body(), version)
    return await commands.act(ctx, wish, who.topic, who.act, effect, show)


# -- topics -------------------------------------------------------------------------------------------------
@router.post("/topics", status_code=201)
async def post_topic(
    caller: Annotated[Principal, Depends(desk)],
    body: TopicIn,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    wish = Wish(caller, key, await request.body())
    return await commands.propose(ctx, wish, body.case, body.title, body.n)


@router.get("/topics")
async def list_topics(
    caller: Caller,
    ctx: Ctx,
    state: State | None = None,
    case: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> dict[str, Any]:
    """What the caller may see, oldest first."""
    after = decode_cursor(cursor, UUID)
    async with transaction(ctx.engine) as conn:
        topics = await reading.topics(
            conn,
            person=caller.person,
            everything=caller.role == COMMAND,
            state=state,
            case=case,
            after=after[0] if after else None,
            limit=limit + 1,
        )
        tasks = await reading.tasks(conn, [topic.meeting for topic in topics])
    return page([present.topic(look(each, caller), tasks) for each in topics], limit, lambda item: (item["id"],))


@router.get("/topics/{id}")
async def get_topic(id: UUID, caller: Caller, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        return await show_topic(conn, await access(conn, caller, id))


@router.post("/topics/{id}/screen")
async def screen(
    id: UUID,
    who: Annotated[Admitted, _may("screen")],
    body: Screen,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    do = commands.accept_topic if body.decision == "accept" else commands.refuse_topic
    effect: Effect = lambda conn, found, wish: do(conn, found, wish, body.reason)  # noqa: E731
    return await _act(request, ctx, who, body.version, effect, show_topic, key)


@router.post("/topics/{id}/withdraw")
async def withdraw(
    id: UUID,
    who: Annotated[Admitted, _may("withdraw")],
    body: WithReason,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, found, wish: commands.withdraw_topic(conn, found, wish, body.reason)  # noqa: E731
    return await _act(request, ctx, who, body.version, effect, show_topic, key)


@router.post("/plan")
async def plan(
    caller: Annotated[Principal, Depends(desk)],
    body: PlanIn,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    """A slot for one topic, or for all that wait in a subdistrict."""
    wish = Wish(caller, key, await request.body())
    if body.topic:
        return await planning.plan_topic(ctx, wish, body.topic)
    assert body.subdistrict
    assert body.week
    return await planning.plan_week(ctx, wish, body.subdistrict, body.week)


@router.get("/live")
async def live(request: Request, ctx: Ctx, caller: Caller) -> StreamingResponse:
    """Tells what moves, as it moves, of every topic the caller may see."""

    async def may_see(event: Event) -> bool:
        try:
            async with transaction(ctx.engine) as conn:
                await access(conn, caller, event.subject)
        except (Problem, DatabaseAway):
            return False
        return True

    return stream(live_of(request), may_see)


# -- meetings: to read --------------------------------------------------------------------------------------
@router.get("/meetings/{id}")
async def get_meeting(id: UUID, caller: Caller, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        found = await access(conn, caller, await reading.topic_of(conn, id))
        seats = await reading.seats(conn, id)
    return present.meeting(found, seats, door_code(ctx.keys, id, found.topic.sequence))


class Calendar(Response):
    """iCalendar."""

    media_type = "text/calendar"


@router.get("/meetings/{id}/invite.ics", response_class=Calendar)
async def get_invitation(id: UUID, caller: Caller, ctx: Ctx) -> Response:
    async with transaction(ctx.engine) as conn:
        topic = (await access(conn, caller, await reading.topic_of(conn, id))).topic
    method = "CANCEL" if topic.state == WITHDRAWN else "REQUEST"
    return Calendar(calendar(topic), media_type=f"text/calendar; charset=utf-8; method={method}")


@router.get("/meetings/{id}/notice", response_class=PlainTextResponse)
async def get_notice(id: UUID, caller: Caller, ctx: Ctx) -> Response:
    """For the notice board: no personal data."""
    async with transaction(ctx.engine) as conn:
        topic = (await access(conn, caller, await reading.topic_of(conn, id))).topic
        seats = await reading.seats(conn, id)
        tasks = await reading.tasks(conn, [id])
    notice = Notice(
        community=topic.community_label,
        title=topic.title,
        category=category_label(topic.category),
        venue=topic.venue_label,
        starts=topic.starts.astimezone(CHINA),
        ends=topic.ends.astimezone(CHINA),
        kinds=[seat.kind for seat in seats],
        cancelled=topic.state == WITHDRAWN,
        outcome=topic.ended_how if topic.result else None,
        result=topic.result,
        tasks=[(t["text"], t["owner"], t["due"].astimezone(CHINA)) for t in tasks],
    )
    return PlainTextResponse(compose(notice))


# -- meetings: to act ---------------------------------------------------------------------------------------
@router.post("/meetings/{id}/reply")
async def reply(
    id: UUID,
    who: Annotated[Admitted, _may("reply", of_meeting=True)],
    body: ReplyIn,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, found, wish: commands.reply(  # noqa: E731
        conn, found, wish, body.answer, body.substitute
    )
    return await _act(request, ctx, who, None, effect, show_meeting, key)


@router.post("/meetings/{id}/check-in")
async def check_in(
    id: UUID,
    who: Annotated[Admitted, _may("check-in", of_meeting=True)],
    body: CheckIn,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, found, wish: commands.check_in(  # noqa: E731
        conn, found, wish, ctx, body.code, body.person
    )
    return await _act(request, ctx, who, None, effect, show_meeting, key)


@router.post("/meetings/{id}/open")
async def open_(
    id: UUID,
    who: Annotated[Admitted, _may("open", of_meeting=True)],
    body: Act,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    return await _act(request, ctx, who, body.version, commands.open_meeting, show_meeting, key)


@router.post("/meetings/{id}/result")
async def result(
    id: UUID,
    who: Annotated[Admitted, _may("result", of_meeting=True)],
    body: ResultIn,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    tasks = [Task(task.text, task.grid, task.department, task.due) for task in body.tasks]
    said = Result(body.kind, body.text, tasks)
    effect: Effect = lambda conn, found, wish: commands.post_result(conn, found, wish, said)  # noqa: E731
    return await _act(request, ctx, who, body.version, effect, show_meeting, key)


@router.post("/meetings/{id}/postpone")
async def postpone(
    id: UUID,
    who: Annotated[Admitted, _may("postpone", of_meeting=True)],
    body: WithReason,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, found, wish: planning.postpone(conn, found, wish, body.reason)  # noqa: E731
    return await _act(request, ctx, who, body.version, effect, show_meeting, key)
