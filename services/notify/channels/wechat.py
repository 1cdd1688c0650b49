"""WeChat official account: template messages.

`client_msg_id` makes a send at-most-once for ten minutes, so that a call with unknown end is simply repeated under the
same id. Why template messages: docs/decisions/0104-wechat-template-send.md.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from services.notify.channels.base import Accepted, Answer, Order, Refused, Unknown, call
from services.notify.domain.outcomes import NEVER_KNOWN, OUTCOMES, UNREACHABLE, Action

REMEMBERS = 9 * 60.0
"""Seconds in which a repeated `client_msg_id` is safe; a minute less than the provider says."""


@dataclass(frozen=True)
class Account:
    """Credentials of the official account. `url` is the interface's base."""

    url: str
    appid: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class TokenStore:
    """Where the access token is kept between processes."""

    load: Callable[[], Awaitable[str | None]]
    save: Callable[[str, float], Awaitable[None]]
    """(token, seconds it lives)"""


class WechatTemplate:
    """The `wechat` channel."""

    def __init__(self, client: httpx2.AsyncClient, account: Account, tokens: TokenStore) -> None:
        self._client = client
        self._account = account
        self._tokens = tokens
        self._token: str | None = None
        self._refreshing = asyncio.Lock()

    async def send(self, order: Order) -> Answer:
        token = await self._get_token(stale=None)
        if isinstance(token, Refused):
            return token
        answer = await self._send(order, token)
        if isinstance(answer, Refused) and OUTCOMES["wechat"].get(answer.code) is Action.NEW_TOKEN:
            token = await self._get_token(stale=token)
            return token if isinstance(token, Refused) else await self._send(order, token)
        return answer

    async def ask(self, order: Order) -> Answer:
        """The same call once more: the provider remembers the id and sends nothing twice. Once it may have forgotten
        the id, nothing is sent."""
        return await self.send(order) if order.age < REMEMBERS else Refused(NEVER_KNOWN)

    async def _send(self, order: Order, token: str) -> Answer:
        body = await call(
            self._client,
            "POST",
            f"{self._account.url.rstrip('/')}/cgi-bin/message/template/send",
            params={"access_token": token},
            json={
                "touser": order.address,
                "template_id": order.template,
                "client_msg_id": order.message.hex,
                "data": {name: {"value": value} for name, value in order.values.items()},
            },
        )
        if not isinstance(body, dict):
            return body
        code = body.get("errcode")
        if code == 0:
            return Accepted(str(body["msgid"]) if body.get("msgid") else None)
        return Unknown() if code is None else Refused(str(code))

    async def _get_token(self, stale: str | None) -> str | Refused:
        """The access token; a new one if the present one is `stale`. One caller fetches, the others wait for it."""
        async with self._refreshing:
            if self._token == stale:
                self._token = await self._tokens.load() if stale is None else None
            if self._token is not None:
                return self._token
            fetched = await self._fetch(force=stale is not None)
            self._token = fetched if isinstance(fetched, str) else None
            return fetched

    async def _fetch(self, force: bool) -> str | Refused:
        body: dict[str, Any] | Refused | Unknown = await call(
            self._client,
            "POST",
            f"{self._account.url.rstrip('/')}/cgi-bin/stable_token",
            json={
                "grant_type": "client_credential",
                "appid": self._account.appid,
                "secret": self._account.secret,
                "force_refresh": force,
            },
        )
        if not isinstance(body, dict):
            return Refused(UNREACHABLE)  # without a token nothing was sent
        if not body.get("access_token"):
            return Refused(str(body.get("errcode", -1)))
        await self._tokens.save(str(body["access_token"]), max(60.0, float(body.get("expires_in", 7200)) - 300))
        return str(body["access_token"])


def callback_signature(token: str, timestamp: str, nonce: str) -> str:
    """What WeChat signs a callback with: sha1 over the sorted parts."""
    return hashlib.sha1("".join(sorted((token, timestamp, nonce))).encode()).hexdigest()  # noqa: S324
