"""Demonstration people and what lies on their telephones. Notify knows who they are; only it may open the vault. Only
beside the sandbox: where the providers are real, so are the people."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from sandbox import store
from sandbox.addresses import address_digest
from sandbox.receipts import client
from sandbox.schemas import Person
from shared.auth import Principal
from shared.db import transaction
from shared.providers import providers
from shared.service import Context

KEPT = 60.0
"""Seconds (real time) for which it is remembered whose telephones these are."""
LATELY, POLL, HEARTBEAT = 30.0, 0.5, 15.0
"""Seconds (real time): how far back a live listener looks, how often, and how often it says that it is still there."""


@dataclass(frozen=True)
class Phones:
    """Who is who by now: addresses as the ledger names them, and telephone numbers to write from."""

    people: Sequence[Person]
    owners: Mapping[bytes, str]
    numbers: Mapping[str, str] = field(repr=False)
    at: float

    def person(self, no: str) -> Person | None:
        return next((person for person in self.people if person.no == no), None)

    def addresses(self, no: str | None) -> list[bytes]:
        return [address for address, owner in self.owners.items() if no in (None, owner)]


_kept: WeakKeyDictionary[AsyncEngine, Phones] = WeakKeyDictionary()


async def phones(context: Context) -> Phones:
    """The demonstration people with their telephones; asked for once a minute, for the vault logs every opening.

    Raises httpx2.HTTPError when notify cannot be reached."""
    kept = _kept.get(context.engine)
    if kept is None or time.monotonic() - kept.at > KEPT or not kept.owners:
        answer = await client(context).get(providers(context.settings, context.keys).callback("sandbox"))
        answer.raise_for_status()
        kept = _known(context, [Person.model_validate(each) for each in answer.json()])
        _kept[context.engine] = kept
    return kept


def _known(context: Context, people: Sequence[Person]) -> Phones:
    owners = {
        address_digest(context.keys, address): person.no for person in people for address in person.addresses.values()
    }
    numbers = {person.no: person.addresses["phone"] for person in people if "phone" in person.addresses}
    return Phones(people, owners, numbers, time.monotonic())


def principal(person: Person) -> Principal:
    """As whom one signs in."""
    if person.kind == "command":
        return Principal(role="command")
    no = None if person.kind == "resident" else person.no
    return Principal(UUID(person.id) if person.id else None, no, department=person.department)


async def bubbles(context: Context, found: Phones, no: str | None, lately: float | None = None) -> list[dict[str, Any]]:
    """What arrived at one person's telephone, or at all of them, oldest first."""
    async with transaction(context.engine) as conn:
        rows = await store.all_rows(conn, store.BUBBLES, addresses=found.addresses(no), lately=lately)
    return [_bubble(row, found.owners[bytes(row.address)]) for row in rows]


def _bubble(row: Row[Any], person: str) -> dict[str, Any]:
    """A card's first line is its title."""
    heading, _, rest = row.text.partition("\n") if row.channel != "sms" else ("", "", row.text)
    return {
        "id": str(row.id),
        "channel": row.channel,
        "person": person,
        "title": heading or None,
        "text": rest,
        "buttons": row.buttons,
        "shown": row.shown,
        "at": row.at.isoformat(),
    }


async def listen(context: Context) -> AsyncIterator[dict[str, Any] | None]:
    """Messages as they arrive from now on, and cards again when their buttons change; None: still here."""
    told: dict[str, Any] = {}
    quiet = time.monotonic()
    first = True
    while True:
        found = await phones(context)
        for bubble in await bubbles(context, found, None, LATELY):
            state = (bubble["buttons"], bubble["shown"])
            if told.get(bubble["id"]) != state and not first:
                quiet = time.monotonic()
                yield bubble
            told[bubble["id"]] = state
        first = False
        if time.monotonic() - quiet > HEARTBEAT:
            quiet = time.monotonic()
            yield None
        await asyncio.sleep(POLL)
