"""WeChat official account: template messages.

`client_msg_id` makes a send at-most-once for ten minutes, so that a call with unknown end is simply repeated under the
same id. Why template messages: docs/decisions/0009-wechat-template-send.md.
"""

from dataclasses import dataclass, field
from typing import Any

import httpx2

from services.notify.channels.base import Accepted, Answer, Order, Refused, Unknown, call
from services.notify.channels.tokens import Fetched, Tokens, TokenStore
from services.notify.domain.outcomes import NEVER_KNOWN, UNREACHABLE

REMEMBERS = 9 * 60.0
"""Seconds in which a repeated `client_msg_id` is safe; a minute less than the provider says."""


@dataclass(frozen=True)
class Account:
    """Credentials of the official account. `url` is the interface's base."""

    url: str
    appid: str
    secret: str = field(repr=False)


class WechatTemplate:
    """The `wechat` channel."""

    def __init__(self, client: httpx2.AsyncClient, account: Account, kept: TokenStore) -> None:
        self._client = client
        self._account = account
        self._tokens = Tokens("wechat", kept, self._fetch)

    async def send(self, order: Order) -> Answer:
        return await self._tokens.use(lambda token: self._send(order, token))

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

    async def _fetch(self, force: bool) -> Fetched | Refused:
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
        return Fetched(str(body["access_token"]), float(body.get("expires_in", 7200)))
