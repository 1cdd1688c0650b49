"""All of intake's SQL. Reads the directory's published views; writes only its own schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Double, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select

from services.intake.domain.issues import METRES, REACH, ToldPlace
from services.intake.tables import Issue
from shared.addresses import parse

# Grids (named by code or found before), their middle grids (for likely duplicates), and whether each caller has a post
# on the way up.
PLACES = text("""
SELECT a.i::int - 1 AS i, g.id, g.code, g.label,
       (SELECT p.up FROM directory.v1_path p WHERE p.grid = g.id AND p.rank = 3) AS middle,
       a.person IS NOT NULL AND EXISTS (
           SELECT FROM directory.v1_path p JOIN directory.v1_post s ON s.grid = p.up
            WHERE p.grid = g.id AND s.person = a.person) AS on_path
  FROM unnest(CAST(:codes AS text[]), CAST(:grids AS uuid[]), CAST(:persons AS uuid[]))
       WITH ORDINALITY AS a(code, grid, person, i)
 CROSS JOIN LATERAL (
       SELECT * FROM directory.v1_grid c WHERE c.code = a.code
       UNION ALL
       SELECT * FROM directory.v1_grid d WHERE d.id = a.grid) g
 WHERE g.void_at IS NULL
""")
NAMED = text("SELECT directory.v1_grid_named(:heads, :building, :unit)").bindparams(
    bindparam("heads", type_=ARRAY(Text))
)
# The nearest micro grid or village (which has none below it) within reach. Where several lie on one point (all units
# of a building at its door) it is the lowest grid above them all. On so small a scale degrees are a plane.
NEAREST = text("""
WITH near AS (
    SELECT id, sqrt(power((lat - :lat) * :metres, 2) + power((lng - :lng) * :metres * cos(radians(:lat)), 2)) AS away
      FROM directory.v1_grid
     WHERE void_at IS NULL AND (rank = 1 OR village)
       AND lat BETWEEN :lat - :reach / :metres AND :lat + :reach / :metres
),
nearest AS (SELECT id FROM near WHERE away <= :reach AND away <= (SELECT min(away) + 0.01 FROM near))
SELECT p.up FROM nearest n JOIN directory.v1_path p ON p.grid = n.id
 GROUP BY p.up, p.rank HAVING count(*) = (SELECT count(*) FROM nearest) ORDER BY p.rank LIMIT 1
""").bindparams(*(bindparam(name, type_=Double) for name in ("lat", "lng", "metres", "reach")))

# Reporting for someone else is for people with a post.
HAVE_POSTS = text("SELECT DISTINCT person FROM directory.v1_post WHERE person = ANY(:persons)")

# One round trip: reporters are found or made in the vault while the rows are written. In the order of their phones, so
# that two groups with the same new phones never wait for each other.
INSERT = text("""
WITH told AS MATERIALIZED (
    SELECT r.*, uuidv7() AS id,
           CASE WHEN r.reporter IS NULL THEN vault.v1_person_by_phone(
               decode(r.phone_index, 'hex'), decode(r.wrapped, 'hex'), decode(r.sealed, 'hex'))
           ELSE r.reporter END AS person
      FROM (SELECT * FROM jsonb_to_recordset(:rows) AS t(i int, category text, text text, place uuid, address text,
                   lng float, lat float, middle uuid, reporter uuid, phone_index text, wrapped text, sealed text,
                   entered_by uuid, may_contact boolean, own boolean, about_leader boolean, external_system text,
                   external_number text)
             ORDER BY phone_index, i) r
),
written AS (
    INSERT INTO issue (id, category, text, place, address, lng, lat, middle, reporter, entered_by, may_contact, own,
                       about_leader, external_system, external_number)
    SELECT id, category, text, place, address, lng, lat, middle, person, entered_by, may_contact, own, about_leader,
           external_system, external_number FROM told
    RETURNING id, number, reporter
)
SELECT t.i, w.id, w.number, w.reporter FROM written w JOIN told t USING (id) ORDER BY t.i
""").bindparams(bindparam("rows", type_=JSONB))

# Likely duplicates of the last day: the same words, the same reporter's same item, or the same item in the
# same middle grid. Three short index walks, because an OR would read a whole day; numbers open nothing.
ALIKE = text("""
SELECT a.id, array_agg(DISTINCT found.number ORDER BY found.number) AS numbers
  FROM issue a CROSS JOIN LATERAL (
    (SELECT number, id FROM issue WHERE md5(text) = md5(a.text) AND id < a.id
        AND reported_at > public.clock_now() - interval '24 h' ORDER BY id DESC LIMIT 3)
    UNION ALL
    (SELECT number, id FROM issue WHERE reporter = a.reporter AND category = a.category AND id < a.id
        AND reported_at > public.clock_now() - interval '24 h' ORDER BY id DESC LIMIT 3)
    UNION ALL
    (SELECT number, id FROM issue WHERE middle = a.middle AND category = a.category AND id < a.id
        AND reported_at > public.clock_now() - interval '24 h' ORDER BY id DESC LIMIT 3)
) found
 WHERE a.id = ANY(:ids) GROUP BY a.id
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))

