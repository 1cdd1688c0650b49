"""HTTP of routing: translate and call. Refusals come in the order 401, 404, 403, 422, 409: who may is checked by a
dependency, before the body is looked at."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import commands, present
from services.routing.access import access, check_may, look, only_reports
from services.routing.commands import Answered, Effect, Wish
from services.routing.domain.rights import READERS
from services.routing.schemas import Act, Answer, Ask, Empty, Escalate, LevelName, Phase, Reply, Resolve
from services.routing.store import reading
from shared.attaching import Photos
from shared.auth import Principal
from shared.contracts.levels import RANK
from shared.db import DatabaseAway, clock_now, transaction
from shared.http import (
    PAGE,
    Caller,
    Code,
    Ctx,
    Cursor,
    IdempotencyKey,
    Limit,
    MaybeCaller,
    Route,
    decode_cursor,
    instant,
    page,
)
from shared.live import live_of, stream
from shared.messaging.events import Event
from shared.problems import Problem, forbidden, invalid, not_found, unauthorized

router = APIRouter(route_class=Route)
TrackCode = Annotated[str | None, Query()]


# -- leaders and desks ------------------------------------------------------------------------------------
@router.get("/cases/{id}")
async def get_case(id: UUID, caller: Caller, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        if only_reports(await access(conn, caller, id), caller):
            raise forbidden()
        return await commands.show(conn, caller, id)


@router.get("/cases")
async def list_cases(
    caller: Caller,
    ctx: Ctx,
    holder: Literal["me"] | None = None,
    phase: Phase | None = None,
    grid: Code | None = None,
    level: LevelName | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> dict[str, Any]:
    after = decode_cursor(cursor, UUID)
    async with transaction(ctx.engine) as conn:
        rows = await reading.cases(
            conn,
            person=caller.person,
            everything=caller.role in READERS,
            mine=holder == "me",
            phase=phase,
            rank=RANK[level] if level else None,
            grid=await _grid(conn, grid),
            after=after[0] if after else None,
            limit=limit + 1,
        )
        items = [present.case(row, (await look(conn, caller, row)).can) for row in rows]
    return page(items, limit, lambda item: (item["id"],))


async def _grid(conn: AsyncConnection, code: str | None) -> UUID | None:
    if code is None:
        return None
    row = (await conn.execute(reading.GRID_BY_CODE, {"code": code})).one_or_none()
    if row is None:
        raise invalid(("query", "grid"), "没有这个网格", "is no grid we know")
    return UUID(str(row.id))


def _may(name: str) -> Any:
    """Dependency: the caller, once it is clear that he may do the act (or was its holder before)."""

    async def check(id: UUID, caller: Caller, ctx: Ctx) -> Principal:
        async with transaction(ctx.engine) as conn:
            check_may(await access(conn, caller, id), name)
        return caller

    return Depends(check)


async def _act(
    request: Request,
    ctx: Ctx,
    caller: Principal,
    id: UUID,
    name: str,
    body: Act,
    effect: Effect,
    key: str | None,
) -> dict[str, Any]:
    wish = Wish(body.version, body.acting_for)
    return await commands.act(ctx, caller, id, name, wish, effect, key, await request.body())


@router.post("/cases/{id}/accept")
async def accept(
    id: UUID,
    caller: Annotated[Principal, _may("accept")],
    body: Act,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    return await _act(request, ctx, caller, id, "accept", body, commands.accept, key)


@router.post("/cases/{id}/claim")
async def claim(
    id: UUID,
    caller: Annotated[Principal, _may("claim")],
    body: Act,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    return await _act(request, ctx, caller, id, "claim", body, commands.claim, key)


@router.post("/cases/{id}/escalate")
async def escalate(
    id: UUID,
    caller: Annotated[Principal, _may("escalate")],
    body: Escalate,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: commands.escalate(conn, a, body.reason)  # noqa: E731
    return await _act(request, ctx, caller, id, "escalate", body, effect, key)


@router.post("/cases/{id}/ask")
async def ask(
    id: UUID,
    caller: Annotated[Principal, _may("ask")],
    body: Ask,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: commands.ask(conn, a, body.text)  # noqa: E731
    return await _act(request, ctx, caller, id, "ask", body, effect, key)


@router.post("/cases/{id}/resolve")
async def resolve(
    id: UUID,
    caller: Annotated[Principal, _may("resolve")],
    body: Resolve,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    photos = Photos(body.attachments, caller.key)
    effect: Effect = lambda conn, a: commands.resolve(conn, a, body.reply, body.note, photos)  # noqa: E731
    return await _act(request, ctx, caller, id, "resolve", body, effect, key)


async def overseer(caller: Caller, ctx: Ctx) -> Principal:
    """Command, and whoever sits at a desk."""
    async with transaction(ctx.engine) as conn:
        if caller.role != "command" and not await reading.is_desk(conn, caller.person):
            raise forbidden()
    return caller


@router.get("/supervision")
async def supervision(
    caller: Annotated[Principal, Depends(overseer)],
    ctx: Ctx,
    grid: Code | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> dict[str, Any]:
    after = decode_cursor(cursor, instant, UUID)
    async with transaction(ctx.engine) as conn:
        rows = await reading.supervision(
            conn,
            person=caller.person,
            everything=caller.role == "command",
            grid=await _grid(conn, grid),
            after=after,
            limit=limit + 1,
        )
    items = [dict(row) for row in rows]
    return page(items, limit, lambda item: (item["since"], item["id"]))


@router.get("/live")
async def live(
    request: Request, ctx: Ctx, caller: MaybeCaller, issue: UUID | None = None, code: TrackCode = None
) -> StreamingResponse:
    """Tells what moves, as it moves: to a token's holder of every case he may read, by a code of its issue."""
    if issue is not None and code is not None:
        await resident(issue, ctx, None, code)

        async def its_own(event: Event) -> bool:
            return event.subject == issue

        return stream(live_of(request), its_own)
    if caller is None:
        raise unauthorized()

    async def may_see(event: Event) -> bool:
        try:
            async with transaction(ctx.engine) as conn:
                await access(conn, caller, event.subject)
        except (Problem, DatabaseAway):
            return False
        return True

    return stream(live_of(request), may_see)


