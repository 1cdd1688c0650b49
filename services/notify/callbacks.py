"""What providers send us, read: receipts, texts from telephones, pressed buttons. Nothing here trusts its input."""

from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import orjson

from services.notify.commands import Receipt
from services.notify.replies import Click, Inbound

MOST = 1000
"""Items taken from one callback."""


class BadCallback(ValueError):
    """Not what the provider sends."""


def read_alibaba(body: bytes) -> list[Receipt | Inbound]:
    """A JSON array of receipts or of inbound texts. Raises BadCallback."""
    try:
        items = orjson.loads(body)
        return [_alibaba_item(item) for item in items[:MOST]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadCallback(type(error).__name__) from None


def _alibaba_item(item: dict[str, Any]) -> Receipt | Inbound:
    if "biz_id" in item:
        delivered = str(item["success"]).lower() == "true"
        code = "DELIVERED" if delivered else str(item.get("err_code", ""))
        return Receipt("alibaba", str(item["biz_id"])[:64], delivered, code, _uuid(item.get("out_id")))
    return Inbound("alibaba", str(item["sequence_id"])[:64], str(item["phone_number"])[:32], str(item["content"]))


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def read_wechat(body: bytes) -> list[Receipt]:
    """One event as XML; events that are no receipts give nothing. Raises BadCallback."""
    root = _xml(body)
    if root.findtext("Event") != "TEMPLATESENDJOBFINISH":
        return []
    status = (root.findtext("Status") or "").strip()
    return [Receipt("wechat", (root.findtext("MsgID") or "")[:64], status == "success", status)]


def read_encrypted(body: bytes) -> str:
    """What is encrypted in a callback. Raises BadCallback."""
    return _xml(body).findtext("Encrypt") or ""


def read_wecom(body: bytes) -> Click | None:
    """One decrypted event as XML; None for one that is no pressed button. Raises BadCallback."""
    root = _xml(body)
    if root.findtext("Event") != "template_card_event":
        return None
    user, button, task, code = (root.findtext(n) or "" for n in ("FromUserName", "EventKey", "TaskId", "ResponseCode"))
    return Click(user[:64], task[:128], button[:64], code[:512])


def _xml(body: bytes) -> ElementTree.Element:
    """Entities are refused before parsing: a few lines of them expand to gigabytes."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BadCallback("entities")
    try:
        return ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        raise BadCallback("xml") from None
