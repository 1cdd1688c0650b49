-- A telling place to show a case climb: leaders at micro, small and large whom messages reach, four different people,
-- and nobody at all in the middle.
WITH leader AS (
    SELECT s.grid, s.person FROM directory.v1_post s JOIN directory.v1_reachable r ON r.person = s.person
     WHERE s.kind = 'leader' AND NOT EXISTS (SELECT FROM directory.v1_absence a WHERE a.person = s.person)
)
SELECT g.code FROM directory.v1_grid g
  JOIN leader micro ON micro.grid = g.id
  JOIN directory.v1_path small_up ON small_up.grid = g.id AND small_up.rank = 2
  JOIN leader small ON small.grid = small_up.up AND small.person <> micro.person
  JOIN directory.v1_path middle_up ON middle_up.grid = g.id AND middle_up.rank = 3
  JOIN directory.v1_path large_up ON large_up.grid = g.id AND large_up.rank = 4
  JOIN leader large ON large.grid = large_up.up AND large.person NOT IN (micro.person, small.person)
  JOIN directory.v1_path desk_up ON desk_up.grid = g.id AND desk_up.rank = 5
 WHERE g.rank = 1 AND g.void_at IS NULL
   AND EXISTS (SELECT FROM directory.v1_post d WHERE d.grid = desk_up.up AND d.kind = 'desk')
   AND NOT EXISTS (SELECT FROM directory.v1_candidate c WHERE c.grid = middle_up.up)
 ORDER BY g.code LIMIT 1
