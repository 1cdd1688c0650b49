"""Notify's HTTP: translates and calls."""

from hmac import compare_digest
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from services.notify import commands, demonstration, reading, replies
from services.notify.callbacks import BadCallback, read_alibaba, read_encrypted, read_wechat, read_wecom
from services.notify.channels.safe import Unsafe, check_signature, decrypt
from services.notify.schemas import DemonstrationPerson, MessagesOut
from shared.db import transaction
from shared.http import PAGE, Caller, Ctx, Cursor, Limit, Route, decode_cursor, encode_cursor
from shared.problems import forbidden, not_found
from shared.providers import Providers, providers
from shared.service import Context

router = APIRouter(tags=["notify"], route_class=Route)


async def accountable(caller: Caller) -> None:
    """Command and the administrator: who was told what is for nobody else."""
    if caller.role not in ("command", "admin"):
        raise forbidden()


@router.get("/messages", dependencies=[Depends(accountable)])
async def get_messages(
    context: Ctx, issue: Annotated[UUID | None, Query()] = None, cursor: Cursor = None, limit: Limit = PAGE
) -> MessagesOut:
    """Who was told what (about an issue), oldest first; command and admin only."""
    after = decode_cursor(cursor, UUID)
    shown, more = await reading.list_messages(context, issue, after[0] if after else None, limit)
    return MessagesOut(items=shown, next=encode_cursor(str(shown[-1].id)) if more else None)


@router.post("/callbacks/alibaba/{secret}", include_in_schema=False)
async def alibaba(secret: str, request: Request, context: Ctx) -> Response:
    """Receipts and inbound texts of Alibaba Cloud SMS."""
    _check(context, secret)
    try:
        items = read_alibaba(await request.body())
    except BadCallback as error:
        return JSONResponse({"code": 1, "msg": f"无法解析: {error}"}, 400)
    async with transaction(context.engine) as conn:
        await commands.take_receipts(conn, [item for item in items if isinstance(item, commands.Receipt)])
    for item in items:
        if isinstance(item, replies.Inbound):
            # Each by itself: none holds another's rows, and what was done is not done again if a later one fails.
            async with transaction(context.engine) as conn:
                await replies.take_inbound(conn, context.keys, item)
    return JSONResponse({"code": 0, "msg": "成功"})


@router.get("/callbacks/wechat/{secret}", include_in_schema=False)
async def wechat_echo(
    secret: str, context: Ctx, signature: str = "", timestamp: str = "", nonce: str = "", echostr: str = ""
) -> Response:
    """WeChat asks once whether the address is ours."""
    _check_wechat(_check(context, secret), signature, timestamp, nonce)
    return PlainTextResponse(echostr)


@router.post("/callbacks/wechat/{secret}", include_in_schema=False)
async def wechat(
    secret: str, request: Request, context: Ctx, signature: str = "", timestamp: str = "", nonce: str = ""
) -> Response:
    """Events of the official account."""
    _check_wechat(_check(context, secret), signature, timestamp, nonce)
    try:
        receipts = read_wechat(await request.body())
    except BadCallback:
        return PlainTextResponse("", 400)
    async with transaction(context.engine) as conn:
        await commands.take_receipts(conn, receipts)
    return PlainTextResponse("success")


@router.get("/callbacks/wecom/{secret}", include_in_schema=False)
async def wecom_echo(
    secret: str, context: Ctx, msg_signature: str = "", timestamp: str = "", nonce: str = "", echostr: str = ""
) -> Response:
    """WeCom asks once whether the address is ours: whoever can read the question is."""
    return Response(_opened(_check(context, secret), msg_signature, timestamp, nonce, echostr), media_type="text/plain")


@router.post("/callbacks/wecom/{secret}", include_in_schema=False)
async def wecom(
    secret: str, request: Request, context: Ctx, msg_signature: str = "", timestamp: str = "", nonce: str = ""
) -> Response:
    """Events of the WeCom app: pressed buttons."""
    given = _check(context, secret)
    try:
        encrypted = read_encrypted(await request.body())
        click = read_wecom(_opened(given, msg_signature, timestamp, nonce, encrypted))
    except BadCallback:
        return PlainTextResponse("", 400)
    if click is not None:
        async with transaction(context.engine) as conn:
            await replies.take_click(conn, context.keys, click)
    return PlainTextResponse("")


@router.get("/callbacks/sandbox/{secret}", include_in_schema=False)
async def demonstration_people(secret: str, context: Ctx) -> list[DemonstrationPerson]:
    """Whose telephones the sandbox shows; there is nothing to show where the providers are real."""
    _check(context, secret)
    if context.settings.providers != "sandbox":
        raise not_found()
    async with transaction(context.engine) as conn:
        return await demonstration.people(conn, context.keys)


def _check(context: Context, secret: str) -> Providers:
    """Providers do not sign all their callbacks: the path holds a secret. A wrong one is 404."""
    given = providers(context.settings, context.keys)
    if not compare_digest(secret.encode(), given.callback_secret.encode()):
        raise not_found()
    return given


def _check_wechat(given: Providers, signature: str, timestamp: str, nonce: str) -> None:
    try:
        check_signature(signature, given.wechat_token, timestamp, nonce)
    except Unsafe:
        raise not_found() from None


def _opened(given: Providers, signature: str, timestamp: str, nonce: str, encrypted: str) -> bytes:
    """What WeCom encrypted for us; whoever does not sign and encrypt as WeCom does finds nothing here (404)."""
    try:
        check_signature(signature, given.wecom_token, timestamp, nonce, encrypted)
        return decrypt(given.wecom_aes_key, given.wecom_corpid, encrypted)
    except Unsafe:
        raise not_found() from None
