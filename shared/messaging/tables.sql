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

-- Events that could not be handled, and those waiting behind them. `subject` and `seq` are NULL for bytes that name
-- none. An event lies here once, however often it comes; an offset identifies nothing: Kafka may be rebuilt.
CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    kafka_offset bigint NOT NULL,
    subject uuid,
    seq bigint,
    reason text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX quarantine_event ON quarantine (topic, subject, seq) WHERE seq IS NOT NULL;
CREATE UNIQUE INDEX quarantine_bytes ON quarantine (topic, partition, kafka_offset, md5(body)) WHERE seq IS NULL;

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
