"""Demonstration people: whom one may sign in as, and what lies on their telephones. Only beside the sandbox: where the
providers are real, so are the people."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID
from weakref import WeakKeyDictionary

from cryptography.exceptions import InvalidTag
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sandbox import store
from sandbox.addresses import address_digest
from shared.auth import Principal
from shared.contracts.titles import title
from shared.db import transaction
from shared.keys import Keys
from shared.phones import e164
from shared.service import Context

Kind = Literal["resident", "leader", "desk", "secretary", "seat", "department", "command"]
KINDS: Mapping[str, Kind] = {
    "leader": "leader",
    "party": "leader",
    "desk": "desk",
    "secretary": "secretary",
    "officer": "department",
}
RESIDENT_PHONE = "19900009999"
"""A resident nobody is: numbers of this block are not given out."""
KEPT = 60.0
"""Seconds (real time) for which it is remembered whose telephones these are."""
LATELY, POLL, HEARTBEAT = 30.0, 0.5, 15.0
"""Seconds (real time): how far back a live listener looks, how often, and how often it says that it is still there."""


@dataclass(frozen=True)
class Person:
    """Somebody to sign in as. `no` is a 编号, or `resident`, or `command`."""

    no: str
    id: UUID | None
    title: str
    kind: Kind
    grid: str | None = None
    label: str | None = None
    department: str | None = None

    @property
    def principal(self) -> Principal:
        if self.kind == "command":
            return Principal(role="command")
        return Principal(self.id, None if self.kind == "resident" else self.no, department=self.department)


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
    """The demonstration people with their telephones; opens their contacts, which the vault logs, once a minute."""
    kept = _kept.get(context.engine)
    if kept is None or time.monotonic() - kept.at > KEPT or not kept.owners:
        async with transaction(context.engine) as conn:
            people = await _people(conn, context.keys)
            kept = await _open(conn, context.keys, people)
        _kept[context.engine] = kept
    return kept


async def _people(conn: AsyncConnection, keys: Keys) -> list[Person]:
    here = (await conn.execute(store.TELLING_PLACE)).scalar_one_or_none()
    known = [_person(row) for row in await store.all_rows(conn, store.PEOPLE, here=here)]
    resident = Person("resident", await _resident(conn, keys), "居民", "resident")
    return [resident, *known, Person("command", None, "区指挥中心", "command")]


def _person(row: Row[Any]) -> Person:
    kind = KINDS.get(row.post, "seat")
    if kind == "department":
        called = f"{row.department_label} 经办人"
    elif kind in ("leader", "desk"):
        called = title(row.level, row.post, courtyard=bool(row.courtyard), village=bool(row.village))
    else:
        called = "社区书记" if kind == "secretary" else row.post
    return Person(row.no, row.person, called, kind, row.grid, row.label, row.department)


async def _resident(conn: AsyncConnection, keys: Keys) -> UUID:
    phone = str(e164(RESIDENT_PHONE))
    key, wrapped = keys.new_person_key()
    sealed = keys.seal(key, {"name": None, "phone": phone, "openid": None, "wecom": None})
    found = await conn.execute(store.RESIDENT, {"index": keys.phone_index(phone), "wrapped": wrapped, "sealed": sealed})
    return UUID(str(found.scalar_one()))


async def _open(conn: AsyncConnection, keys: Keys, people: Sequence[Person]) -> Phones:
    owners: dict[bytes, str] = {}
    numbers: dict[str, str] = {}
    by_id = {person.id: person.no for person in people if person.id}
    for row in await store.all_rows(conn, store.CONTACTS, persons=list(by_id)):
        try:
            contacts, no = keys.open(keys.unwrap(row.wrapped), row.sealed), by_id[row.person]
        except InvalidTag:  # erased
            continue
        found = [contacts[name] for name in ("phone", "openid", "wecom") if contacts.get(name)]
        owners |= {address_digest(keys, address): no for address in found}
        if contacts.get("phone"):
            numbers[no] = contacts["phone"]
    return Phones(people, owners, numbers, time.monotonic())


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
