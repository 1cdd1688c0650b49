-- What is on the supervision list: who has it in charge, and when it is looked at again. A row is made soon after a case or a
-- whistle came onto the list and goes when it has left it; the notes stay.
CREATE TABLE supervised (
    id uuid PRIMARY KEY,
    -- The desk in charge, by its grid; one person of it, or all of it.
    desk uuid NOT NULL,
    person uuid,
    review_at timestamptz NOT NULL,
    reviews int NOT NULL DEFAULT 0
);
CREATE INDEX supervised_review ON supervised (review_at);
CREATE INDEX whistles_supervised ON whistles (id) WHERE supervised_at IS NOT NULL AND state NOT IN ('confirmed', 'withdrawn');

-- The trail of whoever looks after it; never shown to the resident.
CREATE TABLE supervision_notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    kind text NOT NULL CHECK (kind IN ('note', 'hand-over', 'back')),
    actor uuid,
    desk uuid,
    person uuid,
    text text NOT NULL
);
CREATE INDEX supervision_notes_subject ON supervision_notes (subject, id);
REVOKE UPDATE, DELETE ON supervision_notes FROM chuishao_routing;

CREATE VIEW listed AS
    SELECT 'case' AS kind, id, id AS case_id, supervised_why AS why, supervised_at AS since, grid, place
      FROM cases WHERE supervised_at IS NOT NULL AND phase <> 'closed'
    UNION ALL
    SELECT 'whistle', id, case_id, supervised_why, supervised_at, desk, place
      FROM whistles WHERE supervised_at IS NOT NULL AND state NOT IN ('confirmed', 'withdrawn') AND CASE supervised_why
           WHEN 'report_in' THEN state IN ('blown', 'acknowledged') ELSE state = 'result' END;

CREATE OR REPLACE VIEW v1_due AS
    SELECT w.at FROM (
        SELECT next_at AS at FROM cases WHERE next_at IS NOT NULL
        UNION ALL SELECT next_at FROM whistles WHERE next_at IS NOT NULL
        UNION ALL SELECT review_at FROM supervised) w
     WHERE NOT EXISTS (SELECT FROM maintenance)
    UNION ALL SELECT at FROM turn;
