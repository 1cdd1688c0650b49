-- What somebody asked for and a second person grants or declines. It belongs to the stay (hop) it was asked in, and lapses
-- with it.
CREATE TABLE requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    hop int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('suspend', 'extend', 'out-of-scope')),
    -- A person, and for whom; NULL: command.
    asked_by uuid,
    asked_for uuid,
    at timestamptz NOT NULL DEFAULT public.clock_now(),
    until timestamptz,
    text text NOT NULL,
    decided_at timestamptz,
    decided_by uuid,
    granted boolean,
    reason text
);
CREATE UNIQUE INDEX requests_open ON requests (case_id, hop) WHERE decided_at IS NULL;
CREATE INDEX requests_of ON requests (case_id, hop);
REVOKE DELETE ON requests FROM chuishao_routing;
