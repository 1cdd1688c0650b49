"""The SQL of the directory's everyday use; that of a whole import is in `import_store.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, delete, exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased
from sqlmodel import col

from services.directory.domain.codes import is_code
from services.directory.tables import AbsenceRow, DepartmentRow, GridRow, PostRow

# How the caller stands to a person: at a desk of a grid at or above one of the person's posts (`desk`), or
# anywhere there at all (`sees`).
RELATION = text(
    """
    SELECT p.id AS person, coalesce(bool_or(mine.kind = 'desk'), false) AS desk, count(mine.kind) > 0 AS sees
      FROM person p
      LEFT JOIN post held ON held.person = p.id
      LEFT JOIN path ON path.grid = held.grid
      LEFT JOIN post mine ON mine.grid = path.up AND mine.person = :caller
     WHERE p.no = :no AND p.gone_at IS NULL
     GROUP BY p.id
    """
)
PERSON = text("SELECT id FROM person WHERE no = :no AND gone_at IS NULL")
HOLDERS = text(
    "SELECT post.grid, post.kind, person.no FROM post JOIN person ON person.id = post.person"
    " WHERE post.grid = ANY(:grids) ORDER BY person.no"
)
# A post ends for everybody but the one named; who left is what the event tells.
END_POST = text(
    "DELETE FROM post WHERE grid = :grid AND kind = :kind AND person IS DISTINCT FROM CAST(:now AS uuid)"
    " RETURNING person"
)
BEGIN_POST = text(
    "INSERT INTO post (grid, kind, person) VALUES (:grid, :kind, :now) ON CONFLICT DO NOTHING RETURNING person"
)
# Takes `count` numbers of a subject and gives the last one; the row's lock puts concurrent tellers in order.
TAKE_SEQ = text(
    "INSERT INTO subject_seq (subject, seq) VALUES (:subject, :count)"
    " ON CONFLICT (subject) DO UPDATE SET seq = subject_seq.seq + excluded.seq RETURNING seq"
)


@dataclass(frozen=True)
class GridFilter:
    """Which grids a list shows. Vacant: nobody there who could take a case."""

    parent: UUID | None = None
    level: str | None = None
    vacant: bool | None = None


@dataclass(frozen=True)
class Relation:
    """A person, as the caller stands to them."""

    person: UUID
    desk: bool
    sees: bool


def _grids() -> Select[Any]:
    """Grids that are not void, each with its parent's code as `above`."""
    parent = aliased(GridRow)
    names = ("id", "code", "level", "village", "label", "kind", "path")
    return (
        select(*(getattr(GridRow, name) for name in names), col(parent.code).label("above"))
        .outerjoin(parent, col(parent.id) == col(GridRow.parent))
        .where(col(GridRow.void_at).is_(None))
    )


async def find_grid(conn: AsyncConnection, code: str) -> RowMapping | None:
    if not is_code(code):
        return None  # whatever came in an address, PostgreSQL gets only what can be a code
    rows = await conn.execute(_grids().where(col(GridRow.code) == code))
    grid: RowMapping | None = rows.mappings().one_or_none()
    return grid


async def list_grids(conn: AsyncConnection, wanted: GridFilter, after: UUID | None, limit: int) -> Sequence[RowMapping]:
    """Oldest first, after the id at which the last page ended."""
    query = _grids().order_by(col(GridRow.id)).limit(limit)
    if wanted.parent:
        query = query.where(col(GridRow.parent) == wanted.parent)
    if wanted.level:
        query = query.where(col(GridRow.level) == wanted.level)
    if wanted.vacant is not None:
        taken = exists().where(col(PostRow.grid) == col(GridRow.id), col(PostRow.kind) != "secretary")
        query = query.where(~taken if wanted.vacant else taken)
    if after:
        query = query.where(col(GridRow.id) > after)
    grids: Sequence[RowMapping] = (await conn.execute(query)).mappings().all()
    return grids


async def holders(conn: AsyncConnection, grids: Sequence[UUID]) -> dict[UUID, list[tuple[str, str]]]:
    """Grid -> (kind of post, number of the person)."""
    result: dict[UUID, list[tuple[str, str]]] = {grid: [] for grid in grids}
    for row in await conn.execute(HOLDERS, {"grids": list(grids)}):
        result[row.grid].append((row.kind, row.no))
    return result


async def find_person(conn: AsyncConnection, no: str) -> UUID | None:
    """The id behind a number of the workbook in force."""
    if not is_code(no):
        return None
    person: UUID | None = (await conn.execute(PERSON, {"no": no})).scalar_one_or_none()
    return person


async def relation(conn: AsyncConnection, no: str, caller: UUID | None) -> Relation | None:
    if not is_code(no):
        return None
    row = (await conn.execute(RELATION, {"no": no, "caller": caller})).mappings().one_or_none()
    return Relation(**row) if row else None


async def end_post(conn: AsyncConnection, grid: UUID, kind: str, now: UUID | None) -> list[UUID]:
    """Ends a post for everybody but `now`; gives who left."""
    left = await conn.execute(END_POST, {"grid": grid, "kind": kind, "now": now})
    return list(left.scalars())


async def begin_post(conn: AsyncConnection, grid: UUID, kind: str, now: UUID) -> bool:
    """Gives a post to a person; False when they hold it already."""
    begun = await conn.execute(BEGIN_POST, {"grid": grid, "kind": kind, "now": now})
    return begun.scalar_one_or_none() is not None


async def set_absence(
    conn: AsyncConnection, person: UUID, since: datetime, until: datetime, stand_in: UUID | None
) -> None:
    times = {"since": since, "until": until, "stand_in": stand_in}
    statement = insert(AbsenceRow).values(person=person, **times)
    await conn.execute(statement.on_conflict_do_update(index_elements=["person"], set_=times))


async def end_absence(conn: AsyncConnection, person: UUID) -> bool:
    """False when there was none."""
    return bool((await conn.execute(delete(AbsenceRow).where(col(AbsenceRow.person) == person))).rowcount)


async def list_departments(conn: AsyncConnection, after: str | None, limit: int) -> Sequence[RowMapping]:
    code, label = col(DepartmentRow.code), col(DepartmentRow.label)
    query = select(code, label).order_by(code).limit(limit)
    if after:
        query = query.where(code > after)
    return (await conn.execute(query)).mappings().all()


async def take_seq(conn: AsyncConnection, subject: UUID, count: int = 1) -> int:
    """Takes `count` event numbers of a subject; gives the first."""
    last: int = (await conn.execute(TAKE_SEQ, {"subject": subject, "count": count})).scalar_one()
    return last - count + 1


OPEN_WHISTLE = text(
    "INSERT INTO open_whistle (whistle, department) VALUES (:whistle, :department)"
    " ON CONFLICT (whistle) DO UPDATE SET department = excluded.department"
)
END_WHISTLE = text("DELETE FROM open_whistle WHERE whistle = :whistle")
LOADS = text("SELECT department, count(*) AS open FROM open_whistle WHERE department = ANY(:codes) GROUP BY department")


async def open_whistle(conn: AsyncConnection, whistle: UUID, department: str) -> None:
    await conn.execute(OPEN_WHISTLE, {"whistle": whistle, "department": department})


async def end_whistle(conn: AsyncConnection, whistle: UUID) -> None:
    await conn.execute(END_WHISTLE, {"whistle": whistle})


async def loads(conn: AsyncConnection, codes: Sequence[str]) -> dict[str, int]:
    """Open whistles per lead department; a department without any is not in it."""
    return {row.department: row.open for row in await conn.execute(LOADS, {"codes": list(codes)})}
