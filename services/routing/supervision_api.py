"""HTTP of the supervision list 督办: translate and call."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends

from services.routing import supervising
from services.routing.api import grid_named
from services.routing.schemas import Back, Charge, Note
from services.routing.store import reading
from services.routing.store import supervising as store
from shared.auth import Principal
from shared.db import transaction
from shared.http import PAGE, Caller, Code, Ctx, Cursor, IdempotencyKey, Limit, Route, decode_cursor, instant, page
from shared.idempotency import once
from shared.problems import forbidden

router = APIRouter(route_class=Route)


async def overseer(caller: Caller, ctx: Ctx) -> Principal:
    """Command, and whoever sits at a desk."""
    async with transaction(ctx.engine) as conn:
        if caller.role != "command" and not await reading.is_desk(conn, caller.person):
            raise forbidden()
    return caller


Overseer = Annotated[Principal, Depends(overseer)]


async def looks_after(id: UUID, caller: Overseer, ctx: Ctx) -> Principal:
    """Whoever sees it on the list."""
    async with transaction(ctx.engine) as conn:
        await supervising.find(conn, caller, id)
    return caller


async def decides(id: UUID, caller: Overseer, ctx: Ctx) -> Principal:
    """Command, the district's desk, and the one in charge."""
    async with transaction(ctx.engine) as conn:
        await supervising.find(conn, caller, id, deciding=True)
    return caller


@router.get("/supervision")
async def supervision(
    caller: Overseer, ctx: Ctx, grid: Code | None = None, cursor: Cursor = None, limit: Limit = PAGE
) -> dict[str, Any]:
    after = decode_cursor(cursor, instant, UUID)
    async with transaction(ctx.engine) as conn:
        rows = await store.listed(
            conn,
            person=caller.person,
            everything=caller.role == "command",
            grid=await grid_named(conn, grid),
            after=after,
            limit=limit + 1,
        )
    return page([supervising.shown(row) for row in rows], limit, lambda item: (item["since"], item["id"]))


@router.get("/supervision/{id}")
async def one(id: UUID, caller: Annotated[Principal, Depends(looks_after)], ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        return await supervising.show(conn, caller, id)


@router.post("/supervision/{id}/notes")
async def note(
    id: UUID, caller: Annotated[Principal, Depends(looks_after)], body: Note, ctx: Ctx, key: IdempotencyKey = None
) -> Any:
    async def act() -> tuple[int, dict[str, Any]]:
        await supervising.note(conn, caller, id, body.text)
        return 200, await supervising.show(conn, caller, id)

    async with transaction(ctx.engine) as conn:
        request = f"note {id} {body.model_dump_json()}".encode()
        return (await once(conn, ctx.keys, caller.key, key, request, act))[1]


@router.post("/supervision/{id}/hand-over")
async def hand_over(
    id: UUID, caller: Annotated[Principal, Depends(decides)], body: Charge, ctx: Ctx, key: IdempotencyKey = None
) -> Any:
    async def act() -> tuple[int, dict[str, Any]]:
        await supervising.hand_over(conn, caller, id, body.desk, body.person, body.text)
        return 200, await supervising.show(conn, caller, id)

    async with transaction(ctx.engine) as conn:
        request = f"charge {id} {body.model_dump_json()}".encode()
        return (await once(conn, ctx.keys, caller.key, key, request, act))[1]


@router.post("/supervision/{id}/back")
async def back(
    id: UUID, caller: Annotated[Principal, Depends(decides)], body: Back, ctx: Ctx, key: IdempotencyKey = None
) -> Any:
    async def act() -> tuple[int, dict[str, Any]]:
        return 200, await supervising.back(conn, caller, id, body.version, body.level, body.text)

    async with transaction(ctx.engine) as conn:
        request = f"back {id} {body.model_dump_json()}".encode()
        return (await once(conn, ctx.keys, caller.key, key, request, act))[1]
