"""The SQL of a whole import: rows are copied into temporary tables and merged set by set."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import LADDER_EXCLUSIVE

SEARCH_PATH = text("SET LOCAL search_path = directory, public")
# Reports that create residents wait until persons and phones are matched; nobody else is held up.
LOCK_VAULT = text("LOCK TABLE vault.person IN SHARE ROW EXCLUSIVE MODE")

GRIDS = text("SELECT code, id, void_at IS NOT NULL AS void FROM grid")
PERSONS = text("SELECT no, id FROM person")
PHONES = text("SELECT phone_index, id FROM vault.person WHERE phone_index = ANY(:indexes)")
VENUES = text("SELECT code, id FROM venue")

STAGED = {
    "grid": "id, code, level, rank, village, label, parent, kind, households, lng, lat, path",
    "person": "id, no, party",
    "venue": "id, code, grid, label, kind, seats, opening",
    "vault.person": "id, phone_index, wrapped_key, sealed",
    "vault.channel": "person, channel, ord, address",
}
"""Tables that are merged, with the columns the workbook gives."""

PLAIN = {
    "post": ("grid", "kind", "person"),
    "department": ("code", "label"),
    "duty": ("department", "item"),
    "officer": ("department", "person"),
    "seat": ("grid", "kind", "person"),
    "binding": ("kind", "unit", "person", "grid"),
    "name": ("grid", "rank", "key", "short"),
}
"""Tables that nothing refers to from outside: emptied and filled."""

MERGE_GRIDS = text(
    """
    INSERT INTO grid (id, code, level, rank, village, label, parent, kind, households, lng, lat, path)
    SELECT id, code, level, rank, village, label, parent, kind, households, lng, lat, path FROM new_grid
    ON CONFLICT (id) DO UPDATE SET
      level = excluded.level, rank = excluded.rank, village = excluded.village, label = excluded.label,
      parent = excluded.parent, kind = excluded.kind, households = excluded.households,
      lng = excluded.lng, lat = excluded.lat, path = excluded.path
    """
)
VOID_GRIDS = text(
    "UPDATE grid SET void_at = clock_now() WHERE void_at IS NULL"
    " AND NOT EXISTS (SELECT FROM new_grid n WHERE n.id = grid.id)"
)
CLEAR_PATHS = text("DELETE FROM path")
# A void grid still climbs along its old parents, but nothing climbs to it.
FILL_PATHS = text(
    """
    INSERT INTO path (grid, rank, up)
    WITH RECURSIVE climb (grid, up, parent) AS (
      SELECT id, id, parent FROM grid
      UNION ALL
      SELECT climb.grid, g.id, g.parent FROM climb JOIN grid g ON g.id = climb.parent
    )
    SELECT climb.grid, g.rank, g.id FROM climb JOIN grid g ON g.id = climb.up WHERE g.void_at IS NULL
    """
)

# A number belongs to whom the workbook says; an earlier owner keeps everything else.
FREE_PHONES = text(
    "UPDATE vault.person p SET phone_index = NULL FROM new_vault_person n"
    " WHERE p.phone_index = n.phone_index AND p.id <> n.id"
)
MERGE_VAULT = text(
    """
    INSERT INTO vault.person (id, phone_index, wrapped_key, sealed)
    SELECT id, phone_index, wrapped_key, sealed FROM new_vault_person
    ON CONFLICT (id) DO UPDATE SET
      phone_index = excluded.phone_index, wrapped_key = excluded.wrapped_key, sealed = excluded.sealed
    """
)
DROP_CHANNELS = text(
    """
    DELETE FROM vault.channel c USING new_vault_person p
     WHERE c.person = p.id
       AND NOT EXISTS (SELECT FROM new_vault_channel n WHERE n.person = c.person AND n.channel = c.channel)
    """
)
# An address that was found dead stays dead until it changes.
MERGE_CHANNELS = text(
    """
    INSERT INTO vault.channel AS c (person, channel, ord, address)
    SELECT person, channel, ord, address FROM new_vault_channel
    ON CONFLICT (person, channel) DO UPDATE SET
      ord = excluded.ord, address = excluded.address,
      dead_at = CASE WHEN c.address = excluded.address THEN c.dead_at END,
      dead_reason = CASE WHEN c.address = excluded.address THEN c.dead_reason END
    """
)
MERGE_PERSONS = text(
    "INSERT INTO person (id, no, party) SELECT id, no, party FROM new_person"
    " ON CONFLICT (id) DO UPDATE SET no = excluded.no, party = excluded.party, gone_at = NULL"
)
GONE_PERSONS = text(
    "UPDATE person SET gone_at = clock_now() WHERE gone_at IS NULL"
    " AND NOT EXISTS (SELECT FROM new_person n WHERE n.id = person.id)"
)
END_ABSENCES = text("DELETE FROM absence USING person p WHERE p.id = absence.person AND p.gone_at IS NOT NULL")
END_STAND_INS = text(
    "UPDATE absence SET stand_in = NULL FROM person p WHERE p.id = absence.stand_in AND p.gone_at IS NOT NULL"
)
MERGE_VENUES = text(
    """
    INSERT INTO venue (id, code, grid, label, kind, seats, opening)
    SELECT id, code, grid, label, kind, seats, opening FROM new_venue
    ON CONFLICT (id) DO UPDATE SET
      grid = excluded.grid, label = excluded.label, kind = excluded.kind, seats = excluded.seats,
      opening = excluded.opening, void_at = NULL
    """
)
VOID_VENUES = text(
    "UPDATE venue SET void_at = clock_now() WHERE void_at IS NULL"
    " AND NOT EXISTS (SELECT FROM new_venue n WHERE n.id = venue.id)"
)
# So that the climb's look-ups are planned for a district, not for the empty tables of a minute ago.
ANALYZE = text("ANALYZE grid, path, name, person, post, venue, binding, vault.person, vault.channel")


async def begin(conn: AsyncConnection) -> None:
    """Takes the ladder for itself: no hop is opened on the tree that is being replaced."""
    await conn.execute(SEARCH_PATH)
    await conn.execute(LADDER_EXCLUSIVE)
    await conn.execute(LOCK_VAULT)


async def known_grids(conn: AsyncConnection) -> tuple[dict[str, UUID], set[str]]:
    """Code -> id of every grid there ever was, and the codes that are void."""
    rows = (await conn.execute(GRIDS)).all()
    return {row.code: row.id for row in rows}, {row.code for row in rows if row.void}


async def known_persons(conn: AsyncConnection) -> dict[str, UUID]:
    return {row.no: row.id for row in await conn.execute(PERSONS)}


async def known_phones(conn: AsyncConnection, indexes: Sequence[bytes]) -> dict[bytes, UUID]:
    rows = await conn.execute(PHONES, {"indexes": list(indexes)})
    return {bytes(row.phone_index): row.id for row in rows}


async def known_venues(conn: AsyncConnection) -> dict[str, UUID]:
    return {row.code: row.id for row in await conn.execute(VENUES)}


async def stage(conn: AsyncConnection, table: str, records: Iterable[Sequence[Any]]) -> None:
    """Copies rows into `new_TABLE`, which is gone with the transaction."""
    name = f"new_{table.replace('.', '_')}"
    shape = f"SELECT {STAGED[table]} FROM {table} WITH NO DATA"
    await conn.execute(text(f"CREATE TEMP TABLE {name} ON COMMIT DROP AS {shape}"))
    await _copy(conn, name, [column.strip() for column in STAGED[table].split(",")], records)


async def replace(conn: AsyncConnection, table: str, records: Iterable[Sequence[Any]]) -> None:
    """Empties one of the PLAIN tables and fills it."""
    await conn.execute(text(f"DELETE FROM {table}"))
    await _copy(conn, table, PLAIN[table], records)


async def _copy(conn: AsyncConnection, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
    raw = await conn.get_raw_connection()
    driver: Any = raw.driver_connection
    await driver.copy_records_to_table(table, records=records, columns=list(columns))


async def merge_tree(conn: AsyncConnection) -> int:
    """Brings grids and paths to what was staged; gives how many grids became void."""
    await conn.execute(MERGE_GRIDS)
    voided = (await conn.execute(VOID_GRIDS)).rowcount
    await conn.execute(CLEAR_PATHS)
    await conn.execute(FILL_PATHS)
    return voided


async def merge_people(conn: AsyncConnection) -> None:
    """Brings vault and persons to what was staged; who is not in it any more is gone."""
    for statement in (FREE_PHONES, MERGE_VAULT, DROP_CHANNELS, MERGE_CHANNELS, MERGE_PERSONS, GONE_PERSONS):
        await conn.execute(statement)
    for statement in (END_ABSENCES, END_STAND_INS):
        await conn.execute(statement)


async def merge_venues(conn: AsyncConnection) -> None:
    await conn.execute(MERGE_VENUES)
    await conn.execute(VOID_VENUES)


async def analyze(conn: AsyncConnection) -> None:
    await conn.execute(ANALYZE)
