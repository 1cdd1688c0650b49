"""The channels of a process, with their accounts and connections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import httpx2
from aiolimiter import AsyncLimiter
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notify import store
from services.notify.channels import Channel, wechat, wecom
from services.notify.channels import alibaba as sms
from services.notify.channels.tokens import TokenStore
from shared.db import transaction
from shared.providers import providers
from shared.service import Context
from shared.telemetry import current_traceparent

AT_ONCE = 64
"""Calls under way at once in one process."""
PER_SECOND = 500
"""Calls a second, well below what the providers allow."""


@dataclass(frozen=True)
class Wires:
    channels: Mapping[str, Channel]
    cards: wecom.WecomCard
    limiter: AsyncLimiter


_wires: WeakKeyDictionary[AsyncEngine, Wires] = WeakKeyDictionary()


def wired(context: Context) -> Wires:
    """The channels of this process; their connections are kept between runs."""
    if context.engine not in _wires:
        _wires[context.engine] = _wire(context)
    return _wires[context.engine]


def _wire(context: Context) -> Wires:
    # The sandbox is on this machine: a proxy of the environment is for the real providers only.
    real = context.settings.providers == "real"
    hooks: dict[str, list[Any]] = {} if real else {"request": [_trace]}
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    client = httpx2.AsyncClient(limits=limits, trust_env=real, event_hooks=hooks)
    given = providers(context.settings, context.keys)
    texts = sms.Account(given.sms_url, given.sms_key_id, given.sms_secret, given.sms_sign)
    account = wechat.Account(given.wechat_url, given.wechat_appid, given.wechat_secret)
    app = wecom.Account(
        given.wecom_url, given.wecom_corpid, given.wecom_secret, given.wecom_agentid, context.settings.base_url
    )
    cards = wecom.WecomCard(client, app, _token_store(context, "wecom"))
    channels: dict[str, Channel] = {
        "sms": sms.AlibabaSms(client, texts),
        "wechat": wechat.WechatTemplate(client, account, _token_store(context, "wechat")),
        "wecom": cards,
    }
    return Wires(channels, cards, AsyncLimiter(PER_SECOND, 1))


async def _trace(request: httpx2.Request) -> None:
    """The sandbox goes on with the trace; a real provider has no business with it."""
    request.headers["traceparent"] = current_traceparent() or ""


def _token_store(context: Context, provider: str) -> TokenStore:
    """The access token in the database, sealed: every process uses the same one."""
    key = context.keys.digest("access-token", provider.encode())

    async def load() -> str | None:
        async with transaction(context.engine) as conn:
            rows = await store.all_rows(conn, store.TOKEN, provider=provider)
        return str(context.keys.open(key, rows[0].sealed)["token"]) if rows else None

    async def save(token: str, seconds: float) -> None:
        sealed = context.keys.seal(key, {"token": token})
        async with transaction(context.engine) as conn:
            await conn.execute(store.SET_TOKEN, {"provider": provider, "sealed": sealed, "ttl": seconds})

    return TokenStore(load, save)
