"""Telephones of the sandbox: what arrived on them, and what is sent from them."""

import asyncio
import contextlib
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from chuishao import store
from chuishao.target import Target, as_owner, fail
from sandbox.addresses import address_digest
from sandbox.inbound import send_from_phone
from sandbox.store import Arrived, ledger
from shared.phones import e164
from shared.providers import providers

PATIENCE, POLL = 3.0, 0.1
"""Seconds: how long an answer is waited for, and how often it is looked for."""


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message as its reader sees it, with what notify knows about it (None for what is no message of notify's)."""

    channel: str
    person: str | None
    template: str
    reason: str | None
    issue: str | None
    hop: int | None
    text: str
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Telephone:
    """Whose telephone it is (None: nobody we know), and the keyed hashes of what reaches it."""

    person: UUID | None
    addresses: tuple[bytes, ...]


async def telephone_of_number(target: Target, typed: str) -> Telephone:
    """A number's telephone shows WeChat too if it belongs to somebody we know."""
    number = e164(typed)
    if number is None:
        fail("不是电话号码", "not a telephone number", 2)
    async with as_owner(target) as conn:
        person = await store.find_phone(conn, target.keys.phone_index(number))
        if person:
            return await telephone_of(conn, target, person)
    return Telephone(None, (address_digest(target.keys, number),))


async def telephone_of(conn: AsyncConnection, target: Target, person: UUID) -> Telephone:
    """Opens the person's contacts, which the vault logs."""
    found = await store.contacts(conn, person)
    if found is None:
        return Telephone(person, ())
    contacts = target.keys.open(target.keys.unwrap(found[0]), found[1])
    addresses = [contacts.get(name) for name in ("phone", "openid", "wecom")]
    return Telephone(person, tuple(address_digest(target.keys, each) for each in addresses if each))


async def arrived(target: Target, telephone: Telephone, since: datetime | None = None) -> list[Bubble]:
    """What was delivered to the telephone, oldest first."""
    async with as_owner(target, schema="sandbox") as conn:
        entries = [each for each in await ledger(conn, telephone.addresses, since) if each.state == "delivered"]
        known = await store.messages(conn, [_message_id(each) for each in entries])
    return [_bubble(each, known.get(_message_id(each))) for each in entries]


def _message_id(entry: Arrived) -> UUID:
    """Notify gives its own id to the provider; whoever else sends may give anything."""
    try:
        return UUID(entry.out_id)
    except ValueError:
        return UUID(int=0)


def _bubble(entry: Arrived, message: store.Message | None) -> Bubble:
    return Bubble(
        channel=entry.channel,
        person=message.person if message else None,
        template=message.template if message else entry.template,
        reason=message.reason if message else None,
        issue=str(message.issue) if message and message.issue else None,
        hop=message.hop if message else None,
        text=entry.text,
        at=entry.at,
    )


async def send(target: Target, typed: str, text: str) -> tuple[str, Bubble | None]:
    """Sends a text from a telephone through the provider's callback. Returns what the callback answered, and the text
    that came back to the telephone, if one came within 3 s."""
    number = e164(typed)
    if number is None:
        fail("不是电话号码", "not a telephone number", 2)
    telephone = await telephone_of_number(target, typed)
    before = len(await _answers(target, telephone))
    settings = target.settings.model_copy(update={"public_url": target.base_url})
    heard = await send_from_phone(providers(settings, target.keys), number, text)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while len(came := await _answers(target, telephone)) == before:
                await asyncio.sleep(POLL)
            return heard, came[-1]
    return heard, None


async def _answers(target: Target, telephone: Telephone) -> list[Bubble]:
    return [each for each in await arrived(target, telephone) if each.reason == "reply"]
