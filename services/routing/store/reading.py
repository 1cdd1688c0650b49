"""Statements that answer questions about cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.policy import Policy

# A case as interfaces show it: codes instead of ids, numbers of the workbook instead of persons' ids.
_CASE = """
SELECT c.*, g.code AS grid_code, g.label AS grid_label, g.level AS grid_level, g.kind AS grid_kind, g.village,
       pl.code AS place_code, pl.label AS place_label, pl.rank AS place_rank, hp.no AS holder_no,
       greatest(c.accept_by, c.resolve_by) >= (SELECT min(published_until) FROM public.calendar_horizon)
           AND 'natural' <> ANY (ARRAY[c.accept_calendar, c.resolve_calendar]) AS provisional,
       public.clock_now() AS now
  FROM cases c
  JOIN directory.v1_grid g ON g.id = c.grid
  JOIN directory.v1_grid pl ON pl.id = c.place
  LEFT JOIN directory.v1_person hp ON hp.id = c.holder_person
"""
CASE = text(_CASE + " WHERE c.id = :id")
HOPS = text("""
SELECT h.*, g.code AS grid_code, g.label AS grid_label, g.level AS grid_level, g.kind AS grid_kind, g.village,
       hp.no AS holder_no
  FROM hops h JOIN directory.v1_grid g ON g.id = h.grid
  LEFT JOIN directory.v1_person hp ON hp.id = h.holder_person
 WHERE h.case_id = :id ORDER BY h.hop
""")
HISTORY = text("""
SELECT y.*, h.grid, g.label AS grid_label, g.level AS grid_level, g.kind AS grid_kind, g.village, h.holder_post
  FROM history y
  LEFT JOIN hops h ON h.case_id = y.case_id AND h.hop = y.hop
  LEFT JOIN directory.v1_grid g ON g.id = h.grid
 WHERE y.case_id = :id ORDER BY y.seq
""")
# The posts of a person: their own, and those they stand in for at this moment.
MINE = """
WITH mine AS (
    SELECT s.grid, s.kind FROM directory.v1_post s WHERE s.person = :person
    UNION ALL
    SELECT s.grid, 'stand-in' FROM directory.v1_absence a JOIN directory.v1_post s ON s.person = a.person
     WHERE a.stand_in = :person AND a.since <= public.clock_now() AND public.clock_now() < a.until
)
"""
# Somebody the reporter complains about: who had a post at the place when it was told, or has one now.
COMPLAINED_OF = """(c.about_leader AND c.placed AND c.reporter IS DISTINCT FROM CAST(:person AS uuid)
           AND (CAST(:person AS uuid) = ANY (c.recused) OR EXISTS (SELECT FROM mine m WHERE m.grid = c.place)))"""
_HOLDS = """(c.holder_kind = 'person' AND c.holder_person = :person
           OR c.holder_kind = 'desk' AND EXISTS (SELECT FROM mine m WHERE m.grid = c.grid AND m.kind = 'desk'))"""
POSTED = """EXISTS (SELECT FROM directory.v1_path p JOIN mine m ON m.grid = p.up WHERE p.grid = c.place)"""
_BOUND = """EXISTS (SELECT FROM directory.v1_path p JOIN directory.v1_binding b ON b.grid = p.up
           WHERE p.grid = c.place AND b.kind = 'member' AND b.person = :person)"""
# What ties a person to a case: all rights come from these facts.
TIES = text(
    MINE
    + f"""
SELECT c.reporter = :person AS reports,
       {_HOLDS} AS holds,
       {POSTED} AS posted,
       coalesce((SELECT array_agg(p.rank) FROM directory.v1_path p JOIN mine m ON m.grid = p.up
           WHERE p.grid = c.place AND m.kind = 'desk'), '{{}}') AS desks,
       {_BOUND} AS bound,
       EXISTS (SELECT FROM whistle_cases k JOIN whistles w ON w.id = k.whistle
           JOIN directory.v1_officer o ON o.department = w.lead OR o.department = ANY (w.assisting)
           WHERE k.case_id = c.id AND o.person = :person AND w.state <> 'draft') AS whistled,
       (SELECT max(h.hop) FROM hops h WHERE h.case_id = c.id AND (h.holder_person = :person
           OR h.holder_kind = 'desk' AND EXISTS (SELECT FROM directory.v1_post o
               WHERE o.grid = h.grid AND o.kind = 'desk' AND o.person = :person))) AS held_hop,
       EXISTS (SELECT FROM hops h WHERE h.case_id = c.id AND h.hop > c.reopened_hop
           AND h.ended_by IN ('escalated', 'accept_timeout', 'resolve_timeout') AND (h.holder_person = :person
           OR h.holder_kind = 'desk' AND EXISTS (SELECT FROM directory.v1_post o
               WHERE o.grid = h.grid AND o.kind = 'desk' AND o.person = :person))) AS claimable,
       :person = ANY (c.recused) AS recused,
       {COMPLAINED_OF} AS complained_of
  FROM cases c WHERE c.id = :id
"""
)
# The hop a former holder may claim: left to a timeout or handed up, since the last "not solved".
CLAIMABLE = text("""
SELECT h.rank, h.grid, h.holder_person, h.holder_post
  FROM hops h
 WHERE h.case_id = :id AND h.hop > :after AND h.ended_by IN ('escalated', 'accept_timeout', 'resolve_timeout')
   AND (h.holder_person = :person OR h.holder_kind = 'desk' AND EXISTS (SELECT FROM directory.v1_post o
           WHERE o.grid = h.grid AND o.kind = 'desk' AND o.person = :person))
 ORDER BY h.hop DESC LIMIT 1
