"""WeCom's interface as the sandbox speaks it."""

import hmac
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request

from sandbox import commands, wecom
from sandbox.domain.checks import Refusal
from shared.http import Ctx, Route
from shared.providers import providers

router = APIRouter(prefix="/wecom/cgi-bin", tags=["sandbox"], route_class=Route, include_in_schema=False)
ERRORS: Mapping[str, str] = {
    wecom.BAD_TOKEN: "invalid access_token",
    wecom.ENDED_TOKEN: "access_token expired",
    wecom.BAD_APP: "invalid agentid",
    wecom.USED_TASK: "taskid duplicate",
    wecom.BAD_CODE: "response_code invalid",
}


@router.get("/gettoken")
async def get_token(
    context: Ctx, corpid: Annotated[str, Query()] = "", corpsecret: Annotated[str, Query()] = ""
) -> dict[str, Any]:
    """The access token of the app: the same one until it ends."""
    given = providers(context.settings, context.keys)
    if corpid != given.wecom_corpid:
        return {"errcode": 40013, "errmsg": "invalid corpid"}
    if not hmac.compare_digest(corpsecret.encode(), given.wecom_secret.encode()):
        return {"errcode": 40001, "errmsg": "invalid credential"}
    token = await commands.get_token(context, corpid, False)
    return {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": int(commands.TOKEN_SECONDS)}


@router.post("/message/send")
async def send(request: Request, context: Ctx, access_token: Annotated[str, Query()] = "") -> dict[str, Any]:
    """One card to one member."""
    try:
        answer = await wecom.send(context, access_token, await _body(request))
    except Refusal as refusal:
        return _refused(refusal)
    return {"errcode": 0, "errmsg": "ok", **answer}


@router.post("/message/update_template_card")
async def update_template_card(
    request: Request, context: Ctx, access_token: Annotated[str, Query()] = ""
) -> dict[str, Any]:
    """Changes a card after a click."""
    try:
        await wecom.change(context, access_token, await _body(request))
    except Refusal as refusal:
        return _refused(refusal)
    return {"errcode": 0, "errmsg": "ok", "invaliduser": []}


async def _body(request: Request) -> dict[str, Any]:
    """Raises Refusal."""
    try:
        body = orjson.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal("40058")
    return body


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {"errcode": int(refusal.code), "errmsg": ERRORS.get(refusal.code, "invalid Request Parameter")}
