"""Statements about reports that are one thing, at once (storms) or again and again (recurrences)."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

# One at a time counts, and folds, what comes of one item under one grid.
LOCK_KINDS = text("SELECT pg_advisory_xact_lock(hashtextextended(kind, 2)) FROM unnest(CAST(:kinds AS text[])) AS kind")
NODES = text("""
SELECT r.id, r.category, p.up AS node
  FROM jsonb_to_recordset(:rows) AS r(id uuid, category text, place uuid)
  JOIN directory.v1_path p ON p.grid = r.place AND p.rank = :rank
""").bindparams(bindparam("rows", type_=JSONB))
FORGET_OLD = text("""
DELETE FROM alike a USING jsonb_to_recordset(:kinds) AS k(node uuid, category text)
 WHERE a.node = k.node AND a.category = k.category AND a.at <= public.clock_now() - :within * interval '1 microsecond'
""").bindparams(bindparam("kinds", type_=JSONB))
NOTE = text("""
INSERT INTO alike (node, category, at, case_id)
SELECT r.node, r.category, public.clock_now(), r.id
  FROM jsonb_to_recordset(:rows) AS r(id uuid, category text, node uuid)
""").bindparams(bindparam("rows", type_=JSONB))
# Storms that are on: their last report is not old, and the case they fold into is open (or the one that follows).
ON = text("""
WITH RECURSIVE chain AS (
    SELECT s.node, s.category, s.lead FROM storms s
      JOIN jsonb_to_recordset(:kinds) AS k(node uuid, category text) ON k.node = s.node AND k.category = s.category
     WHERE s.last > public.clock_now() - :within * interval '1 microsecond'
     UNION ALL
    SELECT h.node, h.category, c.merged_into FROM chain h JOIN cases c ON c.id = h.lead WHERE c.merged_into IS NOT NULL
)
SELECT h.node, h.category, h.lead FROM chain h
  JOIN cases c ON c.id = h.lead AND c.phase IN ('assigned', 'accepted')
""").bindparams(bindparam("kinds", type_=JSONB))
# Kinds of which there are enough by now, each with its reports, the earliest first.
MANY = text("""
SELECT a.node, a.category, array_agg(a.case_id ORDER BY a.at, a.case_id) AS cases
  FROM alike a
  JOIN jsonb_to_recordset(:kinds) AS k(node uuid, category text) ON k.node = a.node AND k.category = a.category
 WHERE a.at > public.clock_now() - :within * interval '1 microsecond'
 GROUP BY a.node, a.category HAVING count(*) >= :reports
""").bindparams(bindparam("kinds", type_=JSONB))
LOCK_CASES = text("SELECT * FROM cases WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")
BEGIN = text("""
INSERT INTO storms (node, category, lead, last) VALUES (:node, :category, :lead, public.clock_now())
    ON CONFLICT (node, category) DO UPDATE SET lead = excluded.lead, last = excluded.last
""")
FORGET = text("DELETE FROM alike WHERE node = :node AND category = :category AND case_id = ANY(:ids)")
PLACE_LEAD = text("UPDATE cases SET place = :place WHERE id = :id")
# What folds as it comes was never in anybody's hand: it shows the hand of the case it follows.
TAKE_HAND = text("""
UPDATE cases c SET merged_into = l.id, rank = l.rank, grid = l.grid, holder_kind = l.holder_kind,
       holder_person = l.holder_person, holder_post = l.holder_post
  FROM cases l WHERE l.id = :lead AND c.id = ANY(:ids)
""")
# What was handled at these places before: the same item, the same place, and an end that somebody worked for.
EARLIER = text("""
SELECT k.place, k.category, array_agg(c.id ORDER BY c.id) AS cases
  FROM jsonb_to_recordset(:kinds) AS k(place uuid, category text)
  JOIN cases c ON c.place = k.place AND c.category = k.category
 WHERE c.phase = 'closed' AND c.closed_how IN ('confirmed', 'unanswered', 'own')
   AND c.opened_at > public.clock_now() - :within * interval '1 microsecond'
 GROUP BY k.place, k.category HAVING count(*) >= :times
""").bindparams(bindparam("kinds", type_=JSONB))
ATTACH = text("""
INSERT INTO recurrences (case_id, previous)
SELECT r.id, r.previous FROM jsonb_to_recordset(:rows) AS r(id uuid, previous uuid[])
    ON CONFLICT DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))
PREVIOUS = text("SELECT unnest(previous) FROM recurrences WHERE case_id = :id")
