"""HTTP of the rarer acts of leaders and desks: translate and call."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request

from services.routing import closing, commands, requesting
from services.routing.api import do_act, may
from services.routing.commands import Effect
from services.routing.requesting import Plea
from services.routing.schemas import Act, HandOver, Later, Merge, OutOfScope, Reason
from shared.auth import Principal
from shared.http import Ctx, IdempotencyKey, Route

router = APIRouter(route_class=Route)


@router.post("/cases/{id}/return")
async def return_(
    id: UUID,
    caller: Annotated[Principal, may("return")],
    body: Reason,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: commands.return_(conn, a, body.reason)  # noqa: E731
    return await do_act(request, ctx, caller, id, "return", body, effect, key)


@router.post("/cases/{id}/suspend")
async def suspend(
    id: UUID,
    caller: Annotated[Principal, may("suspend")],
    body: Later,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: requesting.suspend(conn, a, Plea(body.reason, body.until))  # noqa: E731
    return await do_act(request, ctx, caller, id, "suspend", body, effect, key)


@router.post("/cases/{id}/resume")
async def resume(
    id: UUID,
    caller: Annotated[Principal, may("resume")],
    body: Act,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    return await do_act(request, ctx, caller, id, "resume", body, requesting.resume, key)


@router.post("/cases/{id}/extend")
async def extend(
    id: UUID,
    caller: Annotated[Principal, may("extend")],
    body: Later,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: requesting.extend(conn, a, Plea(body.reason, body.until))  # noqa: E731
    return await do_act(request, ctx, caller, id, "extend", body, effect, key)


@router.post("/cases/{id}/decline")
async def decline(
    id: UUID,
    caller: Annotated[Principal, may("decline")],
    body: Reason,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: requesting.decline(conn, a, body.reason)  # noqa: E731
    return await do_act(request, ctx, caller, id, "decline", body, effect, key)


@router.post("/cases/{id}/out-of-scope")
async def out_of_scope(
    id: UUID,
    caller: Annotated[Principal, may("out-of-scope")],
    body: OutOfScope,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: closing.out_of_scope(conn, a, body.reply)  # noqa: E731
    return await do_act(request, ctx, caller, id, "out-of-scope", body, effect, key)


@router.post("/cases/{id}/hand-over")
async def hand_over(
    id: UUID,
    caller: Annotated[Principal, may("hand-over")],
    body: HandOver,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    external = closing.External(body.external.system, body.external.number)
    effect: Effect = lambda conn, a: closing.hand_over(conn, a, external, body.reply)  # noqa: E731
    return await do_act(request, ctx, caller, id, "hand-over", body, effect, key)


@router.post("/cases/{id}/merge")
async def merge(
    id: UUID,
    caller: Annotated[Principal, may("merge")],
    body: Merge,
    request: Request,
    ctx: Ctx,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    effect: Effect = lambda conn, a: closing.merge(conn, a, caller, body.into)  # noqa: E731
    return await do_act(request, ctx, caller, id, "merge", body, effect, key)
