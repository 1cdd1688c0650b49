"""Statements that change cases, each with a name and a reason; all are set-based."""

import random
from collections import Counter as Counted
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import Row, RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.levels import LEVEL, LEVELS
from shared.db import LADDER_SHARED, note_events
from shared.telemetry import current_traceparent

BATCH = 2000
REASONS = ("escalated", "accept_timeout", "resolve_timeout")
ESCALATIONS = Counter("chuishao_escalations_total", "Cases that left a level upwards, by why", ["level", "reason"])
"""Also those that timed out at the last level and stay there, supervised. Counted when written: a transaction that has
to be repeated counts again."""
for _level in LEVELS[:-1]:
    for _reason in REASONS:
        ESCALATIONS.labels(_level, _reason)  # from nought, so that the first one is seen as an increase

# A candidate's seat at this moment: the leader himself, or his named stand-in while he is away.
_SEAT = """directory.v1_candidate c
              LEFT JOIN directory.v1_absence a ON a.person = c.person AND a.since <= m.now AND m.now < a.until
             CROSS JOIN LATERAL (SELECT coalesce(a.stand_in, c.person) AS person,
                   a.person IS NOT NULL AND (a.stand_in IS NULL OR EXISTS (
                       SELECT FROM directory.v1_absence s
                        WHERE s.person = a.stand_in AND s.since <= m.now AND m.now < s.until)) AS away) seat"""
_REACHABLE = "EXISTS (SELECT FROM directory.v1_reachable r WHERE r.person = seat.person)"
_HELD_LOWER = """(seat.person = ANY (m.passed) AND EXISTS (
                       SELECT FROM unnest(m.passed, m.passed_rank) AS h(person, rank)
                        WHERE h.person = seat.person AND h.rank < p.rank))"""
# Whoever complains about the people of a place does not land at their own desk, if there is one above.
_COMPLAINED_OF = "(m.about_leader AND p.up = m.place AND p.rank < m.top)"
_FITS = f"""(c.kind = 'desk' AND NOT {_COMPLAINED_OF}
                   OR c.kind = 'person' AND NOT seat.away AND seat.person <> ALL (m.recused)
                   AND NOT {_HELD_LOWER} AND {_REACHABLE})"""
_REASON = f"""CASE WHEN c.kind = 'desk' THEN 'recused'
                        WHEN a.person IS NOT NULL THEN 'absent'
                        WHEN NOT {_REACHABLE} THEN 'unreachable'
                        WHEN seat.person = ANY (m.recused) THEN 'recused'
                        WHEN {_HELD_LOWER} THEN 'same_person' END"""
MOVE_SQL = (
    (Path(__file__).parent / "move.sql")
    .read_text()
    .replace("{seat}", _SEAT)
    .replace("{fits}", _FITS)
    .replace("{reason}", _REASON)
)
MOVE = text(MOVE_SQL).bindparams(bindparam("moves", type_=JSONB))

# -- policies -------------------------------------------------------------------------------------------
SAVE_POLICY = text(
    "INSERT INTO policy (id, name, body, night_urgencies, night_from, night_until)"
    " VALUES (:id, :name, :body, :night_urgencies, :night_from, :night_until) ON CONFLICT (id) DO NOTHING"
).bindparams(bindparam("body", type_=JSONB))
SAVE_TERMS = text(
    "INSERT INTO term (policy, class, rank, accept_calendar, accept_term, resolve_calendar, resolve_term)"
    " VALUES (:policy, :class, :rank, :accept_calendar, :accept_term, :resolve_calendar, :resolve_term)"
    " ON CONFLICT DO NOTHING"
)
PUT_IN_FORCE = text(
    "INSERT INTO policy_in_force (policy) VALUES (:id) ON CONFLICT (one) DO UPDATE SET policy = excluded.policy"
)
IN_FORCE = text("SELECT policy FROM policy_in_force")
# "An edited calendar recomputes open deadlines": the same formula over every open row that is not paused.
RECOMPUTE = text("""
UPDATE cases SET
    accept_by = CASE WHEN accept_by IS NOT NULL THEN public.due(accept_calendar, accept_since, accept_left) END,
    accept_remind = CASE WHEN accept_remind IS NOT NULL
        THEN public.due(accept_calendar, accept_since, accept_left - accept_term / 4) END,
    resolve_by = CASE WHEN resolve_by IS NOT NULL THEN public.due(resolve_calendar, resolve_since, resolve_left) END,
    resolve_remind = CASE WHEN resolve_remind IS NOT NULL
        THEN public.due(resolve_calendar, resolve_since, resolve_left - resolve_term / 4) END
 WHERE (accept_by IS NOT NULL AND accept_calendar = ANY (:calendars))
    OR (resolve_by IS NOT NULL AND resolve_calendar = ANY (:calendars))
""")

