-- What waited and is due now: per person one message speaks for all (the digest of the morning, the end of a bundle).
WITH due AS (
    SELECT id, reason, template, issue, params,
           first_value(id) OVER (PARTITION BY person ORDER BY created_at, id) AS lead
    FROM message WHERE held AND not_before <= public.clock_now()
), bundle AS (
    SELECT lead,
           count(*) AS size,
           array_agg(DISTINCT issue) AS issues,
           bool_and(reason = 'assigned') AS same,
           jsonb_agg(jsonb_build_object('number', params -> 'number', 'label', params -> 'label',
                                        'reason', reason, 'template', template, 'issue', issue)
                     ORDER BY id) AS items
    FROM due GROUP BY lead
)
UPDATE message m
SET held = false,
    bundle = nullif(b.lead, m.id),
    next_attempt_at = CASE WHEN m.id = b.lead THEN public.clock_now() END,
    issues = CASE WHEN m.id = b.lead THEN b.issues ELSE m.issues END,
    template = CASE WHEN m.id = b.lead AND b.size > 1
                    THEN CASE WHEN b.same THEN 'several' ELSE 'digest' END ELSE m.template END,
    params = CASE WHEN m.id = b.lead AND b.size > 1
                  THEN m.params || jsonb_build_object('items', b.items) ELSE m.params END
FROM due d JOIN bundle b ON b.lead = d.lead
WHERE m.id = d.id