# Who may read: command and a code's holder everything; the reporter and who typed it; posts on the place's
# way up, their present stand-ins, and bound members; an unplaced one only the district's desk.
# When the reporter ticked `about_leader`, nobody with a post at the place's own grid.
# Officers of departments that were whistled for.
_MINE = """
WITH mine AS (
    SELECT s.grid, s.kind FROM directory.v1_post s WHERE s.person = :person
    UNION ALL
    SELECT s.grid, s.kind FROM directory.v1_absence a JOIN directory.v1_post s ON s.person = a.person
     WHERE a.stand_in = :person AND a.since <= public.clock_now() AND a.until > public.clock_now()
    UNION ALL
    SELECT b.grid, 'bound' FROM directory.v1_binding b WHERE b.person = :person AND b.kind = 'member'
)
"""
_READ = f"""{_MINE}
SELECT i.id, i.number, i.category, i.text, i.address, i.lng, i.lat, i.reported_at, i.may_contact, i.reporter,
       g.code AS grid, g.label, coalesce(i.reporter = :person, false) AS is_mine,
       ARRAY(SELECT a.id FROM attachment a WHERE a.thing = i.id AND a.use = 'report' ORDER BY a.ord) AS attachments
  FROM issue i LEFT JOIN directory.v1_grid g ON g.id = i.place
 WHERE /*which*/ AND (
       :everything OR i.reporter = :person OR i.entered_by = :person
    OR (EXISTS (SELECT FROM directory.v1_path p JOIN mine m ON m.grid = p.up WHERE p.grid = i.place)
        AND NOT (i.about_leader AND EXISTS (SELECT FROM mine m WHERE m.grid = i.place AND m.kind <> 'bound')))
    OR (i.place IS NULL AND EXISTS (
        SELECT FROM mine m JOIN directory.v1_grid r ON r.id = m.grid
         WHERE m.kind = 'desk' AND r.parent IS NULL))
    OR EXISTS (SELECT FROM whistled w JOIN directory.v1_officer o ON o.department = w.department
         WHERE w.issue = i.id AND o.person = :person))
 ORDER BY i.id LIMIT :limit
"""

READS_AT = text(f"""{_MINE}
SELECT EXISTS (SELECT FROM directory.v1_path p JOIN mine m ON m.grid = p.up WHERE p.grid = :place)
    OR EXISTS (SELECT FROM whistled w JOIN directory.v1_officer o ON o.department = w.department
         WHERE w.issue = :case AND o.person = :person)
""").bindparams(*(bindparam(name, type_=Uuid) for name in ("person", "place", "case")))

# Placing is for desks; which one is looked at once the grid is known.
HAS_DESK = text("SELECT EXISTS (SELECT FROM directory.v1_post WHERE person = :person AND kind = 'desk')")
IS_PLACED = text("SELECT place IS NOT NULL FROM issue WHERE id = :id").bindparams(bindparam("id", type_=Uuid))

# Whether the caller's desk is the district's or above the grid named.
MAY_PLACE = text("""
SELECT EXISTS (
    SELECT FROM directory.v1_post s JOIN directory.v1_grid desk ON desk.id = s.grid
     WHERE s.kind = 'desk' AND s.person = :person
       AND (desk.parent IS NULL OR EXISTS (
            SELECT FROM directory.v1_path p WHERE p.grid = :grid AND p.up = s.grid)))
""").bindparams(bindparam("person", type_=Uuid), bindparam("grid", type_=Uuid))

# The issue's row is locked before; its next event takes the number returned.
SET_PLACE = text("""
UPDATE issue SET place = :grid, placed_by = :by, placed_at = public.clock_now(), seq = seq + 1
 WHERE id = :id RETURNING seq
""").bindparams(bindparam("grid", type_=Uuid), bindparam("id", type_=Uuid))