# -- opening ----------------------------------------------------------------------------------------------
GRID_RANKS = text("SELECT id, rank FROM directory.v1_grid WHERE id = ANY(:ids)")
ROOT = text("SELECT id FROM directory.v1_grid WHERE rank = 7 AND void_at IS NULL LIMIT 1")
INSERT_CASES = text("""
INSERT INTO cases (id, number, category, urgency, class, policy, place, placed, start_rank, reporter, own, about_leader,
                   recused, rank, grid, opened_at, promised_by, traceparent)
SELECT r.id, r.number, r.category, r.urgency, r.class, r.policy, r.place, r.placed, r.start_rank, r.reporter, r.own,
       r.about_leader,
       CASE WHEN r.own THEN '{}'::uuid[] ELSE ARRAY[r.reporter] || CASE WHEN r.about_leader AND r.placed
           THEN ARRAY(SELECT o.person FROM directory.v1_post o WHERE o.grid = r.place) ELSE '{}'::uuid[] END END,
       r.first - 1, r.place, now.at, now.at + r.total * interval '1 microsecond', r.traceparent
  FROM jsonb_to_recordset(:rows) AS r(id uuid, number text, category text, urgency text, class text, policy text,
       place uuid, placed boolean, start_rank int, reporter uuid, own boolean, about_leader boolean, first int,
       total bigint, traceparent text)
 CROSS JOIN (SELECT public.clock_now() AS at) now
ON CONFLICT (id) DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))
# The post a leader reports his own find from: the lowest one on the place's path.
OWN_POSTS = text("""
SELECT DISTINCT ON (r.id) r.id, p.rank, p.up AS grid, o.kind AS post
  FROM jsonb_to_recordset(:rows) AS r(id uuid, place uuid, reporter uuid)
  JOIN directory.v1_path p ON p.grid = r.place
  JOIN directory.v1_post o ON o.grid = p.up AND o.person = r.reporter
 ORDER BY r.id, p.rank
""").bindparams(bindparam("rows", type_=JSONB))
# Only now is it known about whom an `about_leader` is.
# What was agreed for a task is what is promised; in an event it is read from the next one on.
MARK_TASK = text("UPDATE cases SET origin = 'task', promised_by = :due WHERE id = :id")
PLACE = text("""
UPDATE cases SET place = :place, placed = true,
       recused = recused || CASE WHEN about_leader
           THEN ARRAY(SELECT o.person FROM directory.v1_post o WHERE o.grid = :place) ELSE '{}'::uuid[] END
 WHERE id = :id
""")

# -- locks ------------------------------------------------------------------------------------------------
LOCK_CASE = text("SELECT *, public.clock_now() AS now FROM cases WHERE id = :id FOR UPDATE")
# Emergencies first. The grids are dealt to lanes, and a lane is one worker's until it commits: two that took turns
# through the same grid would move its cases out of order.
LANES = 2
_DUE = """
    SELECT id, traceparent, extract(epoch FROM public.clock_now() - least(accept_by, resolve_by))::float AS late
      FROM cases
     WHERE next_at <= public.clock_now() AND (accept_by <= public.clock_now() OR resolve_by <= public.clock_now())"""
LOCK_DUE = text(f"""
WITH mine AS MATERIALIZED (
    SELECT lane FROM unnest(CAST(:order AS int[])) lane
     WHERE pg_try_advisory_xact_lock(hashtext('lane'), lane) LIMIT :lanes
),
emergencies AS MATERIALIZED ({_DUE}
       AND urgency = 'emergency'
     ORDER BY next_at LIMIT :batch FOR UPDATE SKIP LOCKED
),
others AS MATERIALIZED ({_DUE}
       AND urgency <> 'emergency' AND (uuid_hash(grid) & {LANES - 1}) = ANY (ARRAY(SELECT lane FROM mine))
     ORDER BY next_at LIMIT :batch - (SELECT count(*) FROM emergencies) FOR UPDATE SKIP LOCKED
)
SELECT * FROM emergencies UNION ALL SELECT * FROM others
""")
# A person holds what is not theirs any more: the post is another's, or the grid is gone.
LOCK_DISPLACED = text("""
SELECT c.id, c.rank, c.on_hold
  FROM cases c JOIN directory.v1_grid g ON g.id = c.grid
 WHERE c.phase IN ('assigned', 'accepted')
   AND (CAST(:grid AS uuid) IS NULL OR c.grid = :grid)
   AND (g.void_at IS NOT NULL OR c.holder_kind = 'person' AND c.holder_post <> 'bound' AND NOT EXISTS (
       SELECT FROM directory.v1_candidate k
         LEFT JOIN directory.v1_absence a ON a.person = k.person
        WHERE k.grid = c.grid AND c.holder_person IN (k.person, a.stand_in)))
   FOR UPDATE OF c
""")

# -- ticks ------------------------------------------------------------------------------------------------
# Which clocks have anything to do, each by the condition of its own statement below, and when the next one will.
DUE = text("""
SELECT count(*) FILTER (WHERE accept_by <= now.at OR resolve_by <= now.at) AS timed_out,
       coalesce(bool_or(accept_remind <= now.at AND accept_by > now.at
                     OR resolve_remind <= now.at AND resolve_by > now.at), false) AS to_remind,
       coalesce(bool_or(nags[1] <= now.at AND wait_by > now.at), false) AS to_nag,
       coalesce(bool_or(wait_by <= now.at), false) AS waited,
       coalesce(bool_or(promised_by <= now.at AND NOT promise_listed AND phase IN ('assigned', 'accepted')), false)
           AS promised,
       (SELECT extract(epoch FROM min(next_at) - public.clock_now())::float
          FROM cases WHERE next_at > public.clock_now()) AS until
  FROM cases CROSS JOIN (SELECT public.clock_now() AS at) now WHERE next_at <= public.clock_now()
""")
# A reminder whose deadline has passed as well is dropped: only the move is told.
REMIND = text("""
WITH due AS (
    SELECT id, accept_remind <= public.clock_now() AS accept FROM cases
     WHERE next_at <= public.clock_now()
       AND ((accept_remind <= public.clock_now() AND accept_by > public.clock_now())
         OR (resolve_remind <= public.clock_now() AND resolve_by > public.clock_now()))
     ORDER BY next_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
UPDATE cases c SET seq = c.seq + 1,
       accept_remind = CASE WHEN coalesce(d.accept, false) THEN NULL ELSE c.accept_remind END,
       resolve_remind = CASE WHEN coalesce(d.accept, false) THEN c.resolve_remind END
  FROM due d WHERE c.id = d.id
RETURNING c.id, CASE WHEN coalesce(d.accept, false) THEN 'accept' ELSE 'resolve' END AS clock
""")
NAG = text("""
WITH due AS (
    SELECT id FROM cases
     WHERE next_at <= public.clock_now() AND nags[1] <= public.clock_now() AND wait_by > public.clock_now()
     ORDER BY next_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
UPDATE cases c SET seq = c.seq + 1, nagged = c.nagged + late.n, nags = c.nags[late.n + 1:]
  FROM due d JOIN cases o ON o.id = d.id
 CROSS JOIN LATERAL (SELECT count(*)::int AS n FROM unnest(o.nags) t WHERE t <= public.clock_now()) late
 WHERE c.id = d.id
RETURNING c.id, c.nagged AS n, c.phase
""")
LOCK_WAITED = text("""
SELECT id, phase FROM cases WHERE next_at <= public.clock_now() AND wait_by <= public.clock_now()
 ORDER BY next_at LIMIT :batch FOR UPDATE SKIP LOCKED
""")
LOCK_PROMISED = text("""
SELECT id FROM cases
 WHERE next_at <= public.clock_now() AND promised_by <= public.clock_now() AND NOT promise_listed
   AND phase IN ('assigned', 'accepted')
 ORDER BY next_at LIMIT :batch FOR UPDATE SKIP LOCKED
""")

# -- acts: each changes the row and counts the event; `tell` writes history and outbox afterwards ---------
_STILL = "accept_by = NULL, accept_remind = NULL, resolve_by = NULL, resolve_remind = NULL"
ACCEPT = text("""
WITH hop AS (UPDATE hops SET accepted_at = public.clock_now() WHERE case_id = :id AND until IS NULL)
UPDATE cases SET seq = seq + 1, version = version + 1, phase = 'accepted', accepted_at = public.clock_now(),
       accept_left = NULL, accept_by = NULL, accept_remind = NULL
 WHERE id = :id
""")
PAUSE = text(f"""
UPDATE cases SET seq = seq + 1, version = version + 1, on_hold = :why,
       accept_left = CASE WHEN accept_by IS NULL THEN accept_left
           ELSE greatest(0, accept_left - public.open_between(accept_calendar, accept_since, public.clock_now())) END,
       resolve_left = CASE WHEN resolve_by IS NULL THEN resolve_left
           ELSE greatest(0, resolve_left
               - public.open_between(resolve_calendar, resolve_since, public.clock_now())) END,
       {_STILL},
       wait_by = public.clock_now() + :wait * interval '1 microsecond', nagged = 0,
       nags = ARRAY(SELECT public.clock_now() + n * interval '1 microsecond' FROM unnest(CAST(:nags AS bigint[])) n)
 WHERE id = :id
""")
# A reminder is set again only if three quarters of the term have not passed before the pause.
RESUME = text("""
UPDATE cases SET seq = seq + 1, version = version + 1, on_hold = NULL, wait_by = NULL, nags = '{}', nagged = 0,
       accept_since = public.clock_now(), resolve_since = public.clock_now(),
       accept_by = public.due(accept_calendar, public.clock_now(), accept_left),
       accept_remind = CASE WHEN accept_left > accept_term / 4
           THEN public.due(accept_calendar, public.clock_now(), accept_left - accept_term / 4) END,
       resolve_by = public.due(resolve_calendar, public.clock_now(), resolve_left),
       resolve_remind = CASE WHEN resolve_left > resolve_term / 4
           THEN public.due(resolve_calendar, public.clock_now(), resolve_left - resolve_term / 4) END
 WHERE id = ANY(:ids)
""")
RESOLVE = text(f"""
WITH hop AS (UPDATE hops SET until = public.clock_now(), ended_by = 'resolved' WHERE case_id = :id AND until IS NULL)
UPDATE cases SET seq = seq + 1, version = version + 1, phase = 'resolved', on_hold = NULL, reply = :reply, {_STILL},
       accept_left = NULL, resolve_left = NULL, nagged = 0,
       wait_by = public.clock_now() + :wait * interval '1 microsecond',
       nags = ARRAY(SELECT public.clock_now() + n * interval '1 microsecond' FROM unnest(CAST(:nags AS bigint[])) n)
 WHERE id = :id
""")
CLOSE = text(f"""
WITH hop AS (UPDATE hops SET until = public.clock_now(), ended_by = :ended_by
              WHERE case_id = ANY(:ids) AND until IS NULL)
UPDATE cases SET seq = seq + 1, version = version + 1, phase = 'closed', on_hold = NULL, closed_how = :how,
       closed_at = public.clock_now(), {_STILL}, accept_left = NULL, resolve_left = NULL, wait_by = NULL, nags = '{{}}',
       reply = coalesce(:reply, reply)
 WHERE id = ANY(:ids)
""")
COUNT_EVENT = text("UPDATE cases SET seq = seq + 1 WHERE id = :id")
COUNT_NO = text("UPDATE cases SET noes = noes + 1, reopened_hop = hop WHERE id = :id")
SUPERVISE = text("""
UPDATE cases SET seq = seq + 1, supervised_at = coalesce(supervised_at, public.clock_now()),
       supervised_why = coalesce(supervised_why, :why), promise_listed = promise_listed OR :why = 'promise'
 WHERE id = ANY(:ids)
""")
NOTE = text("INSERT INTO notes (case_id, actor, text) VALUES (:id, :actor, :text)")
ANSWER = text(
    "INSERT INTO answers (case_id, seq, solved, satisfied, comment)"
    " SELECT id, seq, :solved, :satisfied, :comment FROM cases WHERE id = :id"
)
TELL = text("""
WITH input AS (
    SELECT * FROM jsonb_to_recordset(:rows) AS r(
        id uuid, event text, actor uuid, acting_for uuid, detail jsonb, text text)
),
written AS (
    INSERT INTO history (case_id, seq, kind, hop, rank, actor, acting_for, detail, text)
    SELECT c.id, c.seq, i.event, c.hop, c.rank, i.actor, i.acting_for, i.detail, i.text
      FROM input i JOIN cases c ON c.id = i.id
)
INSERT INTO outbox (topic, subject, seq, type, data, traceparent)
SELECT 'case', c.id, c.seq, 'cn.chuishao.routing.case.' || i.event || '.v1', facts(c) || i.detail,
       coalesce(:traceparent, c.traceparent)
  FROM input i JOIN cases c ON c.id = i.id
""").bindparams(bindparam("rows", type_=JSONB))


async def lock_ladder(conn: AsyncConnection) -> None:
    """Before a hop opens: whoever changes posts, absences or the tree waits until it is done, and the other way."""
    await conn.execute(LADDER_SHARED)


async def lock_due(conn: AsyncConnection, batch: int, lanes: int) -> Sequence[Row[Any]]:
    """Locks up to `batch` cases that the clock has to move: emergencies, and those of up to `lanes` of the lanes that
    no other worker has. Gives id, traceparent and by how many seconds each is late."""
    order = random.sample(range(LANES), LANES)  # not all workers begin with the same one
    return (await conn.execute(LOCK_DUE, {"order": order, "lanes": lanes, "batch": batch})).all()


async def move(conn: AsyncConnection, moves: Sequence[dict[str, Any]]) -> Sequence[RowMapping]:
    """Opens hops; see `move.sql` for the fields. The caller holds the ladder and the cases.
    Returns (id, rank, why, from_rank, moved): moved is false for a case that stays, supervised."""
    if not moves:
        return []
    rows = [{"clocks": True, "accepted": False, **m} for m in moves]
    result = await conn.execute(MOVE, {"moves": rows, "traceparent": current_traceparent()})
    note_events(conn)
    moved = result.mappings().all()
    for (rank, why), count in Counted((row["from_rank"], row["why"]) for row in moved).items():
        if why in REASONS:
            ESCALATIONS.labels(LEVEL[rank], why).inc(count)
    return moved


async def tell(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Writes history and event for cases that were changed before in this transaction.
    Rows: id, event, and optionally actor, acting_for, detail (also in the event: never free text), text."""
    if not rows:
        return
    await conn.execute(TELL, {"rows": [{"detail": {}, **r} for r in rows], "traceparent": current_traceparent()})
    note_events(conn)


async def lock_case(conn: AsyncConnection, case: UUID) -> RowMapping | None:
    return (await conn.execute(LOCK_CASE, {"id": case})).mappings().one_or_none()
