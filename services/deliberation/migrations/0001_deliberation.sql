CREATE TABLE policy (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    name text NOT NULL,
    body jsonb NOT NULL
);

-- What deliberation needs to know of a case, as the latest event heard told it.
CREATE TABLE cases (
    id uuid PRIMARY KEY,
    number text NOT NULL,
    category text NOT NULL,
    urgency text NOT NULL,
    place uuid NOT NULL,
    phase text NOT NULL,
    reporter uuid,
    complained uuid[] NOT NULL,          -- whom the reporter complains of: they learn nothing of it by their posts
    promised_by timestamptz
) WITH (fillfactor = 80);

CREATE TABLE topics (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    case_id uuid NOT NULL REFERENCES cases,
    community uuid NOT NULL,             -- whose secretary chairs
    title text NOT NULL,
    called text[] NOT NULL,              -- N: kinds beside the standing ones, departments by their code
    state text NOT NULL DEFAULT 'proposed' CHECK (state IN
        ('proposed', 'screened', 'refused', 'scheduled', 'held', 'done', 'withdrawn')),
    ended_how text,
    screen_by timestamptz,               -- while proposed
    version int NOT NULL DEFAULT 0,      -- grows with the state and the slot
    seq bigint NOT NULL DEFAULT 0,       -- events told
    CHECK ((screen_by IS NOT NULL) = (state = 'proposed')),
    CHECK ((ended_how IS NOT NULL) = (state IN ('refused', 'done', 'withdrawn')))
);
CREATE UNIQUE INDEX topics_open ON topics (case_id) WHERE state IN ('proposed', 'screened', 'scheduled', 'held');
CREATE INDEX topics_case ON topics (case_id, id);
CREATE INDEX topics_unscreened ON topics (screen_by) WHERE screen_by IS NOT NULL;
CREATE INDEX topics_waiting ON topics (community) WHERE state = 'screened';

-- A topic's meeting; its state follows from the topic's.
CREATE TABLE meetings (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    topic uuid NOT NULL UNIQUE REFERENCES topics,
    venue uuid NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    chair uuid NOT NULL,
    quorum int NOT NULL,
    sequence int NOT NULL DEFAULT 0,     -- of the .ics; the door's code follows it
    moves_left int NOT NULL CHECK (moves_left >= 0),   -- how often the chair may still postpone
    remind_at timestamptz,               -- until it has been told
    result text,                         -- what was agreed, for the notice board
    CHECK (starts < ends)
);
CREATE INDEX meetings_remind ON meetings (remind_at) WHERE remind_at IS NOT NULL;

CREATE TABLE seats (
    meeting uuid NOT NULL REFERENCES meetings,
    person uuid NOT NULL,
    ord int NOT NULL,
    kind text NOT NULL,
    required boolean NOT NULL,           -- counts for the quorum
    filled_by text,                      -- the kind whose person sits here, where this one has nobody
    reply text CHECK (reply IN ('come', 'cannot', 'substitute')),
    substitute uuid,
    present_at timestamptz,
    PRIMARY KEY (meeting, person),
    CHECK ((substitute IS NOT NULL) = (reply IS NOT DISTINCT FROM 'substitute'))
);
CREATE INDEX seats_person ON seats (person);
CREATE INDEX seats_substitute ON seats (substitute) WHERE substitute IS NOT NULL;

-- Nobody and no room is ever booked twice at one time. A range of one uuid stands in for `=`, for which GiST would
-- need an extension (btree_gist) that not every PostgreSQL has.
CREATE TYPE uuidrange AS RANGE (subtype = uuid);
CREATE TABLE bookings (
    meeting uuid NOT NULL REFERENCES meetings,
    who uuid NOT NULL,                   -- a person or a venue
    during tstzrange NOT NULL,
    PRIMARY KEY (meeting, who),
    CONSTRAINT bookings_nobody_twice EXCLUDE USING gist (uuidrange(who, who, '[]') WITH &&, during WITH &&)
);
CREATE INDEX bookings_who ON bookings (who, upper(during));

CREATE TABLE tasks (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    meeting uuid NOT NULL REFERENCES meetings,
    text text NOT NULL,
    grid uuid,
    department text,
    due timestamptz NOT NULL,
    CHECK ((grid IS NULL) <> (department IS NULL))
);
CREATE INDEX tasks_meeting ON tasks (meeting, id);

-- What happened, once and for good. `text` is what a person wrote for others to read (reason).
CREATE TABLE history (
    topic uuid NOT NULL REFERENCES topics,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    kind text NOT NULL,
    actor uuid,
    text text,
    PRIMARY KEY (topic, seq)
);
REVOKE UPDATE, DELETE ON history FROM chuishao_deliberation;