GRID = text("SELECT id, code, label FROM directory.v1_grid WHERE code = :code AND void_at IS NULL")

# Opens contacts; the vault logs each opening.
CONTACTS = text("SELECT person, wrapped, sealed FROM vault.v1_contacts(:persons, 'intake.may_contact')").bindparams(
    bindparam("persons", type_=ARRAY(Uuid))
)


@dataclass(frozen=True, slots=True)
class Place:
    """A grid that exists, as the report needs it."""

    id: UUID
    code: str
    label: str
    middle: UUID | None
    on_path: bool


@dataclass(frozen=True, slots=True)
class NewIssue:
    """A row to be written; `reporter`, or else the phone's index with what to seal for a new person."""

    category: str
    text: str
    place: UUID | None
    middle: UUID | None
    address: str | None
    lng: float | None
    lat: float | None
    reporter: UUID | None
    phone_index: bytes | None
    wrapped: bytes | None
    sealed: bytes | None
    entered_by: UUID | None
    may_contact: bool
    own: bool
    about_leader: bool
    external_system: str | None
    external_number: str | None


NEW_ISSUE = tuple(each.name for each in fields(NewIssue))


@dataclass(frozen=True, slots=True)
class Written:
    """What the database gave the new row."""

    id: UUID
    number: str
    reporter: UUID


@dataclass(frozen=True, slots=True)
class Seen:
    """An issue as its reader may see it; `is_mine` when the reader reported it."""

    id: UUID
    number: str
    category: str
    text: str
    address: str | None
    lng: float | None
    lat: float | None
    reported_at: datetime
    may_contact: bool
    reporter: UUID
    grid: str | None
    label: str | None
    is_mine: bool
    attachments: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid that exists."""

    id: UUID
    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom issues are read: a person, or everything at once (command, the holder of a code)."""

    person: UUID | None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which page: after this id, at most `limit` rows and one to see whether there are more."""

    after: UUID
    limit: int


def _reading(which: str) -> Any:
    statement = text(_READ.replace("/*which*/", which))
    return statement.bindparams(bindparam("person", type_=Uuid))


READ_ONE = _reading("i.id = :id").bindparams(bindparam("id", type_=Uuid))
READ_THESE = _reading("i.id = ANY(:ids) AND i.id > :after").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)), bindparam("after", type_=Uuid)
)
READ_MINE = _reading("i.reporter = :person AND i.id > :after").bindparams(bindparam("after", type_=Uuid))
READ_UNPLACED = _reading("i.place IS NULL AND i.id > :after").bindparams(bindparam("after", type_=Uuid))


async def find_places(conn: AsyncConnection, told: Sequence[tuple[ToldPlace, UUID | None]]) -> dict[int, Place]:
    """The grids where it is, by their place in the list, unless they are void; `on_path` tells of the person's posts.
    Missing: a code that is none, an address that fits no grid or several, and a point out of reach of all."""
    columns = {
        "codes": [place.grid for place, _ in told],
        "grids": [None if place.grid else await _find(conn, place) for place, _ in told],
        "persons": [person for _, person in told],
    }
    rows = await conn.execute(PLACES, columns)
    return {row.i: Place(row.id, row.code, row.label, row.middle, row.on_path) for row in rows}


async def _find(conn: AsyncConnection, told: ToldPlace) -> UUID | None:
    if told.address is not None:
        read = parse(told.address)
        words = {"heads": read.heads, "building": read.building, "unit": read.unit} if read else None
        found = await conn.execute(NAMED, words) if words else None
    else:
        point = {"lat": told.lat, "lng": told.lng, "metres": METRES, "reach": REACH}
        found = await conn.execute(NEAREST, point)
    grid: UUID | None = found.scalar_one_or_none() if found else None
    return grid


async def have_posts(conn: AsyncConnection, persons: Sequence[UUID]) -> set[UUID]:
    """Those who hold any post."""
    return set((await conn.execute(HAVE_POSTS, {"persons": persons})).scalars()) if persons else set()


async def insert_issues(conn: AsyncConnection, new: Sequence[NewIssue]) -> list[Written]:
    """Writes the rows, and the people behind the phones if there are none yet."""
    rows = [{"i": i, **{name: _plain(getattr(each, name)) for name in NEW_ISSUE}} for i, each in enumerate(new)]
    written = await conn.execute(INSERT, {"rows": rows})
    return [Written(row.id, row.number, row.reporter) for row in written]


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


async def find_alike(conn: AsyncConnection, issues: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Numbers of likely duplicates of the last 24 hours, by issue."""
    return {row.id: list(row.numbers) for row in await conn.execute(ALIKE, {"ids": issues})}


