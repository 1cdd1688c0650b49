"""Use cases of WeCom's side: takes cards, changes them, and lets their reader press a button."""

import secrets
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID
from xml.sax.saxutils import escape

from sqlalchemy.ext.asyncio import AsyncConnection

from sandbox import store
from sandbox.addresses import address_digest, open_address
from sandbox.commands import Parcel, check_token, take
from sandbox.domain.cards import Card, check_card
from sandbox.domain.checks import Refusal
from sandbox.domain.safe import encrypt, sign
from sandbox.receipts import client
from shared.db import transaction
from shared.keys import Keys
from shared.providers import Providers, providers
from shared.service import Context

DISCARDED = "discarded"
"""Ours: WeCom says yes and throws the card away."""
BAD_TOKEN, ENDED_TOKEN = "40014", "42001"
BAD_APP, USED_TASK, BAD_CODE = "40056", "42014", "60140"
NOT_REACHED = ("invaliduser", "unlicenseduser")


async def send(context: Context, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Takes one card for one member and returns what WeCom answers. Raises Refusal."""
    given = providers(context.settings, context.keys)
    await _admit(context, given, token, body)
    card, user = check_card(body.get("template_card") or {}), str(body.get("touser", ""))
    if body.get("msgtype") != "template_card" or not user or "|" in user:
        raise Refusal("40058")
    parcel = Parcel("wecom", "wecom", user, card.kind, card.task)
    try:
        return {"msgid": await take(context, parcel, lambda conn: _check(conn, context.keys, user, card), _keep(card))}
    except Refusal as refusal:
        if refusal.code in NOT_REACHED:
            return {refusal.code: user, "msgid": secrets.token_hex(16)}
        if refusal.code == DISCARDED:
            return {"msgid": secrets.token_hex(16)}
        raise


async def _admit(context: Context, given: Providers, token: str, body: Mapping[str, Any]) -> None:
    async with transaction(context.engine) as conn:
        await check_token(conn, context.keys, given.wecom_corpid, token, unknown=BAD_TOKEN, ended=ENDED_TOKEN)
    if body.get("agentid") != given.wecom_agentid:
        raise Refusal(BAD_APP)


async def _check(conn: AsyncConnection, keys: Keys, user: str, card: Card) -> tuple[dict[str, str], str]:
    address = address_digest(keys, user)
    await conn.execute(store.LOCK_ADDRESS, {"address": address})
    if card.task and (await conn.execute(store.TASK, {"task": card.task})).one_or_none():
        raise Refusal(USED_TASK)
    if (await conn.execute(store.TOO_MANY_CARDS, {"address": address})).scalar_one():
        raise Refusal(DISCARDED)
    return dict(card.lines), card.text


def _keep(card: Card) -> Any:
    async def keep(conn: AsyncConnection, entry: UUID) -> None:
        await _show(conn, entry, card.task or entry.hex, card.shown_buttons)

    return keep


async def _show(
    conn: AsyncConnection, entry: UUID, task: str, buttons: list[dict[str, str]], shown: str | None = None
) -> None:
    """Raises Refusal for a task id that was used."""
    if (await conn.execute(store.ADD_TASK, {"task": task, "ledger": entry})).rowcount == 0:
        raise Refusal(USED_TASK)
    await conn.execute(store.SHOW_CARD, {"ledger": entry, "task": task, "buttons": buttons, "shown": shown})


async def change(context: Context, token: str, body: Mapping[str, Any]) -> None:
    """Changes a card by a response code, once per code. Raises Refusal."""
    given = providers(context.settings, context.keys)
    await _admit(context, given, token, body)
    button, new = body.get("button") or {}, body.get("template_card")
    async with transaction(context.engine) as conn:
        rows = await store.all_rows(conn, store.USE_CODE, code=str(body.get("response_code", "")))
        if not rows:
            raise Refusal(BAD_CODE)
        if body.get("userids") != [open_address(context.keys, rows[0].sealed)]:
            raise Refusal("40058")
        if new:
            card = check_card(new)
            await _show(conn, rows[0].ledger, card.task or secrets.token_hex(16), card.shown_buttons)
        elif button.get("replace_name"):
            await conn.execute(store.REPLACE, {"ledger": rows[0].ledger, "shown": str(button["replace_name"])})
        else:
            raise Refusal("40058")


class NoButton(Exception):
    """The card has no such button (any more)."""


async def press(context: Context, entry: UUID, button: str) -> None:
    """The reader presses a button: the app's callback hears of it. Raises NoButton, and httpx2.HTTPError when the
    callback cannot be reached."""
    code = secrets.token_urlsafe(32)
    async with transaction(context.engine) as conn:
        rows = await store.all_rows(conn, store.CARD, ledger=entry)
        if not rows or button not in [each["key"] for each in rows[0].buttons]:
            raise NoButton
        await conn.execute(store.ADD_CODE, {"code": code, "ledger": entry})
    user = open_address(context.keys, rows[0].sealed)
    await call_back(context, event(context, user, rows[0].task, button, code))


def event(context: Context, user: str, task: str, button: str, code: str) -> str:
    """A pressed button as WeCom tells it."""
    given = providers(context.settings, context.keys)
    return (
        f"<xml><ToUserName><![CDATA[{given.wecom_corpid}]]></ToUserName>"
        f"<FromUserName><![CDATA[{escape(user)}]]></FromUserName><CreateTime>{int(time.time())}</CreateTime>"
        "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[template_card_event]]></Event>"
        f"<EventKey><![CDATA[{escape(button)}]]></EventKey><TaskId><![CDATA[{escape(task)}]]></TaskId>"
        "<CardType><![CDATA[button_interaction]]></CardType>"
        f"<ResponseCode><![CDATA[{code}]]></ResponseCode><AgentID>{given.wecom_agentid}</AgentID></xml>"
    )


async def call_back(context: Context, message: str) -> int:
    """Sends an event to the app's callback, encrypted and signed; returns the status it answered with."""
    given = providers(context.settings, context.keys)
    encrypted = encrypt(given.wecom_aes_key, given.wecom_corpid, message.encode(), secrets.token_bytes(16))
    timestamp, nonce = str(int(time.time())), secrets.token_hex(5)
    query = {
        "msg_signature": sign(given.wecom_token, timestamp, nonce, encrypted),
        "timestamp": timestamp,
        "nonce": nonce,
    }
    xml = (
        f"<xml><ToUserName><![CDATA[{given.wecom_corpid}]]></ToUserName><AgentID>{given.wecom_agentid}</AgentID>"
        f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    )
    answer = await client(context).post(given.callback("wecom"), content=xml.encode(), params=query)
    return answer.status_code
