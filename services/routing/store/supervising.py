"""Statements of the supervision list 督办: who looks after what, and what they noted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

# A desk at or above its place, or whoever is in charge (who sits at one).
_SEES = """(:everything OR EXISTS (
        SELECT FROM directory.v1_path p JOIN directory.v1_post o ON o.grid = p.up
         WHERE p.grid = l.place AND o.kind = 'desk' AND o.person = :person))"""
_ROW = """
SELECT l.*, g.code AS grid_code, coalesce(d.code, root.code) AS desk_code, coalesce(d.id, root.id) AS desk,
       s.person, p.no AS person_no, s.review_at,
       (SELECT count(*) FROM supervision_notes n WHERE n.subject = l.id) AS notes
  FROM listed l
  JOIN directory.v1_grid g ON g.id = l.grid
  JOIN directory.v1_grid root ON root.rank = 7 AND root.void_at IS NULL
  LEFT JOIN supervised s ON s.id = l.id
  LEFT JOIN directory.v1_grid d ON d.id = s.desk
  LEFT JOIN directory.v1_person p ON p.id = s.person
"""
# Cases and whistles somebody should look after, longest first.
LIST = text(
    _ROW
    + f"""
 WHERE (CAST(:after_at AS timestamptz) IS NULL OR (l.since, l.id) > (:after_at, CAST(:after_id AS uuid)))
   AND (CAST(:grid AS uuid) IS NULL OR EXISTS (
        SELECT FROM directory.v1_path p WHERE p.grid = l.place AND p.up = :grid))
   AND {_SEES}
 ORDER BY l.since, l.id LIMIT :limit
"""
)
ONE = text(_ROW + f" WHERE l.id = :id AND {_SEES}")
# Whether the caller may decide: at the district's desk, or in charge.
DECIDES = text("""
SELECT EXISTS (SELECT FROM directory.v1_post o JOIN directory.v1_grid g ON g.id = o.grid
                WHERE o.person = :person AND o.kind = 'desk' AND (g.rank = 7 OR g.id = :desk))
""")
NOTES = text("""
SELECT n.at, n.kind, n.text, a.no AS by, g.code AS desk, p.no AS person
  FROM supervision_notes n
  LEFT JOIN directory.v1_person a ON a.id = n.actor
  LEFT JOIN directory.v1_grid g ON g.id = n.desk
  LEFT JOIN directory.v1_person p ON p.id = n.person
 WHERE n.subject = :id ORDER BY n.id
""")
NOTE = text("""
INSERT INTO supervision_notes (subject, kind, actor, desk, person, text)
VALUES (:id, :kind, :actor, :desk, :person, :text)
""")
# A desk that looks after it lies on the way up from its place, where it may read the case as well.
DESK_ABOVE = text("""
SELECT g.id, EXISTS (SELECT FROM directory.v1_path p WHERE p.grid = :place AND p.up = g.id) AS above,
       EXISTS (SELECT FROM directory.v1_post o WHERE o.grid = g.id AND o.kind = 'desk') AS manned
  FROM directory.v1_grid g WHERE g.code = :code AND g.void_at IS NULL
""")
AT_DESK = text("""
SELECT o.person FROM directory.v1_post o JOIN directory.v1_person p ON p.id = o.person
 WHERE o.grid = :desk AND o.kind = 'desk' AND p.no = :no
""")
LEVEL_ABOVE = text("SELECT EXISTS (SELECT FROM directory.v1_path WHERE grid = :place AND rank = :rank)")

# -- its own clock ------------------------------------------------------------------------------------------
# New on the list: the district's desk has it in charge. (What was listed long ago may lie before
# the calendar's data: it is due soon.)
TAKE_UP = text("""
INSERT INTO supervised (id, desk, review_at)
SELECT l.id, root.id, public.due(:calendar, greatest(l.since, public.clock_now() - interval '7 days'), :term)
  FROM listed l JOIN directory.v1_grid root ON root.rank = 7 AND root.void_at IS NULL
 WHERE NOT EXISTS (SELECT FROM supervised s WHERE s.id = l.id)
