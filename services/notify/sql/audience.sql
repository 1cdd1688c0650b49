-- Turns audiences into persons, many at once. `i` is the telling's place in the list.
SELECT t.i, told.person
FROM jsonb_to_recordset(:tellings) 
    AS t(i int, issue uuid, who text, act text, person uuid, grid uuid, departments text[], recused uuid[])
CROSS JOIN LATERAL (
    SELECT t.person WHERE t.person IS NOT NULL AND t.who <> 'replied'
    UNION
    SELECT o.person FROM directory.v1_officer o WHERE o.department = ANY (t.departments)
    UNION
    SELECT q.person FROM question q
     WHERE t.who = 'replied' AND q.issue = t.issue AND q.pending = t.act AND q.person = coalesce(t.person, q.person)
    UNION
    SELECT desk.person FROM directory.v1_post desk
     WHERE desk.kind = 'desk' AND desk.grid IN (
        SELECT t.grid WHERE t.who IN ('holder', 'whistler')
        UNION ALL
        (SELECT w.up FROM directory.v1_path w
          WHERE t.who IN ('community_desk', 'alarm') AND w.grid = t.grid AND w.rank >= 5 ORDER BY w.rank LIMIT 1)
        UNION ALL
        SELECT w.up FROM directory.v1_path w WHERE t.who = 'alarm' AND w.grid = t.grid AND w.rank < 5
        UNION ALL
        SELECT w.up FROM directory.v1_path w WHERE t.who = 'supervisors' AND w.grid = t.grid AND w.rank = 7
        UNION ALL
        (SELECT w.up FROM directory.v1_path w
          WHERE t.who = 'supervisors' AND w.grid = t.grid
            AND EXISTS (SELECT FROM directory.v1_post d WHERE d.grid = w.up AND d.kind = 'desk')
          ORDER BY w.rank LIMIT 1))
    UNION
    SELECT coalesce(away.stand_in, c.person)
      FROM directory.v1_path w
      JOIN directory.v1_candidate c ON c.grid = w.up AND c.kind = 'person'
      LEFT JOIN directory.v1_absence away
        ON away.person = c.person AND public.clock_now() >= away.since AND public.clock_now() < away.until
     WHERE t.who = 'alarm' AND w.grid = t.grid AND w.rank < 5
       AND (away.person IS NULL OR away.stand_in IS NOT NULL)
       AND coalesce(away.stand_in, c.person) <> ALL (t.recused)
) AS told(person)
ORDER BY t.i, told.person
