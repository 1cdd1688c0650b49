"""The SQL of a whole export: every sheet of the workbook as the district is now. Runs as the owner."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# ids are UUIDv7 and were given in the order of the workbook's rows; parents stand before children.
GRIDS = text(
    """
    SELECT g.code, g.level, g.label, p.code AS parent, g.village, g.kind, g.households, g.lng, g.lat
      FROM directory.grid g LEFT JOIN directory.grid p ON p.id = g.parent
     WHERE g.void_at IS NULL ORDER BY g.rank DESC, g.id
    """
)
# Opening the contacts is logged, as every opening is.
PEOPLE = text(
    """
    SELECT person.no, person.party, c.wrapped, c.sealed,
           ARRAY(SELECT k.channel FROM vault.channel k WHERE k.person = person.id ORDER BY k.ord) AS channels
      FROM vault.v1_contacts(ARRAY(SELECT id FROM directory.person WHERE gone_at IS NULL), 'directory.export') c
      JOIN directory.person ON person.id = c.person
     ORDER BY person.no
    """
)
POSTS = text(
    """
    SELECT g.code AS grid, s.kind, p.no AS person
      FROM directory.post s JOIN directory.grid g ON g.id = s.grid JOIN directory.person p ON p.id = s.person
     WHERE g.void_at IS NULL ORDER BY g.rank DESC, g.id, s.kind, p.no
    """
)
DEPARTMENTS = text(
    """
    SELECT d.code, d.label, ARRAY(SELECT item FROM directory.duty WHERE department = d.code ORDER BY item) AS duties
      FROM directory.department d ORDER BY d.code
    """
)
OFFICERS = text(
    "SELECT o.department, p.no AS person FROM directory.officer o JOIN directory.person p ON p.id = o.person"
    " ORDER BY o.department, p.no"
)
SEATS = text(
    """
    SELECT g.code AS grid, s.kind, p.no AS person
      FROM directory.seat s JOIN directory.grid g ON g.id = s.grid JOIN directory.person p ON p.id = s.person
     ORDER BY g.rank DESC, g.id, s.kind, p.no
    """
)
VENUES = text(
    "SELECT v.code, g.code AS grid, v.label, v.kind, v.seats, v.opening"
    " FROM directory.venue v JOIN directory.grid g ON g.id = v.grid WHERE v.void_at IS NULL ORDER BY v.id"
)
BINDINGS = text(
    """
    SELECT b.kind, b.unit, p.no AS person, g.code AS grid
      FROM directory.binding b JOIN directory.grid g ON g.id = b.grid
      LEFT JOIN directory.person p ON p.id = b.person
     ORDER BY b.id
    """
)


async def read(conn: AsyncConnection, statement: Any) -> Sequence[Any]:
    """The rows of one sheet."""
    return (await conn.execute(statement)).mappings().all()
