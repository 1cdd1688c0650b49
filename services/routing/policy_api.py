"""HTTP for the administrator: policies, calendars, maintenance. Refusals come in the order 401, 403, 422."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import governing
from services.routing.governing import Decision, Year
from services.routing.policy import BadPolicy, parse_text
from services.routing.policy_schemas import Because, Check, DistrictDays, PublishedYear, Reapply, Replay, Save
from services.routing.present import plain
from services.routing.replaying import replay_policy
from services.routing.store import governing as store
from shared.auth import Principal
from shared.calendar.store import NeverOpen, published_until
from shared.db import transaction
from shared.http import PAGE, Caller, Ctx, Cursor, IdempotencyKey, Limit, Route, decode_cursor, instant, page
from shared.idempotency import Answer, once
from shared.problems import FieldError, forbidden, invalid, invalid_fields, not_found
from shared.service import Context

router = APIRouter(route_class=Route)
READERS = ("admin", "command", "auditor")


async def administrator(caller: Caller) -> Principal:
    """Who decides: the role admin and nobody else."""
    if caller.role != "admin":
        raise forbidden()
    return caller


async def reader(caller: Caller) -> Principal:
    """Who may know what was decided."""
    if caller.role not in READERS:
        raise forbidden()
    return caller


Admin = Annotated[Principal, Depends(administrator)]
Reader = Annotated[Principal, Depends(reader)]


async def _decided(
    request: Request,
    ctx: Context,
    caller: Principal,
    key: str | None,
    reason: str,
    act: Callable[[AsyncConnection, Decision], Awaitable[Answer]],
) -> dict[str, Any]:
    """One decision in one transaction, once for its key."""
    decision = Decision(str(caller.role), reason)
    asked = f"{request.method} {request.url.path} ".encode() + await request.body()
    async with transaction(ctx.engine) as conn:
        _, answer = await once(conn, ctx.keys, caller.key, key, asked, lambda: act(conn, decision))
    return answer


def _in_yaml(error: BadPolicy) -> list[FieldError]:
    return [FieldError(("body", "yaml", *each.loc), each.zh, each.en, each.line) for each in error.errors]


# -- policies -------------------------------------------------------------------------------------------------
@router.get("/policies")
async def list_policies(_: Reader, ctx: Ctx, cursor: Cursor = None, limit: Limit = PAGE) -> dict[str, Any]:
    after = decode_cursor(cursor, instant, str) or (None, None)
    where = {"after": after[0], "after_id": after[1], "limit": limit + 1}
    async with transaction(ctx.engine) as conn:
        rows = (await conn.execute(store.POLICIES, where)).mappings().all()
    return page([dict(row) for row in rows], limit, lambda item: (item["created_at"], item["id"]))


@router.get("/policies/{id}")
async def get_policy(id: str, _: Reader, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        return await _policy(conn, id)


async def _policy(conn: AsyncConnection, id_: str) -> dict[str, Any]:
    source = await governing.policy_source(conn, id_)
    if source is None:
        raise not_found()
    row = (await conn.execute(store.POLICY, {"id": id_})).mappings().one()
    return plain({**{name: value for name, value in row.items() if name not in ("body", "source")}, "yaml": source})


@router.post("/policies/check")
async def check_policy(_: Admin, body: Check) -> dict[str, Any]:
    try:
        parse_text(body.yaml)
    except BadPolicy as error:
        return {"errors": [{"line": each.line, **each.as_json()} for each in _in_yaml(error)]}
    return {"errors": []}


@router.post("/policies", status_code=201)
async def save_policy(
    caller: Admin, body: Save, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    async def act(conn: AsyncConnection, decision: Decision) -> Answer:
        try:
            policy = await governing.save_policy(conn, body.yaml, decision)
        except BadPolicy as error:
            raise invalid_fields(_in_yaml(error)) from None
        return 201, await _policy(conn, policy.id)

    return await _decided(request, ctx, caller, key, body.reason, act)


@router.post("/policies/replay")
async def replay(_: Admin, body: Replay, ctx: Ctx) -> dict[str, Any]:
    try:
        policy = await asyncio.to_thread(parse_text, body.yaml)
    except BadPolicy as error:
        raise invalid_fields(_in_yaml(error)) from None
    async with transaction(ctx.engine) as conn:
        return plain(await replay_policy(conn, policy, body.since, body.until))


@router.post("/policies/reapply")
async def reapply(
    caller: Admin, body: Reapply, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    async def act(conn: AsyncConnection, decision: Decision) -> Answer:
        if body.before is not None and await governing.policy_source(conn, body.before) is None:
            raise invalid(("body", "from"), "没有这个政策", "is no policy we know")
        return 200, {"cases": await governing.reapply(conn, body.before, decision)}

    return await _decided(request, ctx, caller, key, body.reason, act)


# -- calendars ------------------------------------------------------------------------------------------------
@router.get("/calendars")
async def calendars(_: Reader, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        return await _calendars(conn)


async def _calendars(conn: AsyncConnection) -> dict[str, Any]:
    """The calendars policies have or had, what is published, and where the district differs."""
    known = await governing.holidays_of(conn)
    return plain(
        {
            "items": [dict(row) for row in (await conn.execute(store.CALENDARS)).mappings()],
            "next": None,
            "published_until": await published_until(conn),
            "holidays": sorted(known.holidays),
            "workdays": sorted(known.workdays),
            "days": [{"date": row.day, "open": row.open} for row in await conn.execute(store.DAYS)],
        }
    )


@router.put("/calendars/days")
async def set_days(
    caller: Admin, body: DistrictDays, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    async def act(conn: AsyncConnection, decision: Decision) -> Answer:
        await _unless_never_open(governing.set_days(conn, {day.date: day.open for day in body.days}, decision), "days")
        return 200, await _calendars(conn)

    return await _decided(request, ctx, caller, key, body.reason, act)


@router.post("/calendars/years", status_code=201)
async def import_year(
    caller: Admin, body: PublishedYear, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    async def act(conn: AsyncConnection, decision: Decision) -> Answer:
        year = Year(body.year, body.holidays, body.workdays)
        await _unless_never_open(governing.import_year(conn, year, decision), "holidays")
        return 201, await _calendars(conn)

    return await _decided(request, ctx, caller, key, body.reason, act)


async def _unless_never_open(change: Awaitable[None], field: str) -> None:
    try:
        await change
    except NeverOpen:
        raise invalid(
            ("body", field), "这样一来有的日历从不上班", "would leave a calendar that is never open"
        ) from None


# -- maintenance ----------------------------------------------------------------------------------------------
@router.get("/maintenance")
async def maintenance(_: Reader, ctx: Ctx) -> dict[str, Any]:
    async with transaction(ctx.engine) as conn:
        return await _maintenance(conn)


async def _maintenance(conn: AsyncConnection) -> dict[str, Any]:
    row = (await conn.execute(store.MAINTENANCE)).mappings().one_or_none()
    return plain({"on": row is not None, **(row or {"since": None, "by": None, "reason": None})})


@router.put("/maintenance")
async def begin_maintenance(
    caller: Admin, body: Because, request: Request, ctx: Ctx, key: IdempotencyKey = None
) -> dict[str, Any]:
    async def act(conn: AsyncConnection, decision: Decision) -> Answer:
        await governing.begin_maintenance(conn, decision)
        return 200, await _maintenance(conn)

    return await _decided(request, ctx, caller, key, body.reason, act)


@router.delete("/maintenance")
async def end_maintenance(caller: Admin, request: Request, ctx: Ctx, key: IdempotencyKey = None) -> dict[str, Any]:
    async def act(conn: AsyncConnection, decision: Decision) -> Answer:
        count = await governing.end_maintenance(conn, decision)
        return 200, {**await _maintenance(conn), "cases": count}

    return await _decided(request, ctx, caller, key, "ended", act)
