"""Importing a whole district: all of a workbook or nothing of it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.directory import import_store as store
from services.directory.domain.naming import Named, names_of
from services.directory.domain.workbook import BadWorkbook, Fault, Grid, Person, Workbook
from services.directory.store import take_seq
from shared.contracts.directory import DistrictImported
from shared.contracts.levels import RANK
from shared.db import transaction
from shared.ids import new_id
from shared.keys import Keys
from shared.messaging.events import NewEvent
from shared.messaging.outbox import publish

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ImportReport:
    """How much of each the district has now, and how many grids became void."""

    grids: int
    voided: int
    people: int
    posts: int
    departments: int
    venues: int
    bindings: int


@dataclass(frozen=True)
class Sealed:
    """A person as the vault keeps them."""

    phone_index: bytes | None
    wrapped_key: bytes
    contacts: bytes
    channels: tuple[tuple[str, bytes], ...]
    """Channel and the keyed hash of its address, in the person's order."""


async def import_workbook(engine: AsyncEngine, keys: Keys, workbook: Workbook, progress: Progress) -> ImportReport:
    """Makes the district what the workbook says. Runs as the owner of the database.

    Grids it does not name are voided, people it does not name are gone, posts and all the rest are replaced.
    People keep their id by 编号; a new 编号 with the phone of a known resident is that resident.
    Tells DistrictImported. Raises BadWorkbook when a code was voided before; then nothing is changed.
    """
    progress(f"封存 {len(workbook.people)} 个人的姓名和号码")
    sealed = await asyncio.to_thread(lambda: [_seal(keys, person) for person in workbook.people])
    async with transaction(engine) as conn:
        await store.begin(conn)
        progress(f"写入 {len(workbook.grids)} 个网格")
        grids, voided = await _import_tree(conn, workbook)
        progress(f"写入 {len(workbook.people)} 个人")
        people = await _import_people(conn, workbook, sealed)
        progress(f"写入 {len(workbook.posts)} 个岗位，还有其余的")
        await _import_rest(conn, workbook, grids, people)
        district = next(grids[grid.code] for grid in workbook.grids if grid.level == "district")
        event = DistrictImported(district=district, grids_voided=voided)
        await publish(conn, [NewEvent(district, await take_seq(conn, district), event)])
        await store.analyze(conn)
    return ImportReport(
        grids=len(workbook.grids),
        voided=voided,
        people=len(workbook.people),
        posts=len(workbook.posts),
        departments=len(workbook.departments),
        venues=len(workbook.venues),
        bindings=len(workbook.bindings),
    )


def _seal(keys: Keys, person: Person) -> Sealed:
    contacts = {"name": person.name, "phone": person.phone, "openid": person.openid, "wecom": person.wecom}
    index = keys.phone_index(person.phone) if person.phone else None
    key, wrapped = keys.new_person_key()
    addresses = {"wechat": person.openid, "wecom": person.wecom, "sms": person.phone}
    hashes = {name: keys.digest(name, str(address).encode()) for name, address in addresses.items()}
    if index:
        hashes["sms"] = index  # as the vault's own function keeps it for residents
    channels = tuple((name, hashes[name]) for name in person.channels)
    return Sealed(index, wrapped, keys.seal(key, contacts), channels)


async def _import_tree(conn: AsyncConnection, workbook: Workbook) -> tuple[dict[str, UUID], int]:
    """Writes the grids; gives code -> id of those in force, and how many became void."""
    known, void = await store.known_grids(conn)
    reused = [grid for grid in workbook.grids if grid.code in void]
    if reused:
        words = ("这个编码已作废，不能再用", "was voided and is never used again")
        raise BadWorkbook([Fault("网格", grid.row, "编码", *words) for grid in reused])
    ids = {grid.code: known.get(grid.code) or new_id() for grid in workbook.grids}
    await store.stage(conn, "grid", _grid_rows(workbook.grids, ids))
    voided = await store.merge_tree(conn)
    named = (
        Named(ids[g.code], g.level, g.village, g.label, ids[g.parent] if g.parent else None) for g in workbook.grids
    )
    names = await asyncio.to_thread(lambda: [(n.grid, n.rank, n.key, n.short) for n in names_of(named)])
    await store.replace(conn, "name", names)
    return ids, voided


def _grid_rows(grids: tuple[Grid, ...], ids: Mapping[str, UUID]) -> Iterator[tuple[Any, ...]]:
    parents = {grid.code: grid.parent for grid in grids}
    paths: dict[str | None, str] = {}

    def path(code: str) -> str:
        if code not in paths:
            parent = parents[code]
            paths[code] = f"{path(parent)}/{code}" if parent else code
        return paths[code]

    for g in grids:
        parent = ids[g.parent] if g.parent else None
        yield (
            ids[g.code], g.code, g.level, RANK[g.level], g.village, g.label, parent,
            g.kind, g.households, g.lng, g.lat, path(g.code),
        )  # fmt: skip


async def _import_people(conn: AsyncConnection, workbook: Workbook, sealed: list[Sealed]) -> dict[str, UUID]:
    """Writes vault and persons; gives number -> id."""
    known = await store.known_persons(conn)
    phones = await store.known_phones(conn, [s.phone_index for s in sealed if s.phone_index])
    taken = {known[person.no] for person in workbook.people if person.no in known}
    ids: dict[str, UUID] = {}
    for person, secret in zip(workbook.people, sealed, strict=True):
        resident = phones.get(secret.phone_index) if secret.phone_index else None
        if resident in taken:
            resident = None
        ids[person.no] = known.get(person.no) or resident or new_id()
    pairs = list(zip(ids.values(), sealed, strict=True))
    vault = ((i, s.phone_index, s.wrapped_key, s.contacts) for i, s in pairs)
    channels = ((i, name, n, address) for i, s in pairs for n, (name, address) in enumerate(s.channels, 1))
    await store.stage(conn, "vault.person", vault)
    await store.stage(conn, "vault.channel", channels)
    await store.stage(conn, "person", ((ids[p.no], p.no, p.party) for p in workbook.people))
    await store.merge_people(conn)
    return ids


async def _import_rest(
    conn: AsyncConnection, workbook: Workbook, grids: Mapping[str, UUID], people: Mapping[str, UUID]
) -> None:
    """Everything that refers to grids and people."""
    w = workbook
    rows: dict[str, list[tuple[Any, ...]]] = {
        "post": [(grids[p.grid], p.kind, people[p.person]) for p in w.posts],
        "department": [(d.code, d.label) for d in w.departments],
        "duty": [(d.code, item) for d in w.departments for item in d.duties],
        "officer": [(o.department, people[o.person]) for o in w.officers],
        "seat": [(grids[s.grid], s.kind, people[s.person]) for s in w.seats],
        "binding": [(b.kind, b.unit, b.person and people[b.person], grids[b.grid]) for b in w.bindings],
    }
    for table, records in rows.items():
        await store.replace(conn, table, records)
    known = await store.known_venues(conn)
    ids = {venue.code: known.get(venue.code) or new_id() for venue in w.venues}
    venues = ((ids[v.code], v.code, grids[v.grid], v.label, v.kind, v.seats, v.opening) for v in w.venues)
    await store.stage(conn, "venue", venues)
    await store.merge_venues(conn)
