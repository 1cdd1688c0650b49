-- Messages to look at now, each with the history of its attempts. Urgent ones first; among equals everybody's first before
-- anybody's second, so that 300 for one person hold up no other's by more than one. The turns are dealt among the first
-- :ahead that are due: what it costs has a limit, however much has piled up. Skips what another worker has.
WITH turns AS MATERIALIZED (
    SELECT id, urgent, next_attempt_at,
           row_number() OVER (PARTITION BY person ORDER BY urgent DESC, next_attempt_at, id) AS turn
    FROM (
        SELECT id, person, urgent, next_attempt_at FROM message
        WHERE next_attempt_at <= public.clock_now() AND NOT held
        ORDER BY urgent DESC, next_attempt_at LIMIT :ahead
    ) AS ahead
)
SELECT m.id AS message, m.person, m.template, m.issue, m.params, m.urgent, m.channel, m.traceparent,
       coalesce(h.attempts, '[]') AS attempts
FROM (
    SELECT m.*, t.turn FROM turns AS t JOIN message AS m ON m.id = t.id
    WHERE m.next_attempt_at <= public.clock_now() AND NOT m.held
    ORDER BY t.urgent DESC, t.turn, t.next_attempt_at, t.id LIMIT :batch
    FOR UPDATE OF m SKIP LOCKED
) AS m
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('channel', a.channel, 'n', a.n, 'state', a.state, 'error', a.error,
                                        'at', a.at, 'receipt_by', a.receipt_by)) AS attempts
    FROM attempt a WHERE a.message = m.id
) AS h ON true
ORDER BY m.urgent DESC, m.turn, m.next_attempt_at, m.id
