"""HTTP of whistles: translate and call."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.routing import blowing, whistling
from services.routing.access import access
from services.routing.blowing import Blow
from services.routing.schemas import Version
from services.routing.whistling import Effect
from shared.attaching import MOST, Photos
from shared.auth import Principal
from shared.db import transaction
from shared.http import (
    PAGE,
    Caller,
    Code,
    Ctx,
    Cursor,
    FreeText,
    IdempotencyKey,
    Limit,
    Route,
    Schema,
    Time,
    decode_cursor,
    page,
)

router = APIRouter(route_class=Route)
Occasion = Literal["demand", "enforcement", "emergency", "key_work"]
State = Literal["draft", "blown", "acknowledged", "reported_in", "result", "confirmed", "withdrawn"]


class BlowBody(Schema):
    version: Version
    occasion: Occasion
    lead: Code
    assisting: list[Code] = Field(default_factory=list, max_length=20)
    text: FreeText


class Act(Schema):
    version: Version


class ReportIn(Act):
    person: Code
    at: Time


class Result(Act):
    text: FreeText
    attachments: list[UUID] = Field(default_factory=list, max_length=MOST)


class Reason(Act):
    reason: FreeText


class Decide(Act):
    outcome: Literal["upheld", "reassign"]
    lead: Code | None = None


class Extend(Act):
    until: Time
    reason: FreeText


class Rate(Act):
    score: Annotated[int, Field(ge=1, le=5, strict=True)]
    comment: FreeText | None = None


async def may_blow(id: UUID, caller: Caller, ctx: Ctx) -> Principal:
    async with transaction(ctx.engine) as conn:
        await blowing.may_blow(conn, caller, (await access(conn, caller, id)).case)
    return caller


@router.post("/cases/{id}/whistles", status_code=201)
async def blow(
    id: UUID,
    caller: Annotated[Principal, Depends(may_blow)],
    body: BlowBody,
    request: Request,
    response: Response,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    wish = Blow(body.version, body.occasion, body.lead, tuple(body.assisting), body.text)
    response.status_code, answer = await blowing.blow(ctx, caller, id, wish, key, await request.body())
    return answer


@router.get("/whistles")
async def list_whistles(
    caller: Caller,
    ctx: Ctx,
    department: Literal["me"] | None = None,
    state: State | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> dict[str, Any]:
    after = decode_cursor(cursor, UUID)
    async with transaction(ctx.engine) as conn:
        items = await whistling.page_of(
            conn, caller, department=department, state=state, after=after[0] if after else None, limit=limit + 1
        )
    return page(items, limit, lambda item: (item["id"],))


@router.get("/whistles/{id}")
async def get_whistle(id: UUID, caller: Caller, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        return await whistling.show(conn, caller, id)


def _may(name: str) -> Any:
    async def check(id: UUID, caller: Caller, ctx: Ctx) -> Principal:
        async with transaction(ctx.engine) as conn:
            await whistling.check_may(conn, caller, id, name)
        return caller

    return Depends(check)


async def _act(
    request: Request, ctx: Ctx, caller: Principal, id: UUID, name: str, body: Act, effect: Effect, key: str | None
) -> dict[str, Any]:
    return await whistling.act(ctx, caller, id, name, body.version, effect, key, await request.body())


@router.post("/whistles/{id}/send")
async def send(
    id: UUID,
    caller: Annotated[Principal, _may("send")],
    body: Act,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    return await _act(request, ctx, caller, id, "send", body, blowing.send, key)


@router.post("/whistles/{id}/acknowledge")
async def acknowledge(
    id: UUID,
    caller: Annotated[Principal, _may("acknowledge")],
    body: Act,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    return await _act(request, ctx, caller, id, "acknowledge", body, whistling.acknowledge, key)


@router.post("/whistles/{id}/report-in")
async def report_in(
    id: UUID,
    caller: Annotated[Principal, _may("report-in")],
    body: ReportIn,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda c, d: whistling.report_in(c, d, body.person, body.at)  # noqa: E731
    return await _act(request, ctx, caller, id, "report-in", body, effect, key)


@router.post("/whistles/{id}/result")
async def result(
    id: UUID,
    caller: Annotated[Principal, _may("result")],
    body: Result,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    photos = Photos(body.attachments, caller.key)
    effect: Effect = lambda c, d: whistling.result(c, d, body.text, photos)  # noqa: E731
    return await _act(request, ctx, caller, id, "result", body, effect, key)


@router.post("/whistles/{id}/confirm")
async def confirm(
    id: UUID,
    caller: Annotated[Principal, _may("confirm")],
    body: Act,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    return await _act(request, ctx, caller, id, "confirm", body, whistling.confirm, key)


@router.post("/whistles/{id}/return")
async def return_(
    id: UUID,
    caller: Annotated[Principal, _may("return")],
    body: Reason,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda c, d: whistling.return_(c, d, body.reason)  # noqa: E731
    return await _act(request, ctx, caller, id, "return", body, effect, key)


@router.post("/whistles/{id}/withdraw")
async def withdraw(
    id: UUID,
    caller: Annotated[Principal, _may("withdraw")],
    body: Reason,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda c, d: whistling.withdraw(c, d, body.reason)  # noqa: E731
    return await _act(request, ctx, caller, id, "withdraw", body, effect, key)


@router.post("/whistles/{id}/dispute")
async def dispute(
    id: UUID,
    caller: Annotated[Principal, _may("dispute")],
    body: Reason,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda c, d: whistling.dispute(c, d, body.reason)  # noqa: E731
    return await _act(request, ctx, caller, id, "dispute", body, effect, key)


@router.post("/whistles/{id}/decide")
async def decide(
    id: UUID,
    caller: Annotated[Principal, _may("decide")],
    body: Decide,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda c, d: whistling.decide(c, d, body.outcome, body.lead)  # noqa: E731
    return await _act(request, ctx, caller, id, "decide", body, effect, key)


@router.post("/whistles/{id}/extend")
async def extend(
    id: UUID,
    caller: Annotated[Principal, _may("extend")],
    body: Extend,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda c, d: whistling.extend(c, d, body.until, body.reason)  # noqa: E731
    return await _act(request, ctx, caller, id, "extend", body, effect, key)


@router.post("/whistles/{id}/rate")
async def rate(
    id: UUID,
    caller: Annotated[Principal, _may("rate")],
    body: Rate,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda c, d: whistling.rate(c, d, body.score, body.comment)  # noqa: E731
    return await _act(request, ctx, caller, id, "rate", body, effect, key)
