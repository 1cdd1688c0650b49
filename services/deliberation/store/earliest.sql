-- The earliest slot in which a venue is open and free, everybody of :must is free and so are :quorum of :six.
-- A person is busy in other meetings, while away, and when he has said that he cannot come to this one. Days are looked
-- at one by one: the search ends on the first with a slot.
WITH q AS (
    SELECT CAST(:since AS timestamptz) AS since, CAST(:until AS timestamptz) AS until,
           CAST(:slot AS interval) AS slot, CAST(:raster AS interval) AS raster
),
busy AS (
    SELECT b.who, b.during FROM q JOIN bookings b ON upper(b.during) > q.since AND lower(b.during) < q.until
     WHERE b.who = ANY (:everybody) AND b.meeting IS DISTINCT FROM CAST(:meeting AS uuid)
    UNION ALL
    SELECT s.person, tstzrange(m.starts, m.ends) FROM seats s JOIN meetings m ON m.id = s.meeting
     WHERE s.meeting = :meeting AND s.reply = 'cannot'
    UNION ALL
    SELECT a.person, tstzrange(a.since, a.until) FROM q JOIN directory.v1_absence a
        ON a.until > q.since AND a.since < q.until
     WHERE a.person = ANY (:everybody)
),
taken AS MATERIALIZED (
    SELECT e.who, coalesce(range_agg(b.during), '{}') AS at
      FROM unnest(CAST(:everybody AS uuid[])) AS e(who) LEFT JOIN busy b ON b.who = e.who GROUP BY e.who
),
closed AS MATERIALIZED (
    SELECT coalesce(range_agg(during), '{}') AS at FROM busy WHERE who = ANY (:must)
),
six AS MATERIALIZED (
    SELECT at FROM taken WHERE who = ANY (:six)
)
SELECT s.venue, lower(s.during) AS starts, upper(s.during) AS ends,
       ARRAY(SELECT t.who FROM taken t WHERE NOT t.at && s.during) AS free
  FROM q
 CROSS JOIN LATERAL generate_series(date_trunc('day', q.since AT TIME ZONE 'Asia/Shanghai'),
                                    q.until AT TIME ZONE 'Asia/Shanghai', interval '1 day') AS midnight
 CROSS JOIN LATERAL (
    SELECT w.venue, w.ord, c.during
      FROM jsonb_to_recordset(:windows) AS w(venue uuid, ord int, day int, opens int, closes int)
      JOIN taken room ON room.who = w.venue
     CROSS JOIN closed
     CROSS JOIN LATERAL (
        SELECT (midnight + w.opens * interval '1 min') AT TIME ZONE 'Asia/Shanghai' AS opens,
               (midnight + w.closes * interval '1 min') AT TIME ZONE 'Asia/Shanghai' AS closes
     ) open
     CROSS JOIN LATERAL (
        SELECT tstzrange(starts, starts + q.slot) AS during
          FROM generate_series(date_bin(q.raster, greatest(q.since, open.opens) + q.raster - interval '1 us',
                                        timestamptz '2000-01-01 00:00+08'),
                               least(q.until, open.closes) - q.slot, q.raster) AS starts
     ) c
     WHERE w.day = extract(isodow FROM midnight) AND NOT closed.at && c.during AND NOT room.at && c.during
       AND (SELECT count(*) FROM six WHERE NOT six.at && c.during) >= :quorum
     ORDER BY lower(c.during), w.ord LIMIT 1
 ) s
 ORDER BY midnight LIMIT 1
