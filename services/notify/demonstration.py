"""Demonstration people: whom one may sign in as, and what their telephones are called. The sandbox asks for them; where
the providers are real, so are the people, and there is no such thing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from services.notify.schemas import DemonstrationPerson, Kind
from shared.contracts.titles import title
from shared.keys import Keys
from shared.phones import e164

log = structlog.get_logger()
KINDS: Mapping[str, Kind] = {
    "leader": "leader",
    "party": "leader",
    "desk": "desk",
    "secretary": "secretary",
    "officer": "department",
}
RESIDENT_PHONE = "19900009999"
"""A resident nobody is: numbers of this block are not given out."""


async def people(conn: AsyncConnection, keys: Keys) -> list[DemonstrationPerson]:
    """Who has a part in what happens at one telling place, one resident and the district's command, with their
    addresses. The vault logs that they were opened."""
    here = (await conn.execute(store.TELLING_PLACE)).scalar_one_or_none()
    known = [_person(row) for row in await store.all_rows(conn, store.PEOPLE, here=here)]
    resident = DemonstrationPerson(no="resident", id=await _resident(conn, keys), title="居民", kind="resident")
    found = [resident, *known]
    addresses = await _addresses(conn, keys, [person.id for person in found if person.id])
    command = DemonstrationPerson(no="command", title="区指挥中心", kind="command")
    return [*(p.model_copy(update={"addresses": addresses.get(p.id, {})}) for p in found), command]


def _person(row: Row[Any]) -> DemonstrationPerson:
    kind = KINDS.get(row.post, "seat")
    if kind == "department":
        called = f"{row.department_label} 经办人"
    elif kind in ("leader", "desk"):
        called = title(row.level, row.post, courtyard=bool(row.courtyard), village=bool(row.village))
    else:
        called = "社区书记" if kind == "secretary" else row.post
    return DemonstrationPerson(
        no=row.no,
        id=row.person,
        title=called,
        kind=kind,
        grid=row.grid,
        label=row.label,
        department=row.department,
    )


async def _resident(conn: AsyncConnection, keys: Keys) -> UUID:
    phone = str(e164(RESIDENT_PHONE))
    key, wrapped = keys.new_person_key()
    sealed = keys.seal(key, {"name": None, "phone": phone, "openid": None, "wecom": None})
    row = {"index": keys.phone_index(phone), "wrapped": wrapped, "sealed": sealed}
    return UUID(str((await conn.execute(store.RESIDENT, row)).scalar_one()))


async def _addresses(conn: AsyncConnection, keys: Keys, persons: list[UUID]) -> dict[UUID | None, dict[str, str]]:
    """All of a person's addresses, working or not: what arrived at one stays on the telephone."""
    found: dict[UUID | None, dict[str, str]] = {}
    for row in await store.all_rows(conn, store.CONTACTS, persons=persons, purpose="sandbox"):
        try:
            opened = keys.open(keys.unwrap(row.wrapped), row.sealed)
        except InvalidTag:
            log.warning("contacts.unreadable", person=str(row.person))
            continue
        found[row.person] = {name: opened[name] for name in ("phone", "openid", "wecom") if opened.get(name)}
    return found
