-- Messages to look at now, urgent ones first, each with the history of its attempts. Skips what another worker has.
SELECT m.id AS message, m.person, m.template, m.issue, m.params, m.urgent, m.channel, m.traceparent,
       coalesce(h.attempts, '[]') AS attempts
FROM (
    SELECT * FROM message
    WHERE next_attempt_at <= public.clock_now() AND NOT held
    ORDER BY urgent DESC, next_attempt_at LIMIT :batch
    FOR UPDATE SKIP LOCKED
) AS m
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('channel', a.channel, 'n', a.n, 'state', a.state, 'error', a.error,
                                        'at', a.at, 'receipt_by', a.receipt_by)) AS attempts
    FROM attempt a WHERE a.message = m.id
) AS h ON true
ORDER BY m.urgent DESC, m.next_attempt_at
