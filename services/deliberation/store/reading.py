"""Statements that answer questions about topics, meetings, and who and where they may be held with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

BOUND_UNIT = "包联单位"

# What ties a person to a topic: a desk on the way up, the chair, a seat, having reported it. Somebody whom the case
# complains of is tied by nothing.
_DESK = """(:person <> ALL (c.complained) AND EXISTS (SELECT FROM directory.v1_path p
       JOIN directory.v1_post o ON o.grid = p.up
       WHERE p.grid = c.place AND p.rank >= 5 AND o.kind = 'desk' AND o.person = :person))"""
_CHAIR = """(:person <> ALL (c.complained) AND EXISTS (SELECT FROM directory.v1_post o
       WHERE o.grid = t.community AND o.kind = 'secretary' AND o.person = :person))"""
_SEAT = """EXISTS (SELECT FROM seats s WHERE s.meeting = m.id AND :person IN (s.person, s.substitute))"""
# A topic with its case, its meeting if it has one, the words for both, and the caller's ties.
_TOPIC = f"""
SELECT t.id, t.case_id, t.community, t.title, t.called, t.state, t.ended_how, t.screen_by, t.version,
       c.number, c.category, c.urgency, c.place, c.phase, c.reporter, c.complained,
       g.code AS community_code, g.label AS community_label,
       m.id AS meeting, m.venue, m.starts, m.ends, m.chair, m.quorum, m.sequence, m.moves_left, m.result,
       v.code AS venue_code, v.label AS venue_label, public.clock_now() AS now,
       coalesce({_DESK}, false) AS is_desk, coalesce({_CHAIR}, false) AS is_chair,
       coalesce({_SEAT}, false) AS is_seated, coalesce(c.reporter = :person, false) AS reports
  FROM topics t
  JOIN cases c ON c.id = t.case_id
  JOIN directory.v1_grid g ON g.id = t.community
  LEFT JOIN meetings m ON m.topic = t.id
  LEFT JOIN directory.v1_venue v ON v.id = m.venue
"""
_PERSON = bindparam("person", type_=Uuid)
TOPIC = text(_TOPIC + " WHERE t.id = :id").bindparams(_PERSON)
TOPIC_OF_MEETING = text("SELECT topic FROM meetings WHERE id = :id")
# Topics the caller may see, oldest first.
LIST = text(
    _TOPIC
    + f"""
 WHERE (CAST(:after AS uuid) IS NULL OR t.id > :after)
   AND (CAST(:state AS text) IS NULL OR t.state = :state)
   AND (CAST(:case AS uuid) IS NULL OR t.case_id = :case)
   AND (:everything OR c.reporter = :person OR {_DESK} OR {_CHAIR} OR {_SEAT})
 ORDER BY t.id LIMIT :limit
"""
).bindparams(_PERSON)
SEATS = text("""
SELECT s.*, p.no, u.no AS substitute_no FROM seats s
  LEFT JOIN directory.v1_person p ON p.id = s.person
  LEFT JOIN directory.v1_person u ON u.id = s.substitute
 WHERE s.meeting = :meeting ORDER BY s.ord
""")
TASKS = text("""
SELECT k.id, k.text, g.code AS grid, k.department, coalesce(g.label, d.label) AS owner, k.due, k.meeting
  FROM tasks k
  LEFT JOIN directory.v1_grid g ON g.id = k.grid
  LEFT JOIN directory.v1_department d ON d.code = k.department
 WHERE k.meeting = ANY(:meetings) ORDER BY k.id
""")
# The community a case lies in, and whether the caller has a desk on the way up from its place.
CASE = text(f"""
SELECT c.*, (SELECT p.up FROM directory.v1_path p WHERE p.grid = c.place AND p.rank = 5) AS community, {_DESK} AS desk
  FROM cases c WHERE c.id = :id
""").bindparams(_PERSON)
OPEN_TOPIC = text(
    "SELECT id, state FROM topics WHERE case_id = :case AND state IN ('proposed', 'screened', 'scheduled', 'held')"
)
IS_DESK = text("SELECT EXISTS (SELECT FROM directory.v1_post WHERE kind = 'desk' AND person = :person)")
# A desk of the subdistrict or of the district above it.
SUBDISTRICT = text("""
SELECT g.id, EXISTS (SELECT FROM directory.v1_path p JOIN directory.v1_post o ON o.grid = p.up
       WHERE p.grid = g.id AND o.kind = 'desk' AND o.person = :person) AS desk
  FROM directory.v1_grid g WHERE g.code = :code AND g.rank = 6 AND g.void_at IS NULL
""")
# Most pressing first: what the resident was promised.
SCREENED = text("""
SELECT t.id FROM topics t JOIN cases c ON c.id = t.case_id
  JOIN directory.v1_path p ON p.grid = t.community AND p.up = :subdistrict
 WHERE t.state = 'screened' ORDER BY c.promised_by, t.id
""")
DEPARTMENTS = text("SELECT code FROM directory.v1_department WHERE code = ANY(:codes)")
GRIDS_BELOW = text("""
SELECT g.code, g.id FROM directory.v1_grid g JOIN directory.v1_path p ON p.grid = g.id AND p.up = :top
 WHERE g.code = ANY(:codes) AND g.void_at IS NULL