ON CONFLICT (id) DO NOTHING
""")
LET_GO = text("DELETE FROM supervised s WHERE NOT EXISTS (SELECT FROM listed l WHERE l.id = s.id)")
# The cases are locked before, as everywhere; rows are counted on from now.
LOCK_CASES_DUE = text("""
SELECT c.id FROM cases c
 WHERE c.id IN (SELECT l.case_id FROM supervised s JOIN listed l ON l.id = s.id
                 WHERE s.review_at <= public.clock_now() AND NOT EXISTS (SELECT FROM maintenance))
 ORDER BY c.id LIMIT :batch FOR UPDATE SKIP LOCKED
""")
REVIEW = text("""
UPDATE supervised s SET review_at = public.due(:calendar, public.clock_now(), :term), reviews = s.reviews + 1
  FROM listed l WHERE l.id = s.id AND l.case_id = ANY (:cases) AND s.review_at <= public.clock_now()
RETURNING s.id, l.kind, s.desk, s.person, s.reviews
""")
NEXT = text(
    "SELECT extract(epoch FROM min(review_at) - public.clock_now())::float FROM supervised"
    " WHERE NOT EXISTS (SELECT FROM maintenance)"
)
PUT_OFF = text("""
UPDATE supervised SET review_at = public.due(:calendar, public.clock_now(), :term) WHERE id = :id
""")
HAND = text("""
INSERT INTO supervised (id, desk, person, review_at)
VALUES (:id, :desk, :person, public.due(:calendar, public.clock_now(), :term))
ON CONFLICT (id) DO UPDATE SET desk = excluded.desk, person = excluded.person, review_at = excluded.review_at
""")
# Back on the ladder: the next "not solved" is the last one again.
UNLIST = text("""
WITH gone AS (DELETE FROM supervised WHERE id = :id)
UPDATE cases SET supervised_at = NULL, supervised_why = NULL, noes = least(noes, 2) WHERE id = :id
""")


async def listed(
    conn: AsyncConnection,
    *,
    person: UUID | None,
    everything: bool,
    grid: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[RowMapping]:
    """A page of the list, longest first; `after` is (since, id) of the last one seen."""
    since, id_ = after or (None, None)
    where = {"person": person, "everything": everything, "grid": grid, "limit": limit}
    return (await conn.execute(LIST, {**where, "after_at": since, "after_id": id_})).mappings().all()


async def one(conn: AsyncConnection, id_: UUID, *, person: UUID | None, everything: bool) -> RowMapping | None:
    """What is on the list, if the caller may see it."""
    where = {"id": id_, "person": person, "everything": everything}
    return (await conn.execute(ONE, where)).mappings().one_or_none()


async def decides(conn: AsyncConnection, person: UUID | None, desk: UUID) -> bool:
    """Whether a person sits at the district's desk or at the one in charge."""
    return bool((await conn.execute(DECIDES, {"person": person, "desk": desk})).scalar_one())


async def notes(conn: AsyncConnection, id_: UUID) -> list[dict[str, Any]]:
    """The trail, oldest first."""
    return [dict(row) for row in (await conn.execute(NOTES, {"id": id_})).mappings()]


async def note(
    conn: AsyncConnection, id_: UUID, kind: str, actor: UUID | None, words: str, **whom: UUID | None
) -> None:
    """Adds to the trail; `whom`: desk and person it was handed to."""
    values = {"desk": None, "person": None, **whom}
    await conn.execute(NOTE, {"id": id_, "kind": kind, "actor": actor, "text": words, **values})


async def desk_above(conn: AsyncConnection, code: str, place: UUID) -> RowMapping | None:
    """A grid by code: its id, whether it lies above the place, and whether anybody sits at its desk."""
    return (await conn.execute(DESK_ABOVE, {"code": code, "place": place})).mappings().one_or_none()


async def at_desk(conn: AsyncConnection, no: str, desk: UUID) -> UUID | None:
    """The person of that number, if they sit at the desk."""
    person: UUID | None = (await conn.execute(AT_DESK, {"no": no, "desk": desk})).scalar_one_or_none()
    return person


async def has_level(conn: AsyncConnection, place: UUID, rank: int) -> bool:
    """Whether there is a grid of this rank on the way up from the place."""
    return bool((await conn.execute(LEVEL_ABOVE, {"place": place, "rank": rank})).scalar_one())
