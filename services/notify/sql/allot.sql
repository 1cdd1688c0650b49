-- Questions just asked, with their two-digit marks: a question asked again keeps its mark, a new one takes a mark that
-- nobody could mean any more (never given to this person, or settled more than 7 days ago). Marks are scattered, so
-- that a slip of the finger hits no other case. Who has none left gets none. One at a time: see MARK_LOCK. The same
-- message sent again, by another channel, asks nothing new. Rows that an event of their case is just changing are left
-- to it: waiting for them could end in a deadlock.
WITH wish AS (
    SELECT DISTINCT ON (person, issue, asks) *
    FROM jsonb_to_recordset(:asked) AS r(person uuid, issue uuid, asks text, message uuid, facts jsonb)
), known AS (
    SELECT q.person, q.issue, q.asks, q.mark
    FROM question q JOIN wish w ON (q.person, q.issue, q.asks) = (w.person, w.issue, w.asks)
), mine AS (
    SELECT q.person, q.mark FROM question q
    WHERE EXISTS (SELECT FROM known k WHERE (k.person, k.mark) = (q.person, q.mark)) FOR UPDATE SKIP LOCKED
), again AS (
    UPDATE question q
    SET message = w.message, asked_at = public.clock_now(), facts = q.facts || w.facts,
        closed_at = CASE WHEN q.message = w.message THEN q.closed_at END,
        pending = CASE WHEN q.message = w.message THEN q.pending END
    FROM mine m, wish w
    WHERE (q.person, q.mark) = (m.person, m.mark) AND (q.person, q.issue, q.asks) = (w.person, w.issue, w.asks)
), fresh AS (
    SELECT w.*, row_number() OVER (PARTITION BY w.person ORDER BY w.issue) AS n
    FROM wish w
    WHERE NOT EXISTS (SELECT FROM known k WHERE (k.person, k.issue, k.asks) = (w.person, w.issue, w.asks))
), dead AS (
    SELECT q.person, q.mark, q.closed_at FROM question q
    WHERE q.person IN (SELECT person FROM fresh) AND q.closed_at < public.clock_now() - interval '7 days'
      AND NOT EXISTS (SELECT FROM known k WHERE (k.person, k.mark) = (q.person, q.mark))
    FOR UPDATE SKIP LOCKED
), free AS (
    SELECT f.person, f.mark, row_number() OVER (PARTITION BY f.person ORDER BY f.since NULLS FIRST, f.mark * 37 % 90) AS n
    FROM (
        SELECT person, mark, closed_at AS since FROM dead
        UNION ALL
        SELECT p.person, m.mark, NULL FROM (SELECT DISTINCT person FROM fresh) AS p, generate_series(10, 99) AS m(mark)
        WHERE NOT EXISTS (SELECT FROM question q WHERE (q.person, q.mark) = (p.person, m.mark))
    ) AS f
), given AS (
    INSERT INTO question AS q (person, mark, issue, asks, message, facts)
    SELECT person, mark, issue, asks, message, facts FROM fresh JOIN free USING (person, n)
    ON CONFLICT (person, mark) DO UPDATE
    SET issue = excluded.issue, asks = excluded.asks, message = excluded.message, asked_at = excluded.asked_at,
        closed_at = NULL, pending = NULL, facts = excluded.facts
    RETURNING q.person, q.issue, q.asks, q.mark
)
SELECT * FROM known UNION ALL SELECT * FROM given
