"""Text messages by Alibaba Cloud SMS (dysmsapi, 2017-05-25), signed with ACS3-HMAC-SHA256.

Its SendSms is not idempotent: after a call with unknown end QuerySendDetails is asked, and the answer matched on OutId.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import httpx2
import orjson

from services.notify.channels.base import Accepted, Answer, Delivered, Order, Refused, Unknown, call
from services.notify.domain.outcomes import UNANSWERED

VERSION = "2017-05-25"
EMPTY = hashlib.sha256(b"").hexdigest()
PAGE = 50
CHINA = ZoneInfo("Asia/Shanghai")


def encode_query(query: Mapping[str, str]) -> str:
    """Sorted, percent-encoded as RFC 3986 wants it."""
    return "&".join(f"{quote(key, safe='~')}={quote(query[key], safe='~')}" for key in sorted(query))


def signature(secret: str, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Signature of a request whose `headers` (lower-case names) are all signed."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = "\n".join((method, path, encode_query(query), lines, names, headers["x-acs-content-sha256"]))
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Account:
    """Credentials of the district's account. `url` is the interface's base."""

    url: str
    key_id: str
    secret: str = field(repr=False)
    sign_name: str


class AlibabaSms:
    """The `sms` channel."""

    def __init__(self, client: httpx2.AsyncClient, account: Account) -> None:
        self._client = client
        self._account = account

    async def send(self, order: Order) -> Answer:
        body = await self._call(
            "SendSms",
            {
                "PhoneNumbers": national(order.address),
                "SignName": self._account.sign_name,
                "TemplateCode": order.template,
                "TemplateParam": orjson.dumps(dict(order.values)).decode(),
                "OutId": str(order.message),
            },
        )
        if not isinstance(body, dict):
            return body
        code = str(body.get("Code", ""))
        if code == "OK":
            return Accepted(str(body["BizId"]) if body.get("BizId") else None)
        return Refused(code) if code else Unknown()

    async def ask(self, order: Order) -> Answer:
        days = {at.astimezone(CHINA).strftime("%Y%m%d") for at in (order.at, datetime.now(UTC))}
        found: set[int] = set()
        error = ""
        for day in sorted(days):
            details = await self._details(order, day)
            if details is None:
                return Unknown()
            mine = [d for d in details if d.get("OutId") == str(order.message)]
            found |= {int(d.get("SendStatus", 1)) for d in mine}
            error = next((str(d.get("ErrCode")) for d in mine if d.get("SendStatus") == 2), error)
        if 3 in found:
            return Delivered()
        if 1 in found:
            return Accepted(None)
        return Refused(f"receipt:{error}") if 2 in found else Refused(UNANSWERED)

    async def _details(self, order: Order, day: str) -> list[dict[str, Any]] | None:
        """Every message to that number on that day; None when the provider would not say."""
        details: list[dict[str, Any]] = []
        page = 1
        while True:
            body = await self._call(
                "QuerySendDetails",
                {
                    "PhoneNumber": national(order.address),
                    "SendDate": day,
                    "PageSize": str(PAGE),
                    "CurrentPage": str(page),
                },
            )
            if not isinstance(body, dict) or body.get("Code") != "OK":
                return None
            shown = (body.get("SmsSendDetailDTOs") or {}).get("SmsSendDetailDTO") or []
            details += shown
            if not shown or len(details) >= int(body.get("TotalCount") or 0):
                return details
            page += 1

    async def _call(self, action: str, query: Mapping[str, str]) -> dict[str, Any] | Refused | Unknown:
        url = urlsplit(self._account.url)
        path = url.path.rstrip("/") + "/"
        headers = {
            "host": url.netloc,
            "x-acs-action": action,
            "x-acs-content-sha256": EMPTY,
            "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-version": VERSION,
        }
        signed = signature(self._account.secret, "POST", path, query, headers)
        headers["Authorization"] = (
            f"ACS3-HMAC-SHA256 Credential={self._account.key_id},"
            f"SignedHeaders={';'.join(sorted(headers))},Signature={signed}"
        )
        target = f"{url.scheme}://{url.netloc}{path}?{encode_query(query)}"
        return await call(self._client, "POST", target, headers=headers)


def national(e164: str) -> str:
    """A mainland number without its country code, as the provider wants it."""
    return e164.removeprefix("+86")