# -- the resident ---------------------------------------------------------------------------------------------
async def resident(id: UUID, ctx: Ctx, caller: MaybeCaller, code: TrackCode = None) -> Principal | None:
    """Lets the reporter in by token, or anyone by the issue's code. 401 without either, 404 for a wrong one."""
    if code is not None:
        if not ctx.keys.check_track(id, code):
            raise not_found()
        return None
    if caller is None:
        raise unauthorized()
    async with transaction(ctx.engine) as conn:
        if not (await access(conn, caller, id)).ties.reports:
            raise forbidden()
    return caller


Resident = Annotated[Principal | None, Depends(resident)]


@router.get("/track/{id}")
async def track(id: UUID, who: Resident, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        if await reading.case(conn, id) is None:
            return present.received(await clock_now(conn))
        return await commands.show_track(conn, id)


async def _resident_act(
    request: Request, ctx: Ctx, who: Principal | None, id: UUID, name: str, effect: Effect, key: str | None
) -> dict[str, Any]:
    person, caller_key = (who.person, who.key) if who else (None, f"code:{id}")
    body = await request.body()
    return await commands.resident_act(ctx, id, name, person, caller_key, key, body, effect)


@router.post("/cases/{id}/answer")
async def answer(
    id: UUID, who: Resident, body: Answer, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    said = Answered(body.solved, body.satisfied, body.comment)
    effect: Effect = lambda conn, a: commands.answer(conn, a, said)  # noqa: E731
    return await _resident_act(request, ctx, who, id, "answer", effect, key)


@router.post("/cases/{id}/withdraw")
async def withdraw(
    id: UUID, who: Resident, body: Empty, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    return await _resident_act(request, ctx, who, id, "withdraw", commands.withdraw, key)


@router.post("/cases/{id}/reply")
async def reply(
    id: UUID, who: Resident, body: Reply, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: commands.reply(conn, a, body.text)  # noqa: E731
    return await _resident_act(request, ctx, who, id, "reply", effect, key)