async def read_one(conn: AsyncConnection, reader: Reader, issue: UUID) -> Seen | None:
    """The issue, if the reader may see it."""
    found = await _read(conn, READ_ONE, reader, {"id": issue, "limit": 1})
    return found[0] if found else None


async def reads_at(conn: AsyncConnection, reader: Reader, case: UUID, place: UUID) -> bool:
    """Of a case without an issue: whether the reader has a post on the place's way up, was whistled for, or is
    command."""
    if reader.everything:
        return True
    values = {"person": reader.person, "case": case, "place": place}
    return bool((await conn.execute(READS_AT, values)).scalar_one())


async def read_these(conn: AsyncConnection, reader: Reader, ids: Sequence[UUID], page: Page) -> list[Seen]:
    """Those of the named issues that the reader may see, oldest first."""
    return await _read(conn, READ_THESE, reader, {"ids": list(ids), **_span(page)})


async def read_mine(conn: AsyncConnection, reader: Reader, page: Page) -> list[Seen]:
    """What the reader reported, oldest first."""
    return await _read(conn, READ_MINE, reader, _span(page))


async def read_unplaced(conn: AsyncConnection, reader: Reader, page: Page) -> list[Seen]:
    """What waits to be placed and the reader may see, oldest first."""
    return await _read(conn, READ_UNPLACED, reader, _span(page))


def _span(page: Page) -> dict[str, Any]:
    return {"after": page.after, "limit": page.limit + 1}


async def _read(conn: AsyncConnection, statement: Any, reader: Reader, values: Mapping[str, Any]) -> list[Seen]:
    rows = await conn.execute(statement, {"person": reader.person, "everything": reader.everything, **values})
    return [Seen(**row) for row in rows.mappings()]


async def lock_issue(conn: AsyncConnection, issue: UUID) -> Issue | None:
    """The issue's row, locked until the transaction ends."""
    row = (await conn.execute(select(Issue).where(col(Issue.id) == issue).with_for_update())).one_or_none()
    return Issue.model_validate(row._mapping) if row else None


async def is_placed(conn: AsyncConnection, issue: UUID) -> bool | None:
    """Whether the issue has its place; None when there is no such issue."""
    placed: bool | None = (await conn.execute(IS_PLACED, {"id": issue})).scalar_one_or_none()
    return placed


async def has_desk(conn: AsyncConnection, person: UUID | None) -> bool:
    """Whether the person sits at any desk."""
    return bool((await conn.execute(HAS_DESK, {"person": person})).scalar_one())


async def find_grid(conn: AsyncConnection, code: str) -> Grid | None:
    """The grid with this code, unless it is void."""
    row = (await conn.execute(GRID, {"code": code})).one_or_none()
    return Grid(row.id, row.code, row.label) if row else None


async def may_place(conn: AsyncConnection, person: UUID | None, grid: UUID | None) -> bool:
    """Whether the person sits at the district's desk or at one above the grid."""
    return bool((await conn.execute(MAY_PLACE, {"person": person, "grid": grid})).scalar_one())


async def set_place(conn: AsyncConnection, issue: UUID, grid: UUID, by: str) -> int:
    """Puts the issue at a grid; returns the number of the event that tells it."""
    return int((await conn.execute(SET_PLACE, {"id": issue, "grid": grid, "by": by})).scalar_one())


async def open_contacts(conn: AsyncConnection, persons: Sequence[UUID]) -> dict[UUID, tuple[bytes, bytes]]:
    """Wrapped key and sealed contacts of each person; every opening is logged."""
    if not persons:
        return {}
    rows = await conn.execute(CONTACTS, {"persons": list(persons)})
    return {row.person: (bytes(row.wrapped), bytes(row.sealed)) for row in rows}


WHISTLE = text(
    "INSERT INTO whistled (issue, department) SELECT :issue, unnest(CAST(:departments AS text[]))"
    " ON CONFLICT DO NOTHING"
).bindparams(bindparam("issue", type_=Uuid))


async def whistle(conn: AsyncConnection, issue: UUID, departments: Sequence[str]) -> None:
    """Departments may read an issue from now on."""
    await conn.execute(WHISTLE, {"issue": issue, "departments": list(departments)})
