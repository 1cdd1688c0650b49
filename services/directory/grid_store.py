"""The SQL of changes to the tree, one grid at a time; a whole import shares the climb along the parents."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory.domain.codes import is_code
from services.directory.domain.naming import Named, names_of

# A void grid climbs along its old parents, or along the path of the grid it was merged into; nothing climbs to it.
# Where a level was given anew to a merged grid's successor, the first to stand at a rank counts.
FILL_PATHS = text(
    """
    INSERT INTO path (grid, rank, up)
    WITH RECURSIVE climb (grid, up, next, steps) AS (
      SELECT id, id, coalesce(merged_into, parent), 0 FROM grid
       WHERE CAST(:grids AS uuid[]) IS NULL OR id = ANY (:grids)
      UNION ALL
      SELECT climb.grid, g.id, coalesce(g.merged_into, g.parent), climb.steps + 1
        FROM climb JOIN grid g ON g.id = climb.next
    )
    SELECT DISTINCT ON (climb.grid, g.rank) climb.grid, g.rank, g.id
      FROM climb JOIN grid g ON g.id = climb.up WHERE g.void_at IS NULL
     ORDER BY climb.grid, g.rank, climb.steps
    """
)
CLEAR_PATHS = text("DELETE FROM path WHERE grid = ANY (:grids)")
# The grids, everything that lies below them, and whatever was merged into any of these.
BELOW = text(
    """
    WITH RECURSIVE below (id) AS (
      SELECT unnest(CAST(:grids AS uuid[]))
      UNION
      SELECT g.id FROM below JOIN grid g ON coalesce(g.merged_into, g.parent) = below.id
    )
    SELECT id FROM below
    """
)
SPELL_PATHS = text(
    """
    UPDATE grid SET path = spelt.path
      FROM (SELECT p.grid, string_agg(u.code, '/' ORDER BY p.rank DESC) AS path
              FROM path p JOIN grid u ON u.id = p.up WHERE p.grid = ANY (:grids) GROUP BY p.grid) spelt
     WHERE grid.id = spelt.grid AND grid.void_at IS NULL
    """
)
CLEAR_NAMES = text("DELETE FROM name WHERE grid = ANY (:grids)")
NAMED = text(
    """
    SELECT DISTINCT g.id, g.level, g.village, g.label, g.parent
      FROM path p JOIN grid g ON g.id = p.up WHERE p.grid = ANY (:grids)
    """
)
INSERT_NAME = text("INSERT INTO name (grid, rank, key, short) VALUES (:grid, :rank, :key, :short)")

NODE = text("SELECT id, code, level, village, parent, void_at FROM grid WHERE code = :code")
LIES_UNDER = text("SELECT EXISTS (SELECT FROM path WHERE grid = :grid AND up = :up)")
CHILDREN = text("SELECT count(*) FROM grid WHERE parent = :grid AND void_at IS NULL")
ADD = text(
    """
    INSERT INTO grid (id, code, level, rank, village, label, parent, kind, households, lng, lat, path)
    VALUES (:id, :code, :level, :rank, :village, :label, :parent, :kind, :households, :lng, :lat, '')
    """
)
HANG = text("UPDATE grid SET parent = :parent WHERE id = ANY (:grids)")
RELABEL = text("UPDATE grid SET label = :label WHERE id = :id")
VOID = text("UPDATE grid SET void_at = clock_now(), merged_into = :into WHERE id = :id")
# Whoever had a post at a void grid has left it; seats, rooms and bindings go on where it was merged into.
LEAVE = (
    text("DELETE FROM post WHERE grid = :id"),
    text(
        "INSERT INTO seat (grid, kind, person) SELECT CAST(:into AS uuid), kind, person FROM seat"
        " WHERE grid = :id AND CAST(:into AS uuid) IS NOT NULL ON CONFLICT DO NOTHING"
    ),
    text("DELETE FROM seat WHERE grid = :id"),
    text("UPDATE binding SET grid = :into WHERE grid = :id AND CAST(:into AS uuid) IS NOT NULL"),
    text("DELETE FROM binding WHERE grid = :id"),
    text("UPDATE venue SET grid = :into WHERE grid = :id AND CAST(:into AS uuid) IS NOT NULL"),
    text("UPDATE venue SET void_at = clock_now() WHERE grid = :id AND void_at IS NULL"),
    text("UPDATE grid SET parent = :into WHERE parent = :id AND void_at IS NULL"),
)


async def node(conn: AsyncConnection, code: str) -> RowMapping | None:
    """A grid by its code, also a void one."""
    if not is_code(code):
        return None
    return (await conn.execute(NODE, {"code": code})).mappings().one_or_none()


async def lies_under(conn: AsyncConnection, grid: UUID, up: UUID) -> bool:
    """Whether `up` is the grid itself or one above it."""
    return bool((await conn.execute(LIES_UNDER, {"grid": grid, "up": up})).scalar_one())


async def children(conn: AsyncConnection, grid: UUID) -> int:
    return int((await conn.execute(CHILDREN, {"grid": grid})).scalar_one())


async def add(conn: AsyncConnection, grid: Mapping[str, Any]) -> None:
    await conn.execute(ADD, grid)


async def hang(conn: AsyncConnection, grids: Sequence[UUID], parent: UUID) -> None:
    await conn.execute(HANG, {"grids": list(grids), "parent": parent})


async def relabel(conn: AsyncConnection, grid: UUID, label: str) -> None:
    await conn.execute(RELABEL, {"id": grid, "label": label})


async def void(conn: AsyncConnection, grid: UUID, into: UUID | None) -> None:
    """Voids a grid; with `into`, what lay below it or belongs to it goes there."""
    for statement in LEAVE:
        await conn.execute(statement, {"id": grid, "into": into})
    await conn.execute(VOID, {"id": grid, "into": into})


async def grown(conn: AsyncConnection, grids: Sequence[UUID]) -> None:
    """The tree changed at these grids: paths and names from there downwards are written anew."""
    below = {"grids": list((await conn.execute(BELOW, {"grids": list(grids)})).scalars())}
    for statement in (CLEAR_PATHS, FILL_PATHS, SPELL_PATHS, CLEAR_NAMES):
        await conn.execute(statement, below)
    named = [Named(**row) for row in (await conn.execute(NAMED, below)).mappings()]
    ours = set(below["grids"])
    names = [n for n in names_of(named) if n.grid in ours]
    if names:
        rows = [{"grid": n.grid, "rank": n.rank, "key": n.key, "short": n.short} for n in names]
        await conn.execute(INSERT_NAME, rows)
