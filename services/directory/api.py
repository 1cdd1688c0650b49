"""`/api/directory`: the tree, who holds which post, absences, departments."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from services.directory import commands, place_store, store
from services.directory.commands import Absence
from services.directory.domain.codes import code_of
from services.directory.domain.posts import PostKind
from services.directory.place_store import Wanted
from services.directory.store import GridFilter
from shared.db import transaction
from shared.http import (
    PAGE,
    Caller,
    Code,
    Ctx,
    Cursor,
    IdempotencyKey,
    Limit,
    Route,
    Schema,
    Time,
    decode_cursor,
    page,
)
from shared.idempotency import once
from shared.problems import forbidden, invalid, not_found

router = APIRouter(route_class=Route)

Level = Literal["district", "subdistrict", "community", "large", "middle", "small", "micro"]
Number = Annotated[str, Field(min_length=1, max_length=48)]


class AbsenceBody(Schema):
    since: Time = Field(alias="from")
    until: Time = Field(alias="to")
    stand_in: Number | None = None


class PostBody(Schema):
    person: Number | None


# Refusals come in this order: 401, 404, 403, 422. So who may is asked before the body is read.
async def may_set_absence(no: str, caller: Caller, ctx: Ctx) -> None:
    async with transaction(ctx.engine) as conn:
        await commands.may_set_absence(conn, caller, no)


async def may_set_post(code: str, caller: Caller, ctx: Ctx) -> None:
    async with transaction(ctx.engine) as conn:
        await commands.may_set_post(conn, caller, code)


async def staff(caller: Caller) -> None:
    if not caller.is_staff:
        raise forbidden()


@router.get("/grids/{code}")
async def get_grid(code: str, caller: Caller, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        return await commands.grid_answer(conn, caller, code)


@router.get("/grids", dependencies=[Depends(staff)])
async def list_grids(
    caller: Caller,
    ctx: Ctx,
    parent: str | None = None,
    level: Level | None = None,
    vacant: bool | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> dict[str, Any]:
    after = decode_cursor(cursor, UUID)
    async with transaction(ctx.engine) as conn:
        above = await store.find_grid(conn, parent) if parent is not None else None
        if parent is not None and above is None:
            raise invalid(("query", "parent"), "没有这个网格", "names an unknown grid")
        wanted = GridFilter(above["id"] if above else None, level, vacant)
        grids = await store.list_grids(conn, wanted, after[0] if after else None, limit + 1)
        shown = page(grids, limit, lambda grid: (str(grid["id"]),))
        return {**shown, "items": await commands.grid_answers(conn, caller, shown["items"])}


# Open to anybody: whoever reports has to name the place before anyone knows who they are.
class Above(BaseModel):
    code: str
    level: Level
    label: str


class Place(BaseModel):
    """A grid by name, with what lies above it (lowest first); nobody's post."""

    code: str
    level: Level
    label: str
    village: bool
    kind: Literal["block", "courtyard"] | None
    above: list[Above]


class Places(BaseModel):
    items: list[Place]
    next: str | None


@router.get("/places/{code}")
async def get_place(code: str, ctx: Ctx) -> Place:
    async with transaction(ctx.engine) as conn:
        found = await place_store.find_place(conn, code)
    if found is None:
        raise not_found()
    return Place.model_validate(dict(found))


@router.get("/places")
async def list_places(
    ctx: Ctx,
    level: Level = "community",
    within: Code | None = None,
    words: Annotated[Code | None, Query(max_length=40)] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> Places:
    after = decode_cursor(cursor, UUID) or (UUID(int=0),)
    async with transaction(ctx.engine) as conn:
        rows = await place_store.list_places(conn, Wanted(level, within, words), after[0], limit + 1)
    return Places.model_validate(page([dict(row) for row in rows], limit, lambda row: (str(row["id"]),)))


@router.put("/people/{no}/absence", dependencies=[Depends(may_set_absence)])
async def put_absence(no: str, body: AbsenceBody, caller: Caller, ctx: Ctx, key: IdempotencyKey = None) -> Any:
    request = f"PUT absence {no} {body.model_dump_json()}".encode()

    async def act() -> tuple[int, dict[str, Any]]:
        absence = Absence(body.since, body.until, body.stand_in)
        return 200, await commands.set_absence(conn, no, absence)

    async with transaction(ctx.engine) as conn:
        return (await once(conn, ctx.keys, caller.key, key, request, act))[1]


@router.delete("/people/{no}/absence", dependencies=[Depends(may_set_absence)])
async def delete_absence(no: str, caller: Caller, ctx: Ctx, key: IdempotencyKey = None) -> Any:
    async def act() -> tuple[int, dict[str, Any]]:
        return 200, await commands.end_absence(conn, no)

    async with transaction(ctx.engine) as conn:
        return (await once(conn, ctx.keys, caller.key, key, f"DELETE absence {no}".encode(), act))[1]


@router.put("/grids/{code}/posts/{kind}", dependencies=[Depends(may_set_post)])
async def put_post(
    code: str, kind: PostKind, body: PostBody, caller: Caller, ctx: Ctx, key: IdempotencyKey = None
) -> Any:
    request = f"PUT post {code} {kind} {body.model_dump_json()}".encode()

    async def act() -> tuple[int, dict[str, Any]]:
        return 200, await commands.set_post(conn, caller, code, kind, body.person)

    async with transaction(ctx.engine) as conn:
        return (await once(conn, ctx.keys, caller.key, key, request, act))[1]


@router.get("/departments", dependencies=[Depends(staff)])
async def list_departments(ctx: Ctx, cursor: Cursor = None, limit: Limit = PAGE) -> dict[str, Any]:
    after = decode_cursor(cursor, code_of)
    async with transaction(ctx.engine) as conn:
        rows = await store.list_departments(conn, after[0] if after else None, limit + 1)
        loads = await store.loads(conn, [row["code"] for row in rows])
    shown = page(rows, limit, lambda row: (row["code"],))
    items = [{"code": r["code"], "label": r["label"], "load": loads.get(r["code"], 0)} for r in shown["items"]]
    return {**shown, "items": items}
