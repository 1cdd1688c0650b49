"""Statements about cases that follow another."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

# The last one of the chain: what a merged case follows may have been merged in its turn.
LEAD = text("""
WITH RECURSIVE chain AS (
    SELECT id, merged_into FROM cases WHERE id = :id
     UNION ALL
    SELECT c.id, c.merged_into FROM chain k JOIN cases c ON c.id = k.merged_into
)
SELECT id FROM chain WHERE merged_into IS NULL
""")
# Everything that follows, also by way of another, counted as one event more.
COUNT_FOLLOWERS = text("""
WITH RECURSIVE followers AS (
    SELECT id, merged_into AS lead FROM cases WHERE merged_into = ANY(:leads)
     UNION ALL
    SELECT c.id, f.lead FROM followers f JOIN cases c ON c.merged_into = f.id
)
UPDATE cases c SET seq = c.seq + 1 FROM followers f WHERE c.id = f.id RETURNING c.id, f.lead
""")
HANDS = text("SELECT id, rank, grid, holder_kind, holder_person FROM cases WHERE id = ANY(:ids)")
FOLLOW = text("UPDATE cases SET merged_into = :lead WHERE id = ANY(:ids)")
# The lowest grid that is above all of these places, or one of them.
COMMON = text("""
SELECT up AS grid, rank FROM directory.v1_path WHERE grid = ANY(:places)
 GROUP BY up, rank HAVING count(*) = :n ORDER BY rank LIMIT 1
""")
JOIN = text("UPDATE cases SET seq = seq + 1, place = :place WHERE id = :id")
HAND_OVER = text("INSERT INTO handed_over (case_id, system, number) VALUES (:id, :system, :number)")
EXTERNAL = text("SELECT system, number FROM handed_over WHERE case_id = :id")


async def lead_of(conn: AsyncConnection, case: UUID) -> UUID:
    """The case that this one follows in the end; itself, if it follows none."""
    found: UUID = (await conn.execute(LEAD, {"id": case})).scalar_one()
    return found


async def common_place(conn: AsyncConnection, places: Sequence[UUID]) -> RowMapping:
    """`grid` and `rank` of the lowest common ancestor; the district is one of all."""
    distinct = sorted(set(places))
    return (await conn.execute(COMMON, {"places": distinct, "n": len(distinct)})).mappings().one()


async def followers(conn: AsyncConnection, leads: Sequence[UUID]) -> list[tuple[UUID, RowMapping]]:
    """Counts an event for everything that follows these cases; gives each with the hand its lead is in."""
    rows = (await conn.execute(COUNT_FOLLOWERS, {"leads": list(leads)})).all()
    if not rows:
        return []
    hands = {row["id"]: row for row in (await conn.execute(HANDS, {"ids": list(leads)})).mappings()}
    return [(row.id, hands[row.lead]) for row in rows]


async def external(conn: AsyncConnection, case: UUID) -> dict[str, Any] | None:
    """The other system that goes on with a case that was handed over, and its number there."""
    row = (await conn.execute(EXTERNAL, {"id": case})).mappings().one_or_none()
    return dict(row) if row else None
