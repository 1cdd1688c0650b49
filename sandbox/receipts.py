"""Receipts: sent to the sender's callback over HTTP as the provider does, until it says yes."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import httpx2
import orjson
import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from sandbox import store
from sandbox.addresses import open_address
from shared.db import transaction
from shared.keys import Keys
from shared.providers import Providers, providers
from shared.service import Context

log = structlog.get_logger()
BATCH = 100
LEASE = 10.0
"""Seconds (real time) after which a receipt whose sender died is sent again."""
RETRY = 1.0
"""Seconds between tries; the real providers take minutes, but then nobody here would see it."""
TRIES = 60
TIMEOUT = 5.0
POLL = 0.1
CHINA = ZoneInfo("Asia/Shanghai")

_clients: WeakKeyDictionary[AsyncEngine, httpx2.AsyncClient] = WeakKeyDictionary()


def client(context: Context) -> httpx2.AsyncClient:
    """The process's HTTP client; its connections are kept."""
    if context.engine not in _clients:
        _clients[context.engine] = httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False)
    return _clients[context.engine]


async def report(context: Context) -> float:
    """Job: sends the receipts that are due."""
    while await send_reports(context) == BATCH:
        pass
    return POLL


async def send_reports(context: Context, entry: UUID | None = None) -> int:
    """Sends a batch of due receipts, or those of one message. Returns how many were taken up."""
    async with transaction(context.engine) as conn:
        due = await store.all_rows(conn, store.DUE_REPORTS, batch=BATCH, lease=LEASE, ledger=entry)
    if not due:
        return 0
    given = providers(context.settings, context.keys)
    texts = [row for row in due if row.provider == "alibaba"]
    cards = [row for row in due if row.provider == "wechat"]
    sent = await asyncio.gather(
        *([_send_alibaba(context, given, texts)] if texts else []),
        *(_send_wechat(context, given, row) for row in cards),
    )
    good = [row for rows in sent for row in rows]
    bad = [row.id for row in due if row not in good]
    async with transaction(context.engine) as conn:
        await conn.execute(store.REPORTED, {"ids": [row.id for row in good]})
        await conn.execute(store.NOTE_REPORTED, {"ledgers": [row.ledger for row in good]})
        await conn.execute(store.LATER, {"ids": bad, "seconds": RETRY, "most": TRIES})
    if bad:
        log.warning("sandbox.receipts-refused", count=len(bad))
    return len(due)


async def _send_alibaba(context: Context, given: Providers, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Receipts go as one array; the sender answers for all of them. Returns those it took."""
    body = orjson.dumps([_alibaba_receipt(context.keys, row) for row in rows])
    try:
        answer = await client(context).post(given.callback("alibaba"), content=body)
        taken = answer.status_code == 200 and answer.json().get("code") == 0
    except (httpx2.HTTPError, ValueError):
        taken = False
    return list(rows) if taken else []


def _alibaba_receipt(keys: Keys, row: Row[Any]) -> dict[str, str | bool]:
    at = row.at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "phone_number": open_address(keys, row.sealed),
        "send_time": at,
        "report_time": at,
        "success": row.state == "delivered",
        "err_code": "DELIVERED" if row.state == "delivered" else str(row.code),
        "err_msg": "用户接收成功" if row.state == "delivered" else "用户接收失败",
        "sms_size": str(max(1, -(-len(row.text) // 67))),
        "biz_id": row.ref,
        "out_id": row.out_id,
    }


async def _send_wechat(context: Context, given: Providers, row: Row[Any]) -> list[Row[Any]]:
    status = "success" if row.state == "delivered" else f"failed:{row.code}"
    openid = escape(open_address(context.keys, row.sealed))
    xml = (
        "<xml><ToUserName><![CDATA[gh_sandbox]]></ToUserName>"
        f"<FromUserName><![CDATA[{openid}]]></FromUserName><CreateTime>{int(time.time())}</CreateTime>"
        "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>"
        f"<MsgID>{row.ref}</MsgID><Status><![CDATA[{status}]]></Status></xml>"
    )
    try:
        answer = await client(context).post(
            given.callback("wechat"), content=xml.encode(), params=signed(given.wechat_token)
        )
        taken = answer.status_code == 200 and answer.text in ("success", "")
    except httpx2.HTTPError:
        taken = False
    return [row] if taken else []


def signed(token: str) -> dict[str, str]:
    """The query WeChat signs a callback with."""
    timestamp, nonce = str(int(time.time())), secrets.token_hex(5)
    digest = hashlib.sha1("".join(sorted((token, timestamp, nonce))).encode()).hexdigest()  # noqa: S324
    return {"signature": digest, "timestamp": timestamp, "nonce": nonce}
