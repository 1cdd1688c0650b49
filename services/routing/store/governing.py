"""Statements about policies, calendars and maintenance: what an administrator decides."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

AS_ROUTING = text("SET LOCAL search_path = routing, public")
# Two who save at once: each sees what the other did.
LOCK = text("SELECT pg_advisory_xact_lock(hashtext('routing.governing'))")
DECIDE = text(
    "INSERT INTO decisions (by, act, policy, detail, reason) VALUES (:by, :act, :policy, :detail, :reason)"
).bindparams(bindparam("detail", type_=JSONB))

# -- policies -------------------------------------------------------------------------------------------
SAVE_POLICY = text(
    "INSERT INTO policy (id, name, body, night_urgencies, night_from, night_until, source)"
    " VALUES (:id, :name, :body, :night_urgencies, :night_from, :night_until, :source) ON CONFLICT (id) DO NOTHING"
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
# A policy, who saved it first, and why it was put in force last.
_POLICY = """
SELECT p.id, p.name, p.created_at, first.by AS created_by, f.policy IS NOT NULL AS in_force, last.reason
  FROM policy p
  LEFT JOIN policy_in_force f ON f.policy = p.id
  LEFT JOIN LATERAL (SELECT by FROM decisions d WHERE d.policy = p.id AND d.act = 'policy'
                      ORDER BY d.id LIMIT 1) first ON true
  LEFT JOIN LATERAL (SELECT reason FROM decisions d WHERE d.policy = p.id AND d.act = 'policy'
                      ORDER BY d.id DESC LIMIT 1) last ON true
"""
POLICIES = text(
    _POLICY
    + """
 WHERE (CAST(:after AS timestamptz) IS NULL OR (p.created_at, p.id) > (:after, CAST(:after_id AS text)))
 ORDER BY p.created_at, p.id LIMIT :limit
"""
)
POLICY = text(_POLICY.replace("last.reason\n", "last.reason, p.body, p.source\n") + " WHERE p.id = :id")

# -- another policy for open cases ------------------------------------------------------------------------
# Who does not have `to` yet, of policy `from_` or of any.
LOCK_OTHERS = text("""
SELECT id FROM cases
 WHERE phase <> 'closed' AND policy <> :to AND (CAST(:from_ AS text) IS NULL OR policy = :from_)
 ORDER BY id LIMIT :batch FOR UPDATE
""")
_CLOCK = """
       {which}_calendar = CASE WHEN {has} THEN t.{which}_calendar END,
       {which}_since = c.{which}_since,
       {which}_term = CASE WHEN {has} THEN t.{which}_term END,
       {which}_left = CASE WHEN {has} THEN {left} END,
       {which}_by = CASE WHEN c.{which}_by IS NOT NULL THEN public.due(t.{which}_calendar, c.{which}_since, {left}) END,
       {which}_remind = CASE WHEN c.{which}_remind IS NOT NULL AND {left} > t.{which}_term / 4
           THEN public.due(t.{which}_calendar, c.{which}_since, {left} - t.{which}_term / 4) END"""


def _clock(which: str) -> str:
    """A clock goes on from where it began: the new term, less what was used of the old one before."""
    left = f"greatest(0, t.{which}_term - greatest(0, c.{which}_term - c.{which}_left))"
    return _CLOCK.format(which=which, left=left, has=f"c.{which}_left IS NOT NULL")


# `:categories` have terms of their own under `:to`; `:totals`: what is promised by class. A deadline that was agreed
# upon (extend) stays.
REAPPLY = text(f"""
UPDATE cases c SET
       seq = c.seq + 1, policy = :to, class = n.class,
       promised_by = CASE WHEN c.origin = 'issue' THEN c.opened_at + n.total * interval '1 microsecond'
                          ELSE c.promised_by END,{_clock("accept")},{_clock("resolve")}
  FROM cases o
 CROSS JOIN LATERAL (SELECT CASE WHEN o.category = ANY (CAST(:categories AS text[])) THEN o.category
                                 ELSE o.urgency END AS class) k
  JOIN jsonb_to_recordset(:totals) AS n(class text, total bigint) ON n.class = k.class
  LEFT JOIN term new_term ON new_term.policy = :to AND new_term.class = n.class AND new_term.rank = o.rank
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM requests e WHERE e.case_id = o.id AND e.hop = o.hop
                                       AND e.kind = 'extend' AND e.granted) AS by_hand) extended
 CROSS JOIN LATERAL (SELECT new_term.accept_calendar, new_term.accept_term,
                            CASE WHEN by_hand THEN o.resolve_calendar
                                 ELSE new_term.resolve_calendar END AS resolve_calendar,
                            CASE WHEN by_hand THEN o.resolve_term ELSE new_term.resolve_term END AS resolve_term) t
 WHERE c.id = o.id AND c.id = ANY (:ids)
