-- What every service has in its own schema: events to tell, events heard, events put aside, answers given.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event uuid NOT NULL DEFAULT uuidv7(),
    topic text NOT NULL,
    subject uuid NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    data jsonb NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    UNIQUE (topic, subject, seq)
);
-- The relay asks for what is unpublished, never for `id > last`: commit order is not id order.
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

-- How far each subject of each topic has been applied; moved in the transaction of the effect.
CREATE TABLE seen (
    topic text NOT NULL,
    subject uuid NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (topic, subject)
) WITH (fillfactor = 70);

-- Events that could not be handled, and those waiting behind them. `subject` is NULL for bytes that name none.
CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    kafka_offset bigint NOT NULL,
    subject uuid,
    seq bigint,
    reason text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (topic, partition, kafka_offset)
);
CREATE INDEX quarantine_subject ON quarantine (topic, subject, seq);

CREATE TABLE idempotency (
    caller text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    status int NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
