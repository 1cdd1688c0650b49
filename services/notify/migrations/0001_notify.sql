-- A message: one person, one template, one reason, one key. Ids, codes, labels and times only: no words of a
-- resident, no name, no number. Its state only ever goes forward.
CREATE TABLE message (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    key text NOT NULL UNIQUE,
    person uuid NOT NULL,
    template text NOT NULL,
    reason text NOT NULL,
    issue uuid NOT NULL,
    issues uuid[] NOT NULL,                       -- more than one: it speaks for the messages bundled into it
    hop int,
    params jsonb NOT NULL,
    urgent boolean NOT NULL,                      -- never waits; two channels at once
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'delivered', 'failed', 'expired')),
    held boolean NOT NULL,                        -- waits for the end of quiet hours or of a bundle; see not_before
    bundle uuid REFERENCES message,               -- the message that speaks for this one
    not_before timestamptz NOT NULL,
    next_attempt_at timestamptz,                  -- when to look at it again; null: nothing to do
    created_at timestamptz NOT NULL DEFAULT public.clock_now(),
    settled_at timestamptz                        -- when it reached its last state
);
CREATE INDEX message_due ON message (next_attempt_at) WHERE next_attempt_at IS NOT NULL AND NOT held;
CREATE INDEX message_held ON message (not_before) WHERE held;
CREATE INDEX message_bundle ON message (bundle) WHERE bundle IS NOT NULL;
CREATE INDEX message_issue ON message (issue);
CREATE INDEX message_issues ON message USING gin (issues);
CREATE INDEX message_assigned ON message (person, not_before) WHERE reason = 'assigned';

-- One try of one message by one channel. Written as `sending` before the provider is called.
CREATE TABLE attempt (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    message uuid NOT NULL REFERENCES message,
    person uuid NOT NULL,
    channel text NOT NULL,
    provider text NOT NULL,
    n int NOT NULL,
    state text NOT NULL DEFAULT 'sending' CHECK (state IN ('sending', 'unknown', 'sent', 'delivered', 'failed')),
    provider_ref text,                            -- the provider's number for it
    error text,
    cost numeric(8, 4),                           -- yuan, of an accepted one
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    begun_at timestamptz NOT NULL DEFAULT now(),  -- real time
    receipt_by timestamptz,
    lease_until timestamptz,                      -- real time: who sends or asks has it until then
    UNIQUE (message, channel, n)
);
CREATE INDEX attempt_open ON attempt (lease_until) WHERE state IN ('sending', 'unknown');
CREATE INDEX attempt_ref ON attempt (provider, provider_ref) WHERE provider_ref IS NOT NULL;
CREATE INDEX attempt_person ON attempt (person, at) WHERE channel = 'sms';

-- Every receipt as it came, also a double, a late or an unknown one. `out_id` is the message's id where the provider
-- gives it back.
CREATE TABLE receipt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    ref text NOT NULL,
    out_id uuid,
    delivered boolean NOT NULL,
    code text NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now()
);
CREATE INDEX receipt_ref ON receipt (provider, ref);

-- What came in from telephones; acted upon elsewhere. Stored once per number of the provider.
CREATE TABLE inbound (
    provider text NOT NULL,
    sequence_id text NOT NULL,
    person uuid,                                  -- null: a telephone we do not know
    content text NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    PRIMARY KEY (provider, sequence_id)
);

-- A person who does not take this template by this channel (a subscription that is used up or was refused).
CREATE TABLE refusal (
    person uuid NOT NULL,
    channel text NOT NULL,
    template text NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    PRIMARY KEY (person, channel, template)
);

-- When the resident of an issue last did something: what answers it is not held at night.
CREATE TABLE spoken (
    issue uuid PRIMARY KEY,
    at timestamptz NOT NULL
);

-- The providers' access tokens, sealed; by real time.
CREATE TABLE token (
    provider text PRIMARY KEY,
    sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL
);

-- The number of the last event told about each issue.
CREATE TABLE issue_seq (
    issue uuid PRIMARY KEY,
    seq bigint NOT NULL
);

CREATE TABLE policy (
    active boolean PRIMARY KEY DEFAULT true CHECK (active),
    name text NOT NULL,
    body jsonb NOT NULL
);

-- History is added to, never rewritten.
REVOKE UPDATE, DELETE, TRUNCATE ON receipt, inbound FROM chuishao_notify;
REVOKE DELETE, TRUNCATE ON message, attempt FROM chuishao_notify;
