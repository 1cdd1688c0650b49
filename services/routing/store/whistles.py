"""All SQL of whistles."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.store.reading import COMPLAINED_OF, MINE, POSTED
from shared.db import note_events
from shared.telemetry import current_traceparent

# -- reading ------------------------------------------------------------------------------------------------
_WHISTLE = """
SELECT w.*, c.number, c.category, c.urgency, c.origin,
       d.code AS desk_code, d.label AS desk_label, d.level AS desk_level,
       pl.code AS place_code, pl.label AS place_label, public.clock_now() AS now,
       coalesce((SELECT array_agg(side) FROM whistle_ratings r WHERE r.whistle = w.id), '{}') AS rated,
       (SELECT count(*) FROM whistles o WHERE o.lead = w.lead AND o.state NOT IN ('draft', 'confirmed', 'withdrawn'))
           AS load
  FROM whistles w
  JOIN cases c ON c.id = w.case_id
  JOIN directory.v1_grid d ON d.id = w.desk
  JOIN directory.v1_grid pl ON pl.id = w.place
"""
WHISTLE = text(_WHISTLE + " WHERE w.id = :id")
LOCK = text("SELECT id FROM whistles WHERE id = :id FOR UPDATE")
HISTORY = text("""
SELECT h.at, h.kind, h.text, h.detail, p.no AS actor FROM whistle_history h
  LEFT JOIN directory.v1_person p ON p.id = h.actor
 WHERE h.whistle = :id ORDER BY h.id
""")
# What ties a person to a whistle, beside what ties him to its case.
TIES = text("""
SELECT EXISTS (SELECT FROM directory.v1_officer o WHERE o.person = :person AND o.department = w.lead) AS leads,
       EXISTS (SELECT FROM directory.v1_officer o WHERE o.person = :person AND o.department = ANY (w.assisting))
           AS assists,
       EXISTS (SELECT FROM directory.v1_post o WHERE o.person = :person AND o.kind = 'desk' AND o.grid = w.desk)
           AS blew
  FROM whistles w WHERE w.id = :id
""")
# An officer's departments: the cases of their whistles may be read.
WHISTLED = text("""
SELECT EXISTS (SELECT FROM whistle_cases k JOIN whistles w ON w.id = k.whistle
  JOIN directory.v1_officer o ON o.department = w.lead OR o.department = ANY (w.assisting)
 WHERE k.case_id = :case AND o.person = :person AND w.state <> 'draft')
""")
LIST = text(
    MINE
    + _WHISTLE
    + f"""
 WHERE (CAST(:after AS uuid) IS NULL OR w.id > :after)
   AND (CAST(:state AS text) IS NULL OR w.state = :state)
   AND (NOT :mine OR w.state <> 'draft' AND EXISTS (SELECT FROM directory.v1_officer o
        WHERE o.person = :person AND (o.department = w.lead OR o.department = ANY (w.assisting))))
   AND (:everything
        OR w.state <> 'draft' AND EXISTS (SELECT FROM directory.v1_officer o
            WHERE o.person = :person AND (o.department = w.lead OR o.department = ANY (w.assisting)))
        OR {POSTED} AND NOT {COMPLAINED_OF})
 ORDER BY w.id LIMIT :limit
"""
)
OF_CASE = text("SELECT whistle FROM whistle_cases WHERE case_id = :case ORDER BY whistle")
# A case that was added later begins with that; a line names the department that led then.
STORY_OF_CASE = text("""
SELECT h.at, h.kind, coalesce(d.label, later.lead, w.lead) AS department
  FROM whistle_cases k
  JOIN whistles w ON w.id = k.whistle AND w.state <> 'draft'
  JOIN whistle_history h ON h.whistle = w.id
  LEFT JOIN LATERAL (
       SELECT l.detail ->> 'former_lead' AS lead FROM whistle_history l
        WHERE l.whistle = h.whistle AND l.id > h.id AND l.kind = 'decided' AND l.detail ->> 'outcome' = 'reassign'
        ORDER BY l.id LIMIT 1) later ON true
  LEFT JOIN directory.v1_department d ON d.code = coalesce(later.lead, w.lead)
 WHERE k.case_id = :case
   AND NOT (h.kind = 'decided' AND h.detail ->> 'outcome' = 'upheld')
   AND CASE WHEN w.case_id = k.case_id THEN h.kind <> 'added'
       ELSE h.id >= (SELECT min(a.id) FROM whistle_history a
                      WHERE a.whistle = w.id AND a.detail ->> 'added' = CAST(k.case_id AS text))
            AND (h.kind <> 'added' OR h.detail ->> 'added' = CAST(k.case_id AS text)) END
 ORDER BY h.id
