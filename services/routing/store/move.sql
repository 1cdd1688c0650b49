-- Opens a hop for every case of :moves, in one statement: pick -> skipped -> case -> hops -> history -> outbox.
-- The caller has locked LADDER (shared) and the cases, each as its own statement before.
--
-- :moves is [{id, event, why, first, top, accepted, clocks, to_rank, to_grid, to_person, to_post, actor, text}]:
--   why      how the present hop ends (hops.ended_by); NULL for a clock: whichever of the two is due
--   first    lowest rank that may take it; NULL = one above the present
--   top      highest rank that may take it
--   traceparent  the span that moves it; NULL: the caller's, or if it is the clock's doing, the trace of the case itself
--   to_*     a holder that is known (claim, own find): nothing is picked
-- A case with nobody up to `top` goes onto the supervision list and stays, without deadlines.
WITH input AS (
    SELECT r.*, now.at AS now
      FROM jsonb_to_recordset(:moves) AS r(
               id uuid, event text, why text, first int, top int, accepted boolean, clocks boolean,
               to_rank int, to_grid uuid, to_person uuid, to_post text, actor uuid, acting_for uuid, text text,
               count int, traceparent text)
     CROSS JOIN (SELECT public.clock_now() AS at) AS now
),
moving AS (
    SELECT i.id, i.event, i.now, i.accepted, i.clocks, i.to_rank, i.to_grid, i.to_person, i.to_post,
           i.actor, i.acting_for, i.text, i.count,
           coalesce(i.traceparent, :traceparent, c.traceparent) AS traceparent,
           coalesce(i.why, CASE WHEN c.accept_by <= i.now THEN 'accept_timeout' ELSE 'resolve_timeout' END) AS why,
           coalesce(i.first, c.rank + 1) AS first, i.top,
           c.place, c.placed AND c.about_leader AS about_leader, c.policy, c.class, c.rank AS from_rank, c.hop AS from_hop, c.recused,
           CASE WHEN c.holder_person IS NULL THEN c.passed ELSE c.passed || c.holder_person END AS passed,
           CASE WHEN c.holder_person IS NULL THEN c.passed_rank ELSE c.passed_rank || c.rank END AS passed_rank,
           -- A window over midnight is open when either of its ends is passed.
           coalesce(c.urgency = ANY (o.night_urgencies) AND CASE WHEN o.night_from > o.night_until
               THEN here.t >= o.night_from OR here.t < o.night_until
               ELSE here.t >= o.night_from AND here.t < o.night_until END, false) AS night
      FROM input i
      JOIN cases c ON c.id = i.id
      JOIN policy o ON o.id = c.policy
     CROSS JOIN LATERAL (SELECT (i.now AT TIME ZONE 'Asia/Shanghai')::time AS t) here
),
taken AS (
    SELECT m.id, pick.rank, pick.grid, pick.kind, pick.person, pick.post
      FROM moving m
     CROSS JOIN LATERAL ( -- in the order of the index on path: the climb ends at the first level that fits
           SELECT p.rank, p.up AS grid, f.kind, f.person, f.post
             FROM directory.v1_path p
            CROSS JOIN LATERAL (
                  SELECT c.kind, seat.person, (ARRAY['leader', 'party', 'desk'])[c.ord] AS post
                    FROM {seat} WHERE c.grid = p.up AND {fits} ORDER BY c.ord LIMIT 1
                  ) f
            WHERE m.to_rank IS NULL AND p.grid = m.place AND p.rank BETWEEN m.first AND m.top
              AND (p.rank >= 5 OR NOT m.night)
            ORDER BY p.rank LIMIT 1
           ) pick
    UNION ALL
    SELECT m.id, m.to_rank, m.to_grid, CASE WHEN m.to_person IS NULL THEN 'desk' ELSE 'person' END,
           m.to_person, m.to_post
      FROM moving m WHERE m.to_rank IS NOT NULL
),
skipped AS (
    SELECT m.id, p.rank, p.up AS grid, m.now, first.person,
           m.from_hop + row_number() OVER (PARTITION BY m.id ORDER BY p.rank) AS hop,
           CASE WHEN m.night AND fit.found THEN 'night' ELSE coalesce(first.reason, 'vacant') END AS reason
      FROM moving m
      JOIN taken t ON t.id = m.id AND m.to_rank IS NULL
      JOIN directory.v1_path p ON p.grid = m.place AND p.rank >= m.first AND p.rank < t.rank
      LEFT JOIN LATERAL (
           SELECT true AS found, seat.person FROM {seat} WHERE m.night AND c.grid = p.up AND {fits}
            ORDER BY c.ord LIMIT 1
           ) fit ON true
      LEFT JOIN LATERAL (
           SELECT coalesce(fit.person, c.person) AS person, {reason} AS reason
             FROM {seat} WHERE c.grid = p.up ORDER BY c.ord LIMIT 1
           ) first ON true
),
leaps AS (
    SELECT id, count(*)::int AS n,
           jsonb_agg(jsonb_build_object('hop', hop, 'level', level_of(rank), 'grid', grid, 'reason', reason,
                                        'person', person) ORDER BY rank) AS skipped
      FROM skipped GROUP BY id
),
terms AS MATERIALIZED ( -- once per policy, class and rank, never per case
    SELECT g.policy, g.class, g.rank, t.accept_calendar, t.accept_term, t.resolve_calendar, t.resolve_term,
           public.due(t.accept_calendar, g.now, t.accept_term) AS accept_by,
           public.due(t.accept_calendar, g.now, t.accept_term - t.accept_term / 4) AS accept_remind,
           public.due(t.resolve_calendar, g.now, t.resolve_term) AS resolve_by,
           public.due(t.resolve_calendar, g.now, t.resolve_term - t.resolve_term / 4) AS resolve_remind
      FROM (SELECT DISTINCT m.policy, m.class, t.rank, m.now FROM moving m JOIN taken t USING (id)) g
      JOIN term t ON t.policy = g.policy AND t.class = g.class AND t.rank = g.rank
),
moved AS (
    UPDATE cases c SET
           seq = c.seq + 1, version = c.version + 1,
           phase = CASE WHEN m.accepted THEN 'accepted' ELSE 'assigned' END,
           on_hold = NULL, closed_how = NULL, closed_at = NULL, wait_by = NULL, nags = '{}', nagged = 0,
           hop = c.hop + coalesce(l.n, 0) + 1,
           rank = t.rank, grid = t.grid, holder_kind = t.kind, holder_person = t.person, holder_post = t.post,
           accepted_at = CASE WHEN m.accepted THEN m.now END,
           passed = m.passed, passed_rank = m.passed_rank,
           accept_calendar = k.accept_calendar, accept_since = m.now, accept_term = k.accept_term,
           accept_left = CASE WHEN m.accepted THEN NULL ELSE k.accept_term END,
           accept_by = CASE WHEN m.accepted THEN NULL ELSE k.accept_by END,
           accept_remind = CASE WHEN m.accepted THEN NULL ELSE k.accept_remind END,
           resolve_calendar = k.resolve_calendar, resolve_since = m.now, resolve_term = k.resolve_term,
           resolve_left = k.resolve_term, resolve_by = k.resolve_by, resolve_remind = k.resolve_remind
      FROM moving m
      JOIN taken t USING (id)
      LEFT JOIN leaps l USING (id)
      LEFT JOIN terms k ON k.policy = m.policy AND k.class = m.class AND k.rank = t.rank AND m.clocks
     WHERE c.id = m.id
    RETURNING c.id, c.seq, c.hop, c.rank, c.grid, c.holder_kind, c.holder_person, c.holder_post, c.accepted_at,
           m.now, m.event, m.why, m.from_rank, m.from_hop, m.actor, m.acting_for, m.text, m.traceparent,
           coalesce(l.skipped, '[]') AS skipped,
           facts(c) || jsonb_build_object(
               'reason', m.why, 'from_level', level_of(m.from_rank), 'from_hop', m.from_hop, 'by', m.actor,
               'count', m.count, 'skipped', coalesce(l.skipped, '[]')) AS data
),
stuck AS (
    UPDATE cases c SET
           seq = c.seq + 1, accept_by = NULL, accept_remind = NULL, resolve_by = NULL, resolve_remind = NULL,
           accept_left = NULL, resolve_left = NULL,
           supervised_at = coalesce(c.supervised_at, m.now), supervised_why = coalesce(c.supervised_why, 'timeout')
      FROM moving m
     WHERE c.id = m.id AND NOT EXISTS (SELECT FROM taken t WHERE t.id = m.id)
    RETURNING c.id, c.seq, c.hop, c.rank, m.now, m.event, m.why, m.from_rank, m.traceparent,
           facts(c) || jsonb_build_object('why', 'timeout') AS data
),
ended AS (
    UPDATE hops h SET until = v.now, ended_by = v.why
      FROM moved v WHERE h.case_id = v.id AND h.hop = v.from_hop AND h.until IS NULL
),
opened AS (
    INSERT INTO hops (case_id, hop, rank, grid, holder_kind, holder_person, holder_post, since, until, skipped,
                      accepted_at)
    SELECT id, hop, rank, grid, holder_kind, holder_person, holder_post, now, NULL, NULL, accepted_at FROM moved
    UNION ALL
    SELECT id, hop, rank, grid, NULL, NULL, NULL, now, now, reason, NULL FROM skipped
),
written AS (
    INSERT INTO history (case_id, seq, at, kind, hop, rank, actor, acting_for, detail, text)
    SELECT id, seq, now, event, hop, rank, actor, acting_for,
           jsonb_build_object('reason', why, 'from_rank', from_rank, 'skipped', jsonb_array_length(skipped)), text
      FROM moved
    UNION ALL
    SELECT id, seq, now, 'supervised', hop, rank, NULL, NULL, jsonb_build_object('why', 'timeout', 'reason', why),
           NULL
      FROM stuck
),
told AS (
    INSERT INTO outbox (topic, subject, seq, type, at, data, traceparent)
    SELECT 'case', id, seq, 'cn.chuishao.routing.case.' || event || '.v1', now, data, traceparent FROM moved
    UNION ALL
    SELECT 'case', id, seq, 'cn.chuishao.routing.case.supervised.v1', now, data, traceparent FROM stuck
)
SELECT id, rank, why, from_rank, true AS moved FROM moved UNION ALL SELECT id, rank, why, from_rank, false FROM stuck
