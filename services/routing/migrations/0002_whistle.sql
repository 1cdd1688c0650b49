-- The topic that deliberates a case and holds it; released by every exit.
ALTER TABLE cases ADD COLUMN topic uuid;
ALTER TABLE cases ADD COLUMN origin text NOT NULL DEFAULT 'issue' CHECK (origin IN ('issue', 'task'));
-- Whistle events of a case are counted by themselves: topic `whistle`, subject = the case.
ALTER TABLE cases ADD COLUMN whistle_seq bigint NOT NULL DEFAULT 0;

CREATE TABLE whistles (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    place uuid NOT NULL,
    occasion text NOT NULL CHECK (occasion IN ('demand', 'enforcement', 'emergency', 'key_work')),
    state text NOT NULL CHECK (state IN
        ('draft', 'blown', 'acknowledged', 'reported_in', 'result', 'confirmed', 'withdrawn')),
    lead text NOT NULL,
    assisting text[] NOT NULL DEFAULT '{}',
    text text NOT NULL,
    -- The whistling desk's grid, its rank, and the person who blew it; NULL for a task of a meeting.
    desk uuid NOT NULL,
    desk_rank int NOT NULL,
    blown_by uuid,
    blown_at timestamptz NOT NULL DEFAULT public.clock_now(),
    policy text NOT NULL REFERENCES policy,

    report_in_by timestamptz,
    result_by timestamptz,
    confirm_by timestamptz,
    decide_by timestamptz,
    -- When the running term is 150 % and 200 % over.
    red_at timestamptz,
    supervise_at timestamptz,
    overdue text CHECK (overdue IN ('yellow', 'red', 'supervision')),
    disputed boolean NOT NULL DEFAULT false,
    dispute_used boolean NOT NULL DEFAULT false,
    transfers int NOT NULL DEFAULT 0,
    extended boolean NOT NULL DEFAULT false,
    returns int NOT NULL DEFAULT 0,
    reported_in_at timestamptz,
    reported_in_person text,
    supervised_at timestamptz,
    supervised_why text CHECK (supervised_why IN ('report_in', 'unconfirmed')),
    version int NOT NULL DEFAULT 1,

    next_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN state IN ('blown', 'acknowledged') THEN
                 CASE WHEN overdue IS NULL THEN report_in_by
                      WHEN overdue = 'yellow' THEN red_at
                      WHEN overdue = 'red' THEN supervise_at END
             WHEN state = 'reported_in' THEN
                 CASE WHEN overdue IS NULL THEN result_by WHEN overdue = 'yellow' THEN red_at END
             WHEN state = 'result' AND supervised_why IS DISTINCT FROM 'unconfirmed' THEN confirm_by END
    ) STORED
);
CREATE INDEX whistles_next ON whistles (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX whistles_case ON whistles (case_id);
CREATE INDEX whistles_open ON whistles (lead, id) WHERE state NOT IN ('draft', 'confirmed', 'withdrawn');
CREATE INDEX whistles_place ON whistles (place, lead, blown_at);

-- Every case a whistle is about: the one it was blown from, and those added to it within its days.
CREATE TABLE whistle_cases (
    whistle uuid NOT NULL REFERENCES whistles,
    case_id uuid NOT NULL REFERENCES cases,
    PRIMARY KEY (whistle, case_id)
);
CREATE INDEX whistle_cases_case ON whistle_cases (case_id);

CREATE TABLE whistle_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    whistle uuid NOT NULL REFERENCES whistles,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    kind text NOT NULL,
    actor uuid,
    detail jsonb NOT NULL DEFAULT '{}',
    text text
);
CREATE INDEX whistle_history_whistle ON whistle_history (whistle, id);
REVOKE UPDATE, DELETE ON whistle_history FROM chuishao_routing;

-- Both sides may rate; one rating a side.
CREATE TABLE whistle_ratings (
    whistle uuid NOT NULL REFERENCES whistles,
    side text NOT NULL CHECK (side IN ('desk', 'department')),
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    score int NOT NULL CHECK (score BETWEEN 1 AND 5),
    comment text,
    PRIMARY KEY (whistle, side)
);
REVOKE UPDATE, DELETE ON whistle_ratings FROM chuishao_routing;

-- What every event of a whistle carries (shared/contracts/whistle.py, WhistleEvent).
CREATE FUNCTION whistle_facts(w whistles, c cases) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'whistle', w.id, 'number', c.number, 'category', c.category, 'place', c.place, 'reporter', c.reporter,
        'occasion', w.occasion, 'state', w.state, 'lead', w.lead, 'assisting', w.assisting, 'desk', w.desk,
        'report_in_by', w.report_in_by, 'result_by', w.result_by, 'confirm_by', w.confirm_by,
        'disputed', w.disputed, 'extended', w.extended, 'overdue', w.overdue, 'returns', w.returns)
$$;
