-- People to sign in as: who has a part in what happens at :here (a micro grid's code), or, without it, at the first one.
-- One row per person, with the post that is lowest; `turn` orders them.
WITH home AS (
    SELECT id, code FROM directory.v1_grid WHERE rank = 1 AND void_at IS NULL
    ORDER BY code IS NOT DISTINCT FROM :here DESC, code LIMIT 1
), up AS (
    SELECT w.rank, w.up FROM home JOIN directory.v1_path w ON w.grid = home.id
), neighbour AS (
    SELECT s.person, s.kind AS post, g.id AS grid, NULL AS department, 1 AS turn, up.up IS NULL AS aside
    FROM directory.v1_path w
    JOIN directory.v1_grid g ON g.id = w.grid AND g.rank <= 4 AND g.void_at IS NULL
    JOIN directory.v1_post s ON s.grid = g.id AND s.kind IN ('leader', 'party')
    JOIN directory.v1_reachable r ON r.person = s.person
    LEFT JOIN up ON up.up = g.id
    WHERE w.up = (SELECT up.up FROM up WHERE up.rank = 4)
    ORDER BY aside, g.rank, g.code, s.kind LIMIT 14
), found AS (
    SELECT * FROM neighbour
    UNION ALL
    SELECT s.person, s.kind, s.grid, NULL, 2, false FROM up JOIN directory.v1_post s ON s.grid = up.up
     WHERE up.rank >= 5 AND s.kind IN ('desk', 'secretary')
    UNION ALL
    SELECT s.person, s.kind, s.grid, NULL, 3, false FROM up JOIN directory.v1_seat s ON s.grid = up.up
     WHERE up.rank >= 5
    UNION ALL
    (SELECT DISTINCT ON (o.department) o.person, 'officer', NULL::uuid, o.department, 4, false
       FROM directory.v1_officer o JOIN directory.v1_person p ON p.id = o.person ORDER BY o.department, p.no LIMIT 4)
)
SELECT f.person, p.no, f.post, f.department, d.label AS department_label,
       g.code AS grid, g.level, g.village, g.kind = 'courtyard' AS courtyard, g.label
FROM (SELECT DISTINCT ON (person) * FROM found ORDER BY person, turn, aside) AS f
JOIN directory.v1_person p ON p.id = f.person
LEFT JOIN directory.v1_grid g ON g.id = f.grid
LEFT JOIN directory.v1_department d ON d.code = f.department
ORDER BY f.turn, coalesce(g.rank, 0), g.code, f.department, f.post, p.no