RETURNING c.id, old.policy AS before
""").bindparams(bindparam("totals", type_=JSONB))

# -- calendars ----------------------------------------------------------------------------------------------
CALENDARS = text("SELECT id, hours, days FROM calendar ORDER BY id")
ADD_CALENDAR = text("INSERT INTO calendar (id, hours, days) VALUES (:id, :hours, :days) ON CONFLICT DO NOTHING")
YEARS = text("SELECT year, holidays, workdays FROM published_year ORDER BY year")
SAVE_YEAR = text("""
INSERT INTO published_year (year, holidays, workdays) VALUES (:year, :holidays, :workdays)
ON CONFLICT (year) DO UPDATE SET holidays = excluded.holidays, workdays = excluded.workdays
""")
DAYS = text("SELECT day, open FROM district_day ORDER BY day")
SAVE_DAY = text(
    "INSERT INTO district_day (day, open) VALUES (:day, :open) ON CONFLICT (day) DO UPDATE SET open = excluded.open"
)
DROP_DAY = text("DELETE FROM district_day WHERE day = :day")
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

# -- maintenance --------------------------------------------------------------------------------------------
MAINTENANCE = text("SELECT since, by, reason FROM maintenance")
BEGIN_MAINTENANCE = text(
    "INSERT INTO maintenance (by, reason) VALUES (:by, :reason) ON CONFLICT (one) DO NOTHING RETURNING since"
)
END_MAINTENANCE = text("DELETE FROM maintenance RETURNING since")
# Everything that ran meanwhile begins anew: a full term where the case is. What waits for a resident, and what a
# department has, gets back the time that has passed. A promise to the resident, and the day a case wakes, stay.
RENEW = text("""
WITH now AS MATERIALIZED (SELECT public.clock_now() AS at),
terms AS MATERIALIZED (
    SELECT k.*, public.due(k.accept_calendar, now.at, k.accept_term) AS accept_by,
           public.due(k.accept_calendar, now.at, k.accept_term - k.accept_term / 4) AS accept_remind,
           public.due(k.resolve_calendar, now.at, k.resolve_term) AS resolve_by,
           public.due(k.resolve_calendar, now.at, k.resolve_term - k.resolve_term / 4) AS resolve_remind
      FROM (SELECT DISTINCT accept_calendar, accept_term, resolve_calendar, resolve_term FROM cases
             WHERE accept_by IS NOT NULL OR resolve_by IS NOT NULL) k CROSS JOIN now
)
UPDATE cases c SET seq = c.seq + 1,
       accept_since = CASE WHEN c.accept_by IS NULL THEN c.accept_since ELSE now.at END,
       accept_left = CASE WHEN c.accept_by IS NULL THEN c.accept_left ELSE c.accept_term END,
       accept_by = CASE WHEN c.accept_by IS NOT NULL THEN t.accept_by END,
       accept_remind = CASE WHEN c.accept_by IS NOT NULL THEN t.accept_remind END,
       resolve_since = CASE WHEN c.resolve_by IS NULL THEN c.resolve_since ELSE now.at END,
       resolve_left = CASE WHEN c.resolve_by IS NULL THEN c.resolve_left ELSE c.resolve_term END,
       resolve_by = CASE WHEN c.resolve_by IS NOT NULL THEN t.resolve_by END,
       resolve_remind = CASE WHEN c.resolve_by IS NOT NULL THEN t.resolve_remind END
  FROM terms t CROSS JOIN now
 WHERE (c.accept_by IS NOT NULL OR c.resolve_by IS NOT NULL)
   AND (c.accept_calendar, c.accept_term, c.resolve_calendar, c.resolve_term)
       IS NOT DISTINCT FROM (t.accept_calendar, t.accept_term, t.resolve_calendar, t.resolve_term)
RETURNING c.id
""")
WAIT_LONGER = text("""
UPDATE cases SET wait_by = wait_by + lost.time, nags = ARRAY(SELECT n + lost.time FROM unnest(nags) n)
  FROM (SELECT public.clock_now() - CAST(:since AS timestamptz) AS time) lost
 WHERE wait_by IS NOT NULL AND on_hold IS DISTINCT FROM 'suspended'
""")
WHISTLES_LONGER = text("""
UPDATE whistles SET report_in_by = report_in_by + lost.time, result_by = result_by + lost.time,
       confirm_by = confirm_by + lost.time, decide_by = decide_by + lost.time, red_at = red_at + lost.time,
       supervise_at = supervise_at + lost.time
  FROM (SELECT public.clock_now() - CAST(:since AS timestamptz) AS time) lost
 WHERE next_at IS NOT NULL
""")
REVIEWS_LONGER = text(
    "UPDATE supervised SET review_at = review_at + (public.clock_now() - CAST(:since AS timestamptz))"
)