""")
PERSON_BY_NO = text("SELECT id FROM directory.v1_person WHERE no = :no AND gone_at IS NULL")
SECRETARY = text("SELECT person FROM directory.v1_post WHERE grid = :community AND kind = 'secretary'")
# Who may sit for a kind, nearest to the place first; a unit that covers the place has a standing seat.
PEOPLE = text("""
SELECT k.kind, k.person FROM (
    SELECT s.kind, s.person, 1 AS ord, p.rank FROM directory.v1_path p JOIN directory.v1_seat s ON s.grid = p.up
     WHERE p.grid = :place
    UNION ALL
    SELECT :unit, b.person, 2, p.rank FROM directory.v1_path p JOIN directory.v1_binding b ON b.grid = p.up
     WHERE p.grid = :place AND b.kind = 'unit' AND b.person IS NOT NULL
    UNION ALL
    SELECT o.department, o.person, 1, 0 FROM directory.v1_officer o WHERE o.department = ANY(:called)
) k JOIN directory.v1_person x ON x.id = k.person
 ORDER BY k.ord, k.rank, x.no
""")
# Venues with enough seats at the place's grid or the nearest above it that has one.
VENUES = text("""
WITH fit AS (
    SELECT v.id, v.code, v.opening, p.rank FROM directory.v1_path p JOIN directory.v1_venue v ON v.grid = p.up
     WHERE p.grid = :place AND v.void_at IS NULL AND v.seats >= :seats
)
SELECT id, opening FROM fit WHERE rank = (SELECT min(rank) FROM fit) ORDER BY code
""")


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic with what it is about, from planning on its meeting, and what ties the caller to it."""

    id: UUID
    case_id: UUID
    community: UUID
    title: str
    called: list[str]
    state: str
    ended_how: str | None
    screen_by: datetime | None
    version: int
    number: str
    category: str
    urgency: str
    place: UUID
    phase: str
    reporter: UUID | None
    complained: list[UUID]
    community_code: str
    community_label: str
    meeting: UUID | None
    venue: UUID
    starts: datetime
    ends: datetime
    chair: UUID
    quorum: int
    sequence: int
    moves_left: int
    result: str | None
    venue_code: str
    venue_label: str
    now: datetime
    is_desk: bool
    is_chair: bool
    is_seated: bool
    reports: bool


@dataclass(frozen=True, kw_only=True)
class SeatRow:
    """A seat of a meeting; `no` and `substitute_no` are None for somebody who is not in the workbook."""

    meeting: UUID
    person: UUID
    ord: int
    kind: str
    required: bool
    filled_by: str | None
    reply: str | None
    substitute: UUID | None
    present_at: datetime | None
    no: str | None
    substitute_no: str | None


async def topic(conn: AsyncConnection, id_: UUID, person: UUID | None = None) -> Topic | None:
    """The topic, with the ties of `person`."""
    row = (await conn.execute(TOPIC, {"id": id_, "person": person})).mappings().one_or_none()
    return Topic(**row) if row else None


async def topic_of(conn: AsyncConnection, meeting: UUID) -> UUID | None:
    found: UUID | None = (await conn.execute(TOPIC_OF_MEETING, {"id": meeting})).scalar_one_or_none()
    return found


async def topics(conn: AsyncConnection, **where: Any) -> list[Topic]:
    """A page of topics; see LIST for the filters."""
    return [Topic(**row) for row in (await conn.execute(LIST, where)).mappings()]


async def seats(conn: AsyncConnection, meeting: UUID | None) -> list[SeatRow]:
    rows = await conn.execute(SEATS, {"meeting": meeting})
    return [SeatRow(**row) for row in rows.mappings()]


async def tasks(conn: AsyncConnection, meetings: Sequence[UUID | None]) -> list[dict[str, Any]]:
    rows = await conn.execute(TASKS, {"meetings": list(meetings)})
    return [dict(row) for row in rows.mappings()]


async def case(conn: AsyncConnection, id_: UUID, person: UUID | None) -> Any:
    """The case with `community` and whether the person has a `desk` above its place, or None."""
    return (await conn.execute(CASE, {"id": id_, "person": person})).mappings().one_or_none()


async def is_desk(conn: AsyncConnection, person: UUID | None) -> bool:
    """Whether the person sits at any desk."""
    return bool((await conn.execute(IS_DESK, {"person": person})).scalar_one())


async def people(conn: AsyncConnection, topic: Topic) -> dict[str, list[UUID]]:
    """Kind -> who may sit for it, in order; nobody the case complains of."""
    found: dict[str, list[UUID]] = {}
    for row in await conn.execute(PEOPLE, {"place": topic.place, "called": topic.called, "unit": BOUND_UNIT}):
        if row.person not in topic.complained:
            found.setdefault(row.kind, []).append(row.person)
    return found


async def secretary(conn: AsyncConnection, community: UUID) -> UUID | None:
    found: UUID | None = (await conn.execute(SECRETARY, {"community": community})).scalar_one_or_none()
    return found


async def person(conn: AsyncConnection, no: str) -> UUID | None:
    found: UUID | None = (await conn.execute(PERSON_BY_NO, {"no": no})).scalar_one_or_none()
    return found


async def departments(conn: AsyncConnection, codes: Sequence[str]) -> set[str]:
    """Those of the codes that are departments."""
    return set((await conn.execute(DEPARTMENTS, {"codes": list(codes)})).scalars())


async def grids_below(conn: AsyncConnection, top: UUID, codes: Sequence[str]) -> dict[str, UUID]:
    """Those of the codes that are grids at or below `top`."""
    return {row.code: row.id for row in await conn.execute(GRIDS_BELOW, {"top": top, "codes": list(codes)})}