""")
BOUND_GRID = text("""
SELECT p.rank, p.up AS grid FROM directory.v1_path p JOIN directory.v1_binding b ON b.grid = p.up
 WHERE p.grid = :place AND b.kind = 'member' AND b.person = :person ORDER BY p.rank LIMIT 1
""")
PERSON_BY_NO = text("SELECT id FROM directory.v1_person WHERE no = :no")
NO_OF_PERSON = text("SELECT no FROM directory.v1_person WHERE id = :person")
GRID_BY_CODE = text("SELECT id, rank, village FROM directory.v1_grid WHERE code = :code")
# Cases of the caller's subtrees, or held by him; oldest first (ids are ordered by time).
LIST = text(
    MINE
    + _CASE
    + f"""
 WHERE (CAST(:after AS uuid) IS NULL OR c.id > :after)
   AND (CAST(:phase AS text) IS NULL OR c.phase = :phase)
   AND (CAST(:rank AS int) IS NULL OR c.rank = :rank)
   AND (CAST(:grid AS uuid) IS NULL OR EXISTS (
        SELECT FROM directory.v1_path p WHERE p.grid = c.grid AND p.up = :grid))
   AND (NOT :mine OR {_HOLDS})
   AND (:everything OR {_HOLDS} OR NOT {COMPLAINED_OF} AND ({POSTED} OR {_BOUND}))
 ORDER BY c.id LIMIT :limit
"""
)
# Cases and whistles somebody should look after, longest first.
SUPERVISION = text("""
SELECT s.kind, s.id, s.why, s.since, g.code AS grid
  FROM (SELECT 'case' AS kind, id, supervised_why AS why, supervised_at AS since, grid, place
          FROM cases WHERE supervised_at IS NOT NULL AND phase <> 'closed'
         UNION ALL
        SELECT 'whistle', id, supervised_why, supervised_at, desk, place
          FROM whistles WHERE supervised_at IS NOT NULL AND CASE supervised_why
               WHEN 'report_in' THEN state IN ('blown', 'acknowledged') ELSE state = 'result' END) s
  JOIN directory.v1_grid g ON g.id = s.grid
 WHERE (CAST(:after_at AS timestamptz) IS NULL OR (s.since, s.id) > (:after_at, CAST(:after_id AS uuid)))
   AND (CAST(:grid AS uuid) IS NULL OR EXISTS (
        SELECT FROM directory.v1_path p WHERE p.grid = s.place AND p.up = :grid))
   AND (:everything OR EXISTS (
        SELECT FROM directory.v1_path p JOIN directory.v1_post o ON o.grid = p.up
         WHERE p.grid = s.place AND o.kind = 'desk' AND o.person = :person))
 ORDER BY s.since, s.id LIMIT :limit
""")
POLICY_BODY = text("SELECT body FROM policy WHERE id = :id")
IS_DESK = text("SELECT EXISTS (SELECT FROM directory.v1_post WHERE kind = 'desk' AND person = :person)")

_policies: dict[str, Policy] = {}


@dataclass(frozen=True)
class Ties:
    """What ties a caller to a case; see `domain/rights.py` for what follows from it."""

    reports: bool = False
    holds: bool = False
    posted: bool = False
    desks: frozenset[int] = frozenset()
    bound: bool = False
    whistled: bool = False
    held_hop: int | None = None
    claimable: bool = False
    recused: bool = False
    complained_of: bool = False


async def case(conn: AsyncConnection, id_: UUID) -> RowMapping | None:
    return (await conn.execute(CASE, {"id": id_})).mappings().one_or_none()


async def hops(conn: AsyncConnection, id_: UUID) -> Sequence[RowMapping]:
    return (await conn.execute(HOPS, {"id": id_})).mappings().all()


async def history(conn: AsyncConnection, id_: UUID) -> Sequence[RowMapping]:
    return (await conn.execute(HISTORY, {"id": id_})).mappings().all()


async def ties(conn: AsyncConnection, id_: UUID, person: UUID) -> Ties:
    row = (await conn.execute(TIES, {"id": id_, "person": person})).mappings().one_or_none()
    if row is None:
        return Ties()
    facts: dict[str, Any] = dict(row)
    return Ties(**{**facts, "desks": frozenset(row["desks"])})


async def policy(conn: AsyncConnection, id_: str) -> Policy:
    """A saved policy; kept in memory, since it never changes."""
    if id_ not in _policies:
        _policies[id_] = Policy.model_validate((await conn.execute(POLICY_BODY, {"id": id_})).scalar_one())
    return _policies[id_]


async def cases(conn: AsyncConnection, **where: Any) -> Sequence[RowMapping]:
    """A page of cases; see LIST for the filters."""
    return (await conn.execute(LIST, where)).mappings().all()


async def supervision(
    conn: AsyncConnection,
    *,
    person: UUID | None,
    everything: bool,
    grid: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[RowMapping]:
    """A page of the supervision list, longest first; `after` is (since, id) of the last one seen."""
    since, id_ = after or (None, None)
    where = {
        "person": person,
        "everything": everything,
        "grid": grid,
        "after_at": since,
        "after_id": id_,
        "limit": limit,
    }
    return (await conn.execute(SUPERVISION, where)).mappings().all()


async def is_desk(conn: AsyncConnection, person: UUID | None) -> bool:
    """Whether the person sits at any desk."""
    return bool((await conn.execute(IS_DESK, {"person": person})).scalar_one())