""")
DEPARTMENTS = text("SELECT code FROM directory.v1_department WHERE code = ANY(:codes)")
# Where a caller may blow from: his lowest desk above the place, of the ranks the policy allows.
DESK_OF = text("""
SELECT p.up AS grid, p.rank FROM directory.v1_path p JOIN directory.v1_post o ON o.grid = p.up
 WHERE p.grid = :place AND o.person = :person AND o.kind = 'desk' AND p.rank = ANY (:ranks) ORDER BY p.rank LIMIT 1
""")
DESK_ABOVE = text("""
SELECT p.up AS grid, p.rank FROM directory.v1_path p
 WHERE p.grid = :place AND p.rank = ANY (:ranks) ORDER BY p.rank LIMIT 1
""")
LEADS_LARGE = text("""
SELECT EXISTS (SELECT FROM directory.v1_path p JOIN directory.v1_post o ON o.grid = p.up
 WHERE p.grid = :place AND o.person = :person AND p.rank = 4 AND o.kind IN ('leader', 'party'))
""")
# Open, for the same place and lead, blown within the addition's time.
SAME = text("""
SELECT id FROM whistles
 WHERE place = :place AND lead = :lead AND state NOT IN ('draft', 'confirmed', 'withdrawn')
   AND blown_at > public.clock_now() - :within * interval '1 microsecond'
 ORDER BY blown_at LIMIT 1 FOR UPDATE
""")
# One at a time blows at a place or acts on its whistles: two who blow at once would both find no first one, and a
# whistle holds several cases, all of this place, which nobody could lock in one order.
LOCK_PLACE = text("SELECT pg_advisory_xact_lock(hashtextextended(place::text, 1)) FROM cases WHERE id = :case")
OPEN_OF_CASE = text("""
SELECT w.id FROM whistle_cases k JOIN whistles w ON w.id = k.whistle
 WHERE k.case_id = :case AND w.state NOT IN ('draft', 'confirmed', 'withdrawn')
""")
CASES_OF = text("SELECT case_id FROM whistle_cases WHERE whistle = :id")

# -- writing ------------------------------------------------------------------------------------------------
INSERT = text("""
INSERT INTO whistles (id, case_id, place, occasion, state, lead, assisting, text, desk, desk_rank, blown_by, policy)
VALUES (:id, :case, :place, :occasion, :state, :lead, :assisting, :text, :desk, :desk_rank, :blown_by, :policy)
""")
ADD_CASE = text("INSERT INTO whistle_cases (whistle, case_id) VALUES (:id, :case) ON CONFLICT DO NOTHING")
ADD_ASSISTING = text("""
UPDATE whistles SET assisting = assisting || ARRAY(
       SELECT m.code FROM unnest(CAST(:more AS text[])) WITH ORDINALITY AS m(code, n)
        WHERE m.code <> lead AND m.code <> ALL (assisting) ORDER BY m.n)
 WHERE id = :id
""")
_FROM_NOW = "public.due(:calendar, public.clock_now(), CAST(:term AS bigint))"
# A fresh term: nothing is overdue any more, and nobody has to look after it.
_IN_TIME = "overdue = NULL, supervised_at = NULL, supervised_why = NULL"
# The lead's clock to report in, and the 150 % and 200 % of it.
START_REPORT_IN = text(f"""
UPDATE whistles SET state = 'blown', blown_at = public.clock_now(), report_in_by = {_FROM_NOW}, {_IN_TIME},
       red_at = public.due(:calendar, public.clock_now(), CAST(:term AS bigint) * 3 / 2),
       supervise_at = public.due(:calendar, public.clock_now(), CAST(:term AS bigint) * 2),
       lead = :lead, version = version + 1
 WHERE id = :id
