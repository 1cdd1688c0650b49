-- Cases opened in a time, each with its stays and with what happened to their clocks. Times: microseconds since 1970.
SELECT c.category, c.urgency,
       (SELECT jsonb_agg(jsonb_build_array(
                   h.hop, h.rank, coalesce(h.holder_person, h.grid), (extract(epoch FROM h.since) * 1000000)::bigint,
                   (extract(epoch FROM h.until) * 1000000)::bigint, h.ended_by,
                   (extract(epoch FROM h.accepted_at) * 1000000)::bigint) ORDER BY h.hop)
          FROM hops h WHERE h.case_id = c.id AND h.skipped IS NULL) AS stays,
       (SELECT jsonb_agg(jsonb_build_array(
                   y.hop, y.kind, (extract(epoch FROM y.at) * 1000000)::bigint,
                   CASE WHEN y.kind = 'extended'
                       THEN (extract(epoch FROM (y.detail ->> 'until')::timestamptz) * 1000000)::bigint END)
                   ORDER BY y.seq)
          FROM history y WHERE y.case_id = c.id AND (y.kind = ANY (:kinds)
               OR y.kind = 'supervised' AND y.detail ->> 'why' = 'timeout')) AS marks
  FROM cases c
 WHERE c.opened_at >= :since AND c.opened_at < :until
