-- The district: its grid tree, who holds which post, who is away, and what other services may read of it.

CREATE TABLE grid (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  code        text NOT NULL UNIQUE,            -- voided, never used again
  level       text NOT NULL,
  rank        integer NOT NULL,
  village     boolean NOT NULL DEFAULT false,
  label       text NOT NULL,
  parent      uuid REFERENCES grid,
  kind        text CHECK (kind IN ('block', 'courtyard')),
  households  integer CHECK (households >= 0),
  lng         double precision,                -- WGS-84
  lat         double precision,
  path        text NOT NULL,                   -- codes from the district down, joined by '/'
  void_at     timestamptz,
  CHECK ((level, rank) IN (('micro', 1), ('small', 2), ('middle', 3), ('large', 4),
                           ('community', 5), ('subdistrict', 6), ('district', 7))),
  CHECK (parent IS NOT NULL OR level = 'district'),
  CHECK (NOT village OR level = 'community')
);
CREATE INDEX grid_parent ON grid (parent, id);
CREATE INDEX grid_level ON grid (level, id);

-- The closure of the tree: for every grid, itself and its ancestors, void ones left out as `up`.
-- A void grid keeps its rows, so that what still waits there can go on upwards.
CREATE TABLE path (
  grid uuid NOT NULL REFERENCES grid,
  rank   integer NOT NULL,
  up     uuid NOT NULL REFERENCES grid,
  PRIMARY KEY (grid, rank) INCLUDE (up)
);
CREATE INDEX path_up ON path (up, grid);

CREATE TABLE person (
  id      uuid PRIMARY KEY,                    -- the person's id in the vault
  no      text NOT NULL UNIQUE,
  party   boolean NOT NULL,
  gone_at timestamptz                          -- no longer in the workbook; the number still names past acts
);

CREATE TABLE post (
  grid uuid NOT NULL REFERENCES grid,
  kind   text NOT NULL CHECK (kind IN ('leader', 'party', 'desk', 'secretary')),
  person uuid NOT NULL REFERENCES person,
  PRIMARY KEY (grid, kind, person)
);
CREATE UNIQUE INDEX post_single ON post (grid, kind) WHERE kind <> 'desk';
CREATE INDEX post_person ON post (person);

CREATE TABLE absence (
  person   uuid PRIMARY KEY REFERENCES person,
  since    timestamptz NOT NULL,
  until    timestamptz NOT NULL,
  stand_in uuid REFERENCES person,
  CHECK (until > since),
  CHECK (stand_in <> person)
);

CREATE TABLE department (
  code  text PRIMARY KEY,
  label text NOT NULL
);

CREATE TABLE duty (
  department text NOT NULL REFERENCES department ON DELETE CASCADE,
  item       text NOT NULL,
  PRIMARY KEY (department, item)
);
CREATE INDEX duty_item ON duty (item);

CREATE TABLE officer (
  department text NOT NULL REFERENCES department ON DELETE CASCADE,
  person     uuid NOT NULL REFERENCES person,
  PRIMARY KEY (department, person)
);
CREATE INDEX officer_person ON officer (person);

CREATE TABLE seat (
  grid uuid NOT NULL REFERENCES grid,
  kind   text NOT NULL,
  person uuid NOT NULL REFERENCES person,
  PRIMARY KEY (grid, kind, person)
);
CREATE INDEX seat_person ON seat (person);

CREATE TABLE venue (
  id      uuid PRIMARY KEY DEFAULT uuidv7(),
  code    text NOT NULL UNIQUE,
  grid  uuid NOT NULL REFERENCES grid,
  label   text NOT NULL,
  kind    text NOT NULL,
  seats   integer NOT NULL CHECK (seats > 0),
  opening text NOT NULL,
  void_at timestamptz
);
CREATE INDEX venue_grid ON venue (grid);

CREATE TABLE binding (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind   text NOT NULL CHECK (kind IN ('unit', 'section', 'member')),
  unit   text NOT NULL,
  person uuid REFERENCES person,
  grid uuid NOT NULL REFERENCES grid,
  CHECK (person IS NOT NULL OR kind <> 'member')
);
CREATE INDEX binding_grid ON binding (grid);
CREATE INDEX binding_person ON binding (person);

-- The last event number told about each subject (a grid, a person, the district).
CREATE TABLE subject_seq (
  subject uuid PRIMARY KEY,
  seq     bigint NOT NULL
);

-- What other services may read. Plain views over indexed columns, so that a climb's LATERAL look-ups
-- are inlined: no DISTINCT, no GROUP BY, no function.
CREATE VIEW v1_grid AS
  SELECT id, code, level, rank, village, label, parent, kind, void_at, lng, lat, path FROM grid;

CREATE VIEW v1_path AS SELECT grid, rank, up FROM path;

CREATE VIEW v1_post AS SELECT grid, kind, person FROM post;

-- Whom a level tries, in this order. A desk is a candidate as a whole (person null) and always exists
-- from community up; below, only where somebody sits at one. LATERAL under the grid's own row: as a bare
-- UNION ALL the planner reads the whole of both branches for every level of every climb (8 ms against 10 us).
CREATE VIEW v1_candidate AS
  SELECT g.id AS grid, k.ord, k.kind, k.person
    FROM grid g
   CROSS JOIN LATERAL (
     SELECT CASE p.kind WHEN 'leader' THEN 1 ELSE 2 END AS ord, 'person'::text AS kind, p.person
       FROM post p WHERE p.grid = g.id AND p.kind IN ('leader', 'party')
     UNION ALL
     SELECT 3, 'desk'::text, NULL::uuid
      WHERE g.rank >= 5 OR EXISTS (SELECT FROM post d WHERE d.grid = g.id AND d.kind = 'desk')
   ) k
   WHERE g.void_at IS NULL;

CREATE VIEW v1_absence AS SELECT person, since, until, stand_in FROM absence;

CREATE VIEW v1_person AS SELECT id, no, gone_at FROM person;

CREATE VIEW v1_department AS SELECT code, label FROM department;

CREATE VIEW v1_duty AS SELECT department, item FROM duty;

CREATE VIEW v1_officer AS SELECT department, person FROM officer;

CREATE VIEW v1_seat AS SELECT grid, kind, person FROM seat;

CREATE VIEW v1_venue AS SELECT id, code, grid, label, kind, seats, opening, void_at FROM venue;

CREATE VIEW v1_binding AS SELECT kind, unit, person, grid FROM binding;
