-- What became of calls: attempts that still waited for it, then their messages. A receipt that was faster has
-- already moved the attempt on, and is left alone. Waits are seconds.
WITH r AS (
    SELECT * FROM jsonb_to_recordset(:results)
        AS r(attempt uuid, state text, ref text, error text, cost numeric, wait float, lease float, again float)
), moved AS (
    UPDATE attempt a
    SET state = r.state, provider_ref = coalesce(r.ref, a.provider_ref),
        -- Whoever was to make the call died before the provider heard of it.
        error = CASE WHEN a.state = 'sending' AND r.error = 'unanswered' THEN 'unsent' ELSE r.error END,
        cost = coalesce(r.cost, a.cost),
        receipt_by = CASE WHEN a.state = 'unknown' AND r.state = 'unknown' THEN a.receipt_by
                          ELSE public.clock_now() + make_interval(secs => r.wait) END,
        lease_until = now() + make_interval(secs => r.lease)
    FROM r WHERE a.id = r.attempt AND a.state IN ('sending', 'unknown')
    RETURNING a.message, a.state, coalesce(public.clock_now() + make_interval(secs => r.again), a.receipt_by) AS again
), late AS (
    UPDATE attempt a SET provider_ref = coalesce(a.provider_ref, r.ref), cost = r.cost
    FROM r WHERE a.id = r.attempt AND a.state NOT IN ('sending', 'unknown')
      AND a.cost IS NULL AND r.cost IS NOT NULL
), told AS (
    SELECT message, bool_or(state = 'sent') AS sent, min(again) AS again FROM moved GROUP BY message
)
UPDATE message m
SET state = CASE WHEN m.state = 'queued' AND t.sent THEN 'sent' ELSE m.state END,
    next_attempt_at = CASE WHEN m.bundle IS NULL THEN least(m.next_attempt_at, t.again) END
FROM told t
WHERE (m.id = t.message OR m.bundle = t.message) AND m.state IN ('queued', 'sent')
