-- Receipts applied to their attempts: found by the provider's number, or (a receipt faster than the answer to the
-- call) by our own. An attempt that has ended stays as it is.
WITH r AS (
    SELECT DISTINCT ON (r.provider, r.ref) r.*
    FROM jsonb_to_recordset(:receipts)
        AS r(provider text, ref text, out_id uuid, delivered boolean, code text)
    ORDER BY r.provider, r.ref, r.delivered DESC
), hit AS (
    SELECT DISTINCT ON (a.id) a.id, r.delivered, r.code, r.ref
    FROM r JOIN attempt a ON a.provider = r.provider
        AND (a.provider_ref = r.ref OR (a.provider_ref IS NULL AND a.message = r.out_id))
    ORDER BY a.id, r.delivered DESC
)
UPDATE attempt a
SET state = CASE WHEN h.delivered THEN 'delivered' ELSE 'failed' END,
    error = CASE WHEN h.delivered THEN NULL ELSE 'receipt:' || h.code END,
    provider_ref = coalesce(a.provider_ref, h.ref)
FROM hit h
WHERE a.id = h.id AND a.state IN ('sending', 'unknown', 'sent')
RETURNING a.id, a.message, a.person, a.channel, a.provider, a.state, a.error
