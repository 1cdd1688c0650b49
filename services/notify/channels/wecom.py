"""WeCom (企业微信): template cards, with buttons where something can be done.

A card's task id is our message's id and good once, so that a call with unknown end is simply made again: 42014 says
that the card was sent. There are no receipts: the answer itself names whom the card does not reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2

from services.notify.channels.base import Answer, Delivered, Order, Refused, Unknown, call
from services.notify.channels.tokens import Fetched, Tokens, TokenStore
from services.notify.domain.outcomes import UNREACHABLE
from services.notify.domain.templates import TEMPLATES

SENT_BEFORE = 42014
"""Their code for a task id that was used."""
NOT_REACHED = ("invaliduser", "unlicenseduser")
"""Fields of a good answer that name members it is not good for."""


@dataclass(frozen=True)
class Account:
    """Credentials of the app. `url` is the interface's base, `pages` what a card opens."""

    url: str
    corpid: str
    secret: str = field(repr=False)
    agentid: int
    pages: str


@dataclass(frozen=True)
class Change:
    """A card whose button was pressed. `response_code` is good for one change."""

    message: UUID
    template: str
    address: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    act: str
    response_code: str = field(repr=False)


class WecomCard:
    """The `wecom` channel."""

    def __init__(self, client: httpx2.AsyncClient, account: Account, kept: TokenStore) -> None:
        self._client = client
        self._account = account
        self._tokens = Tokens("wecom", kept, self._fetch)

    async def send(self, order: Order) -> Answer:
        card = self._card(order.template, order.values, str(order.message), TEMPLATES[order.template].buttons)
        body = {"touser": order.address, "msgtype": "template_card", "template_card": card}
        return await self._tokens.use(lambda token: self._post("message/send", body, token))

    async def ask(self, order: Order) -> Answer:
        """The same call once more: a task id is good once."""
        return await self.send(order)

    async def change(self, change: Change) -> Answer:
        """Shows on the card which button was pressed, or what can still be pressed."""
        template = TEMPLATES[change.template]
        body: dict[str, Any] = {"userids": [change.address], "response_code": change.response_code}
        if left := template.left(change.act):
            body["template_card"] = self._card(change.template, change.values, f"{change.message}@{change.act}", left)
        else:
            body["button"] = {"replace_name": f"已点：{template.buttons[change.act]}"}
        return await self._tokens.use(lambda token: self._post("message/update_template_card", body, token))

    def _card(self, template: str, lines: Mapping[str, str], task: str, buttons: Mapping[str, str]) -> dict[str, Any]:
        card: dict[str, Any] = {
            "card_type": "button_interaction" if buttons else "text_notice",
            "main_title": {"title": TEMPLATES[template].title},
            "horizontal_content_list": [{"keyname": name, "value": value} for name, value in lines.items()],
            "task_id": task,
            "card_action": {"type": 1, "url": self._account.pages},
        }
        if buttons:
            card["button_list"] = [
                {"text": words, "key": act, "style": 1 if n == 0 else 2}
                for n, (act, words) in enumerate(buttons.items())
            ]
        return card

    async def _post(self, path: str, body: dict[str, Any], token: str) -> Answer:
        answer = await call(
            self._client,
            "POST",
            f"{self._account.url}/cgi-bin/{path}",
            params={"access_token": token},
            json={"agentid": self._account.agentid, **body},
        )
        if not isinstance(answer, dict):
            return answer
        code = answer.get("errcode")
        if code not in (0, SENT_BEFORE):
            return Unknown() if code is None else Refused(str(code))
        missed = next((name for name in NOT_REACHED if answer.get(name)), None)
        return Refused(missed) if missed else Delivered()

    async def _fetch(self, force: bool) -> Fetched | Refused:  # noqa: ARG002
        """A token; whatever `force` says, WeCom gives a new one only when the old one has ended."""
        body = await call(
            self._client,
            "GET",
            f"{self._account.url}/cgi-bin/gettoken",
            params={"corpid": self._account.corpid, "corpsecret": self._account.secret},
        )
        if not isinstance(body, dict):
            return Refused(UNREACHABLE)  # without a token nothing was sent
        if not body.get("access_token"):
            return Refused(str(body.get("errcode", -1)))
        return Fetched(str(body["access_token"]), float(body.get("expires_in", 7200)))