""")
STATE = text("UPDATE whistles SET state = :state, version = version + 1 WHERE id = :id")
REPORT_IN = text("""
UPDATE whistles SET state = 'reported_in', reported_in_at = :at, reported_in_person = :person, version = version + 1
 WHERE id = :id
""")
START_RESULT = text(f"""
UPDATE whistles SET result_by = {_FROM_NOW}, confirm_by = NULL, {_IN_TIME},
       red_at = public.due(:calendar, public.clock_now(), CAST(:term AS bigint) * 3 / 2), supervise_at = NULL
 WHERE id = :id
""")
START_CONFIRM = text(f"""
UPDATE whistles SET state = 'result', confirm_by = {_FROM_NOW}, overdue = NULL, version = version + 1 WHERE id = :id
""")
RETURN = text("UPDATE whistles SET state = 'reported_in', returns = returns + 1, version = version + 1 WHERE id = :id")
DISPUTE = text(f"""
UPDATE whistles SET disputed = true, dispute_used = true, decide_by = {_FROM_NOW}, version = version + 1
 WHERE id = :id
""")
UPHOLD = text("UPDATE whistles SET disputed = false, decide_by = NULL, version = version + 1 WHERE id = :id")
REASSIGN = text("""
UPDATE whistles SET disputed = false, decide_by = NULL, dispute_used = false, transfers = transfers + 1,
       extended = false, assisting = array_remove(assisting, :lead), result_by = NULL, reported_in_at = NULL,
       reported_in_person = NULL
 WHERE id = :id
""")
EXTEND = text("""
UPDATE whistles SET extended = true, result_by = CAST(:until AS timestamptz), overdue = NULL,
       red_at = CAST(:until AS timestamptz) + (CAST(:until AS timestamptz) - public.clock_now()) / 2,
       version = version + 1
 WHERE id = :id
""")
RATE = text("INSERT INTO whistle_ratings (whistle, side, score, comment) VALUES (:id, :side, :score, :comment)")
# Of a case that is over: what no open case needs any more.
WITHDRAW_OF_CASE = text("""
UPDATE whistles w SET state = 'withdrawn', version = version + 1
 WHERE state NOT IN ('confirmed', 'withdrawn')
   AND EXISTS (SELECT FROM whistle_cases k WHERE k.whistle = w.id AND k.case_id = :case)
   AND NOT EXISTS (SELECT FROM whistle_cases k JOIN cases c ON c.id = k.case_id
                    WHERE k.whistle = w.id AND c.phase IN ('assigned', 'accepted'))
RETURNING w.id, old.state <> 'draft' AS heard
""")
HOLD = text("""
UPDATE cases SET seq = seq + 1, version = version + 1, on_hold = :why,
       accept_left = CASE WHEN accept_by IS NULL THEN accept_left
           ELSE greatest(0, accept_left - public.open_between(accept_calendar, accept_since, public.clock_now())) END,
       resolve_left = CASE WHEN resolve_by IS NULL THEN resolve_left
           ELSE greatest(0, resolve_left
               - public.open_between(resolve_calendar, resolve_since, public.clock_now())) END,
       accept_by = NULL, accept_remind = NULL, resolve_by = NULL, resolve_remind = NULL, wait_by = NULL, nags = '{}'
 WHERE id = ANY(:ids) AND on_hold IS DISTINCT FROM :why AND phase IN ('assigned', 'accepted')
RETURNING id
""")
# What is left of the whistler's own term, but at least the policy's rest.
REST = text("""
UPDATE cases SET resolve_left = greatest(resolve_left, :rest)
 WHERE id = ANY(:ids) AND resolve_left IS NOT NULL
""")
SET_TOPIC = text("UPDATE cases SET topic = :topic WHERE id = :id")
# Due stages: the highest one that is due, at once. Cases are locked before whistles, as everywhere; an event counts
# on its case.
CHASE = text("""
WITH due AS (
    SELECT w.id FROM cases c JOIN whistles w ON w.case_id = c.id
     WHERE w.next_at <= public.clock_now() ORDER BY w.next_at LIMIT :batch
       FOR UPDATE OF c, w SKIP LOCKED
)
UPDATE whistles w SET
       overdue = CASE WHEN w.state = 'result' THEN w.overdue
                      WHEN w.supervise_at <= public.clock_now() THEN 'supervision'
                      WHEN w.red_at <= public.clock_now() THEN 'red' ELSE 'yellow' END,
       supervised_why = CASE WHEN w.state = 'result' THEN 'unconfirmed'
                             WHEN w.supervise_at <= public.clock_now() THEN 'report_in' ELSE w.supervised_why END,
       supervised_at = CASE WHEN w.state = 'result' OR w.supervise_at <= public.clock_now()
                            THEN public.clock_now() ELSE w.supervised_at END
  FROM due d WHERE w.id = d.id
