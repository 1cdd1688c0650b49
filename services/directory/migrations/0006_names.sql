-- Every way to call a grid in an address. Derived from the tree; an import writes it anew.
CREATE TABLE directory.name (
  grid  uuid NOT NULL REFERENCES directory.grid,
  rank  integer NOT NULL,
  key   text NOT NULL,                         -- as shared/addresses.py writes it
  short boolean NOT NULL                       -- 前进 for 前进街道: helps to say where, does not say it alone
);
CREATE INDEX name_key ON directory.name (key);
CREATE INDEX name_grid ON directory.name (grid);

-- The nearest grid to a point is looked for in a box around it.
CREATE INDEX grid_lat ON directory.grid (lat) WHERE void_at IS NULL;

-- The grid that an address names, community or lower; null: none, or more than one. `heads` are readings of the names that stand
-- before building and unit, run together; one of them has to be used up by the names of a grid and of what lies above
-- it, in their order, whichever are left out. A province and a city may stand before the district's own name.
CREATE FUNCTION directory.v1_grid_named(heads text[], building text, unit text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  WITH RECURSIVE named AS (
    SELECT n.grid, n.rank, n.short, n.rank AS reached, left(h.head, -length(n.key)) AS rest
      FROM unnest(v1_grid_named.heads) AS h(head)
      JOIN directory.name n ON n.key = ANY (ARRAY(
             SELECT right(h.head, size) FROM generate_series(1, least(length(h.head), 40)) size))
     UNION
    SELECT s.grid, s.rank, s.short, n.rank, left(s.rest, -length(n.key))
      FROM named s
      JOIN directory.path p ON p.grid = s.grid AND p.rank > s.reached
      JOIN directory.name n ON n.grid = p.up AND right(s.rest, length(n.key)) = n.key
     WHERE s.rest <> ''
  ),
  whole AS (
    SELECT grid, rank, bool_and(short) AS short
      FROM named
     WHERE rest = '' OR reached = 7 AND rest ~ ('^(中国|中华人民共和国)?'
             '(\D{2,7}(省|自治区)|内蒙古|广西|西藏|宁夏|新疆)?(\D{2,8}(市|盟|地区|自治州))?$')
     GROUP BY grid, rank
  ),
  building AS (
    SELECT w.grid FROM whole w
     WHERE v1_grid_named.building IS NULL AND w.rank <= 5 AND (NOT w.short OR v1_grid_named.unit IS NOT NULL)
     UNION
    SELECT n.grid FROM whole w
      JOIN directory.path p ON p.up = w.grid
      JOIN directory.name n ON n.grid = p.grid AND n.rank = 2 AND n.key = v1_grid_named.building
     WHERE w.rank IN (3, 4)
  ),
  found AS (
    SELECT b.grid FROM building b WHERE v1_grid_named.unit IS NULL
     UNION
    SELECT n.grid FROM building b
      JOIN directory.grid g ON g.id = b.grid AND g.rank = 2
      JOIN directory.path p ON p.up = b.grid
      JOIN directory.name n ON n.grid = p.grid AND n.rank = 1 AND n.key = v1_grid_named.unit
  )
  SELECT min(f.grid::text)::uuid FROM found f JOIN directory.grid g ON g.id = f.grid AND g.void_at IS NULL
  HAVING count(*) = 1
$$;
REVOKE ALL ON FUNCTION directory.v1_grid_named FROM PUBLIC;

DO $$
DECLARE
  reader text;
BEGIN
  FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN ('chuishao_directory', 'chuishao_intake')
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION directory.v1_grid_named TO %I', reader);
  END LOOP;
END
$$;
