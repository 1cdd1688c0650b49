"""The providers' interfaces as the sandbox speaks them, and its own control."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from sandbox import commands, people_api, wecom_api
from sandbox.commands import Parcel
from sandbox.domain import acs3
from sandbox.domain.checks import Refusal
from sandbox.schemas import CardIn, ControlIn, TokenIn
from shared.db import transaction
from shared.http import Caller, Ctx, Route
from shared.problems import forbidden, invalid, not_found
from shared.providers import providers
from shared.service import Context


async def only_here(context: Ctx) -> None:
    """With real providers there is no sandbox, whatever is deployed."""
    if context.settings.providers != "sandbox":
        raise not_found()


router = APIRouter(tags=["sandbox"], route_class=Route, dependencies=[Depends(only_here)])
router.include_router(wecom_api.router)
router.include_router(people_api.router)
CHINA = ZoneInfo("Asia/Shanghai")
ERRORS: Mapping[str, str] = {
    "40001": "invalid credential, access_token is invalid or not latest",
    "40003": "invalid openid",
    "40037": "invalid template_id",
    "42001": "access_token expired",
    "43101": "user refuse to accept the msg",
    "47003": "argument invalid! data format error",
}


async def administrator(caller: Caller) -> None:
    if caller.role != "admin":
        raise forbidden()


@router.post("/control", dependencies=[Depends(administrator)])
async def control(body: ControlIn, context: Ctx) -> dict[str, bool]:
    """Tells a provider how to behave; administrators only."""
    if body.behaviour == "refuse" and body.code is None:
        raise invalid(("body", "code"), "要说用哪个错误码", "is needed")
    async with transaction(context.engine) as conn:
        if body.behaviour == "clear":
            await commands.clear(conn, context.keys, body.provider, body.address)
        elif body.behaviour == "consents":
            if body.address is None:
                raise invalid(("body", "address"), "要说是谁的", "is needed")
            await commands.set_consents(conn, context.keys, body.address, body.times or 0)
        else:
            await commands.control(
                conn,
                context.keys,
                body.provider,
                body.address,
                body.behaviour,
                seconds=body.seconds,
                code=body.code,
                times=body.times,
            )
    return {"ok": True}


# -- Alibaba Cloud SMS -----------------------------------------------------------------------------------
@router.api_route("/alibaba/", methods=["GET", "POST"], include_in_schema=False)
async def alibaba(request: Request, context: Ctx) -> JSONResponse:
    """SendSms and QuerySendDetails."""
    given = providers(context.settings, context.keys)
    body = await request.body()
    try:
        parameters = acs3.check(
            request.method,
            request.url.path,
            request.url.query,
            dict(request.headers),
            body,
            given.sms_key_id,
            given.sms_secret,
            datetime.now(UTC),
        )
        async with transaction(context.engine) as conn:
            if not await commands.use_nonce(conn, request.headers.get("x-acs-signature-nonce", "")):
                raise acs3.BadSignature("SignatureNonceUsed")
    except acs3.BadSignature as error:
        return _alibaba({"Code": error.code, "Message": "Specified signature is not matched."}, 400)
    if request.headers.get("x-acs-version") != "2017-05-25":
        return _alibaba({"Code": "InvalidVersion", "Message": "Specified parameter Version is not valid."}, 400)
    action = request.headers.get("x-acs-action")
    if action == "SendSms":
        return await _send_sms(context, parameters, request.is_disconnected)
    if action == "QuerySendDetails":
        return await _details(context, parameters)
    return _alibaba({"Code": "InvalidAction.NotFound", "Message": "Specified api is not found."}, 404)


def _alibaba(body: dict[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse({"RequestId": secrets.token_hex(16).upper(), **body}, status)


async def _send_sms(context: Context, given: Mapping[str, str], hung_up: Callable[[], Awaitable[bool]]) -> JSONResponse:
    if given.get("SignName") != context.settings.sms_sign_name:
        return _alibaba({"Code": "isv.SMS_SIGNATURE_ILLEGAL", "Message": "该账号下找不到对应签名"})
    phone, template, out_id = (given.get(name, "") for name in ("PhoneNumbers", "TemplateCode", "OutId"))
    parcel = Parcel("alibaba", "sms", phone, template, out_id, hung_up)
    try:
        ref = await commands.send_sms(context, parcel, given.get("TemplateParam", "{}"), given["SignName"])
    except Refusal as refusal:
        return _alibaba({"Code": refusal.code, "Message": refusal.code})
    return _alibaba({"Code": "OK", "Message": "OK", "BizId": ref})


async def _details(context: Context, given: Mapping[str, str]) -> JSONResponse:
    try:
        day = datetime.strptime(given.get("SendDate", ""), "%Y%m%d").date()  # noqa: DTZ007
        size, page = int(given.get("PageSize", "")), int(given.get("CurrentPage", ""))
    except ValueError:
        return _alibaba({"Code": "isv.INVALID_PARAMETERS", "Message": "参数异常"})
    if not 1 <= size <= 50 or page < 1:
        return _alibaba({"Code": "isv.INVALID_PARAMETERS", "Message": "参数异常"})
    phone = given.get("PhoneNumber", "")
    async with transaction(context.engine) as conn:
        rows = await commands.sms_details(conn, context.keys, phone, day, size, page)
    details = [
        {
            "PhoneNum": phone,
            "TemplateCode": row.template,
            "Content": row.text,
            "OutId": row.out_id,
            "SendStatus": {"waiting": 1, "failed": 2, "delivered": 3}[row.state],
            "ErrCode": row.code or ("DELIVERED" if row.state == "delivered" else ""),
            "SendDate": row.at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
        }
        for row in rows
    ]
    total = str(rows[0].total) if rows else "0"
    return _alibaba(
        {"Code": "OK", "Message": "OK", "TotalCount": total, "SmsSendDetailDTOs": {"SmsSendDetailDTO": details}}
    )


# -- WeChat official account ---------------------------------------------------------------------------------
@router.post("/wechat/cgi-bin/stable_token", include_in_schema=False)
async def stable_token(body: TokenIn, context: Ctx) -> dict[str, Any]:
    """The access token of the account."""
    given = providers(context.settings, context.keys)
    if body.grant_type != "client_credential":
        return {"errcode": 40002, "errmsg": "invalid grant_type"}
    if body.appid != given.wechat_appid:
        return {"errcode": 40013, "errmsg": "invalid appid"}
    if not hmac.compare_digest(body.secret.encode(), given.wechat_secret.encode()):
        return {"errcode": 40125, "errmsg": "invalid appsecret"}
    token = await commands.get_token(context, body.appid, body.force_refresh)
    return {"access_token": token, "expires_in": int(commands.TOKEN_SECONDS)}


@router.post("/wechat/cgi-bin/message/template/send", include_in_schema=False)
async def template_send(request: Request, context: Ctx, access_token: Annotated[str, Query()] = "") -> dict[str, Any]:
    """One template message to one follower."""
    try:
        body = CardIn.model_validate(orjson.loads(await request.body()))
        async with transaction(context.engine) as conn:
            await commands.check_token(conn, context.keys, context.settings.wechat_appid, access_token)
        if not body.touser.startswith("o"):
            raise Refusal("40003")
        parcel = Parcel("wechat", "wechat", body.touser, body.template_id, body.client_msg_id)
        data = {name: {"value": field.value} for name, field in body.data.items()}
        return {"errcode": 0, "errmsg": "ok", "msgid": int(await commands.send_card(context, parcel, data))}
    except Refusal as refusal:
        return {"errcode": int(refusal.code), "errmsg": ERRORS.get(refusal.code, "system error")}
    except ValueError:
        return {"errcode": 47001, "errmsg": "data format error"}