RETURNING w.id, w.state, w.overdue, w.supervised_why
""")
NEXT = text(
    "SELECT extract(epoch FROM min(next_at) - public.clock_now())::float FROM whistles WHERE next_at IS NOT NULL"
)
# History and event of whistles that were changed before in this transaction; events count per case.
TELL = text("""
WITH input AS (
    SELECT * FROM jsonb_to_recordset(:rows) AS r(
        id uuid, event text, actor uuid, detail jsonb, text text)
),
counted AS (
    UPDATE cases c SET whistle_seq = c.whistle_seq + 1
      FROM input i JOIN whistles w ON w.id = i.id WHERE c.id = w.case_id
    RETURNING c.id, c.whistle_seq
),
written AS (
    INSERT INTO whistle_history (whistle, kind, actor, detail, text)
    SELECT id, event, actor, detail, text FROM input
)
INSERT INTO outbox (topic, subject, seq, type, data, traceparent)
SELECT 'whistle', w.case_id, k.whistle_seq, 'cn.chuishao.routing.whistle.' || i.event || '.v1',
       whistle_facts(w, c) || jsonb_build_object('by', i.actor) || i.detail, coalesce(:traceparent, c.traceparent)
  FROM input i JOIN whistles w ON w.id = i.id JOIN cases c ON c.id = w.case_id JOIN counted k ON k.id = w.case_id
""").bindparams(bindparam("rows", type_=JSONB))
NOTE = text("INSERT INTO whistle_history (whistle, kind, actor, text) VALUES (:id, :kind, :actor, :text)")
SUPERVISED = text("""
SELECT w.id, w.supervised_why AS why, w.supervised_at AS since, g.code AS grid
  FROM whistles w JOIN directory.v1_grid g ON g.id = w.desk
 WHERE w.supervised_at IS NOT NULL
   AND CASE w.supervised_why WHEN 'report_in' THEN w.state IN ('blown', 'acknowledged') ELSE w.state = 'result' END
   AND (CAST(:grid AS uuid) IS NULL OR EXISTS (
        SELECT FROM directory.v1_path p WHERE p.grid = w.place AND p.up = :grid))
   AND (:everything OR EXISTS (
        SELECT FROM directory.v1_path p JOIN directory.v1_post o ON o.grid = p.up
         WHERE p.grid = w.place AND o.kind = 'desk' AND o.person = :person))
 ORDER BY w.supervised_at, w.id
""")


async def tell(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Writes history and event, one whistle of a case at a time. Rows: id, event, actor, detail (also in the event:
    never free text), text."""
    for row in rows:
        full = {"actor": None, "detail": {}, "text": None, **row}
        await conn.execute(TELL, {"rows": [full], "traceparent": current_traceparent()})
    if rows:
        note_events(conn)


async def whistle(conn: AsyncConnection, id_: UUID) -> RowMapping | None:
    return (await conn.execute(WHISTLE, {"id": id_})).mappings().one_or_none()


async def lock_place(conn: AsyncConnection, case: UUID) -> None:
    """After the ladder, before the case: whoever may change whistles at the case's place goes one at a time."""
    await conn.execute(LOCK_PLACE, {"case": case})


async def lock(conn: AsyncConnection, id_: UUID) -> RowMapping | None:
    return (await conn.execute(LOCK, {"id": id_})).mappings().one_or_none()


async def history(conn: AsyncConnection, id_: UUID) -> Sequence[RowMapping]:
    return (await conn.execute(HISTORY, {"id": id_})).mappings().all()


async def scalars(conn: AsyncConnection, statement: Any, **values: Any) -> list[Any]:
    """The first column of every row."""
    return list((await conn.execute(statement, values)).scalars())
