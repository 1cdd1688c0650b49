-- A policy never changes: an edited one is a new row, and a case keeps the one in force when it opened.
CREATE TABLE policy (
    id text PRIMARY KEY,
    name text NOT NULL,
    body jsonb NOT NULL,
    -- Urgencies that go straight to the duty desk between two local times.
    night_urgencies text[] NOT NULL DEFAULT '{}',
    night_from time,
    night_until time,
    created_at timestamptz NOT NULL DEFAULT public.clock_now()
);
CREATE TABLE policy_in_force (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    policy text NOT NULL REFERENCES policy
);

-- A policy's terms, flat: class is an urgency, or a category with terms of its own. Terms in microseconds.
CREATE TABLE term (
    policy text NOT NULL REFERENCES policy,
    class text NOT NULL,
    rank int NOT NULL,
    accept_calendar text,
    accept_term bigint,
    resolve_calendar text,
    resolve_term bigint,
    PRIMARY KEY (policy, class, rank)
);

CREATE TABLE cases (
    id uuid PRIMARY KEY,
    number text NOT NULL,
    category text NOT NULL,
    urgency text NOT NULL,
    class text NOT NULL,
    policy text NOT NULL REFERENCES policy,
    place uuid NOT NULL,
    placed boolean NOT NULL DEFAULT true,
    start_rank int NOT NULL,
    reporter uuid,
    own boolean NOT NULL DEFAULT false,
    about_leader boolean NOT NULL DEFAULT false,

    phase text NOT NULL DEFAULT 'assigned' CHECK (phase IN ('assigned', 'accepted', 'resolved', 'closed')),
    on_hold text CHECK (on_hold IN ('suspended', 'whistle', 'deliberation', 'reporter')),
    closed_how text CHECK (closed_how IN
        ('confirmed', 'unanswered', 'withdrawn', 'merged', 'out_of_scope', 'own', 'handed_over')),
    closed_at timestamptz,
    noes int NOT NULL DEFAULT 0,
    reopened_hop int NOT NULL DEFAULT 0,
    reply text,

    hop int NOT NULL DEFAULT 0,
    rank int NOT NULL,
    grid uuid NOT NULL,
    holder_kind text NOT NULL DEFAULT 'desk' CHECK (holder_kind IN ('person', 'desk')),
    holder_person uuid,
    holder_post text,
    accepted_at timestamptz,
    -- What the ladder tests lies on the row: a joined table would be read at the older snapshot.
    recused uuid[] NOT NULL DEFAULT '{}',
    passed uuid[] NOT NULL DEFAULT '{}',
    passed_rank int[] NOT NULL DEFAULT '{}',

    -- Two clocks: by = due(calendar, since, left); paused = by is NULL and left is what remains (microseconds).
    accept_calendar text, accept_since timestamptz, accept_left bigint, accept_term bigint,
    accept_by timestamptz, accept_remind timestamptz,
    resolve_calendar text, resolve_since timestamptz, resolve_left bigint, resolve_term bigint,
    resolve_by timestamptz, resolve_remind timestamptz,
    -- Waiting for the resident: until when (resolved: her answer; on_hold reporter: her reply), reminders before.
    wait_by timestamptz,
    nags timestamptz[] NOT NULL DEFAULT '{}',
    nagged int NOT NULL DEFAULT 0,

    opened_at timestamptz NOT NULL,
    promised_by timestamptz,
    promise_listed boolean NOT NULL DEFAULT false,
    supervised_at timestamptz,
    supervised_why text CHECK (supervised_why IN ('timeout', 'third_no', 'promise')),

    version int NOT NULL DEFAULT 0,
    seq bigint NOT NULL DEFAULT 0,

    next_at timestamptz GENERATED ALWAYS AS (
        LEAST(accept_by, accept_remind, resolve_by, resolve_remind, wait_by, nags[1],
              CASE WHEN NOT promise_listed AND phase IN ('assigned', 'accepted') THEN promised_by END)
    ) STORED
) WITH (fillfactor = 80);

CREATE INDEX cases_next ON cases (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX cases_place ON cases (place, id);
CREATE INDEX cases_held_by ON cases (holder_person, id) WHERE phase <> 'closed' AND holder_kind = 'person';
CREATE INDEX cases_at_grid ON cases (grid, id) WHERE phase <> 'closed';
CREATE INDEX cases_supervised ON cases (id) WHERE supervised_at IS NOT NULL AND phase <> 'closed';

-- One stay with one holder; a skipped level is a hop of no length. The key makes a double move impossible to write.
CREATE TABLE hops (
    case_id uuid NOT NULL REFERENCES cases,
    hop int NOT NULL,
    rank int NOT NULL,
    grid uuid NOT NULL,
    holder_kind text,
    holder_person uuid,
    holder_post text,
    since timestamptz NOT NULL,
    until timestamptz,
    ended_by text,
    skipped text,
    accepted_at timestamptz,
    PRIMARY KEY (case_id, hop)
);
CREATE INDEX hops_of ON hops (holder_person) WHERE holder_person IS NOT NULL;

-- What happened, once and for good. `text` is what a person wrote for others to read (reply, question, reason).
CREATE TABLE history (
    case_id uuid NOT NULL REFERENCES cases,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    kind text NOT NULL,
    hop int NOT NULL,
    rank int NOT NULL,
    actor uuid,
    acting_for uuid,
    detail jsonb NOT NULL DEFAULT '{}',
    text text,
    PRIMARY KEY (case_id, seq)
);
REVOKE UPDATE, DELETE ON history FROM chuishao_routing;

-- What handlers tell each other; never shown to the resident.
CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    actor uuid,
    text text NOT NULL
);
REVOKE UPDATE, DELETE ON notes FROM chuishao_routing;

-- Apart from history, because the handler may see neither rating nor comment.
CREATE TABLE answers (
    case_id uuid NOT NULL REFERENCES cases,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    solved text NOT NULL CHECK (solved IN ('yes', 'partly', 'no')),
    satisfied int CHECK (satisfied BETWEEN 1 AND 5),
    comment text,
    PRIMARY KEY (case_id, seq)
);
REVOKE UPDATE, DELETE ON answers FROM chuishao_routing;

CREATE FUNCTION level_of(rank int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['micro', 'small', 'middle', 'large', 'community', 'subdistrict', 'district'])[rank];

-- What every event of a case carries (shared/contracts/case.py, CaseEvent).
CREATE FUNCTION facts(c cases) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'number', c.number, 'category', c.category, 'urgency', c.urgency, 'place', c.place, 'phase', c.phase,
        'on_hold', c.on_hold, 'level', routing.level_of(c.rank), 'grid', c.grid, 'hop', c.hop,
        'holder_kind', c.holder_kind, 'holder_person', c.holder_person, 'reporter', c.reporter, 'own', c.own,
        'recused', c.recused, 'accept_by', c.accept_by, 'resolve_by', c.resolve_by,
        'promised_by', c.promised_by, 'policy', c.policy)
$$;
