"""Clocks of notify: sending what is due, and finding out what became of calls without an end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import httpx2
import structlog
from aiolimiter import AsyncLimiter
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notify import store
from services.notify.channels import Answer, Channel, Unknown, wechat
from services.notify.channels import alibaba as sms
from services.notify.sending import Call, adopt, claim, record
from shared.db import transaction
from shared.providers import providers
from shared.service import Context
from shared.telemetry import describe

log = structlog.get_logger()

AT_ONCE = 64
"""Calls under way at once in one process."""
PER_SECOND = 500
"""Calls a second, well below what the providers allow."""
CALL_SECONDS = 12.0
"""Limit of a whole call, a new token included; shorter than an attempt's lease."""
POLL = 0.1
GROUP = 0.005
"""How long answers are gathered, so that many are recorded by one statement."""


@dataclass(frozen=True)
class _Wires:
    channels: Mapping[str, Channel]
    limiter: AsyncLimiter


_wires: WeakKeyDictionary[AsyncEngine, _Wires] = WeakKeyDictionary()


def _wired(context: Context) -> _Wires:
    """The channels of this process; their connections are kept between runs."""
    if context.engine not in _wires:
        # The sandbox is on this machine: a proxy of the environment is for the real providers only.
        real = context.settings.providers == "real"
        client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=AT_ONCE), trust_env=real)
        given = providers(context.settings, context.keys)
        _wires[context.engine] = _Wires(
            {
                "sms": sms.AlibabaSms(
                    client, sms.Account(given.sms_url, given.sms_key_id, given.sms_secret, given.sms_sign)
                ),
                "wechat": wechat.WechatTemplate(
                    client,
                    wechat.Account(given.wechat_url, given.wechat_appid, given.wechat_secret),
                    _token_store(context),
                ),
            },
            AsyncLimiter(PER_SECOND, 1),
        )
    return _wires[context.engine]


def _token_store(context: Context) -> wechat.TokenStore:
    """The access token in the database, sealed: every process uses the same one."""
    key = context.keys.digest("access-token", b"wechat")

    async def load() -> str | None:
        async with transaction(context.engine) as conn:
            rows = await store.all_rows(conn, store.TOKEN, provider="wechat")
        return str(context.keys.open(key, rows[0].sealed)["token"]) if rows else None

    async def save(token: str, seconds: float) -> None:
        sealed = context.keys.seal(key, {"token": token})
        async with transaction(context.engine) as conn:
            await conn.execute(store.SET_TOKEN, {"provider": "wechat", "sealed": sealed, "ttl": seconds})

    return wechat.TokenStore(load, save)


async def deliver(context: Context) -> float:
    """Sends messages that are due. A slow call delays no other one: new ones are claimed as old ones end."""
    return await _run(context, claim, lambda channel, call: channel.send(call.order), POLL)


async def find_out(context: Context) -> float:
    """Asks about calls whose end nobody knows, before anything is sent again."""
    return await _run(context, adopt, lambda channel, call: channel.ask(call.order), 0.5)


Take = Callable[[Context, int], Awaitable[list[Call]]]
Act = Callable[[Channel, Call], Awaitable[Answer]]


async def _run(context: Context, take: Take, act: Act, pause: float) -> float:
    flying: set[asyncio.Task[tuple[Call, Answer]]] = set()
    try:
        while True:
            if len(flying) < AT_ONCE:
                calls = await take(context, (AT_ONCE - len(flying) + 1) // 2)
                flying |= {asyncio.create_task(_one(_wired(context), act, call)) for call in calls}
            if not flying:
                return pause
            await asyncio.wait(flying, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(GROUP)
            done = {task for task in flying if task.done()}
            flying -= done
            if done:
                await record(context, [task.result() for task in done])
    finally:
        for task in flying:
            task.cancel()


async def _one(wires: _Wires, act: Act, call: Call) -> tuple[Call, Answer]:
    async with wires.limiter:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return call, await act(wires.channels[call.channel], call)
        except TimeoutError:
            return call, Unknown()
        except Exception as error:  # one message that cannot be sent holds back no other
            log.error("call.failed", channel=call.channel, message=str(call.message), error=describe(error))
            return call, Unknown()
