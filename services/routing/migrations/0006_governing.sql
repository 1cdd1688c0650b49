-- The YAML a policy was saved as, with its comments; NULL: saved by an older version.
ALTER TABLE policy ADD COLUMN source text;

-- What an administrator decided, once and for good. `by` is a role or a number of the workbook.
CREATE TABLE decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    by text NOT NULL,
    act text NOT NULL CHECK (act IN ('policy', 'reapply', 'days', 'year', 'maintenance-on', 'maintenance-off')),
    policy text REFERENCES policy,
    detail jsonb NOT NULL DEFAULT '{}',
    reason text NOT NULL
);
CREATE INDEX decisions_policy ON decisions (policy, id) WHERE policy IS NOT NULL;
REVOKE UPDATE, DELETE ON decisions FROM chuishao_routing;

-- Every calendar that a policy ever had, by its hours: a policy's hours freeze with it, the days never do.
CREATE TABLE calendar (
    id text PRIMARY KEY,
    hours text NOT NULL,
    days text NOT NULL
);
INSERT INTO calendar (id, hours, days)
SELECT DISTINCT ON (c.key) c.key, c.value ->> 'hours', c.value ->> 'days'
  FROM policy p CROSS JOIN LATERAL jsonb_each(p.body -> 'calendars') c
  LEFT JOIN policy_in_force f ON f.policy = p.id
 ORDER BY c.key, f.policy NULLS LAST, p.created_at DESC;

-- Holidays published after this program was, and the days on which the district differs.
CREATE TABLE published_year (
    year int PRIMARY KEY,
    holidays date[] NOT NULL,
    workdays date[] NOT NULL
);
CREATE TABLE district_day (
    day date PRIMARY KEY,
    open boolean NOT NULL
);
GRANT INSERT, UPDATE, DELETE ON public.calendar_span, public.calendar_horizon TO chuishao_routing;

-- While there is a row no deadline fires.
CREATE TABLE maintenance (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    since timestamptz NOT NULL DEFAULT public.clock_now(),
    by text NOT NULL,
    reason text NOT NULL
);
CREATE OR REPLACE VIEW v1_due AS
    SELECT w.at FROM (
        SELECT next_at AS at FROM cases WHERE next_at IS NOT NULL
        UNION ALL SELECT next_at FROM whistles WHERE next_at IS NOT NULL) w
     WHERE NOT EXISTS (SELECT FROM maintenance);
