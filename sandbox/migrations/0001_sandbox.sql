-- Everything a provider accepted. No unique constraint on what the sender calls it: a double must show, not be hidden.
-- Addresses are kept as a keyed hash (to find them) and sealed (to send receipts to), never in the clear.
CREATE TABLE ledger (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    provider text NOT NULL,
    channel text NOT NULL,
    address bytea NOT NULL,
    sealed bytea NOT NULL,
    template text NOT NULL,
    params jsonb NOT NULL,
    text text NOT NULL,
    out_id text NOT NULL,                         -- the sender's own id for it
    ref text NOT NULL,                            -- ours, given back on accepting
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    code text,                                    -- why it failed
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    begun_at timestamptz NOT NULL DEFAULT now(),  -- real time
    reported_at timestamptz
);
CREATE INDEX ledger_address ON ledger (address, at);
CREATE INDEX ledger_at ON ledger (at);
CREATE INDEX ledger_out_id ON ledger (out_id);

-- Receipts still to be sent to the sender's callback; tried again until it says yes. By real time.
CREATE TABLE report (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger uuid NOT NULL REFERENCES ledger,
    provider text NOT NULL,
    tries int NOT NULL DEFAULT 0,
    next_at timestamptz DEFAULT now()             -- null: sent, or given up
);
CREATE INDEX report_due ON report (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE template (
    provider text NOT NULL,
    code text NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (provider, code)
);

-- Signatures' nonces, each good for once; access tokens; how many messages a WeChat follower still takes.
CREATE TABLE nonce (
    nonce text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE token (
    appid text PRIMARY KEY,
    digest bytea NOT NULL,
    sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE consent (
    address bytea PRIMARY KEY,
    remaining int NOT NULL CHECK (remaining >= 0)
);

-- How a provider behaves for now: to one address, or (null) to all; `remaining` times, or (null) until cleared.
CREATE TABLE rule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    address bytea,
    behaviour text NOT NULL,
    seconds float,
    code text,
    remaining int
);

-- Messages per number and time; null: no rule.
CREATE TABLE frequency (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    per_minute int,
    per_day int
);
INSERT INTO frequency (per_minute, per_day) VALUES (1, 50);
