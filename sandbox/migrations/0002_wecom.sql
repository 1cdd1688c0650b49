-- A card of WeCom as its reader sees it now. Task ids are good once; a changed card has a new one.
CREATE TABLE task (
    task text PRIMARY KEY,
    ledger uuid NOT NULL REFERENCES ledger
);
CREATE TABLE card (
    ledger uuid PRIMARY KEY REFERENCES ledger,
    task text NOT NULL REFERENCES task,
    buttons jsonb NOT NULL,                       -- [{"key", "text"}]: those that can be pressed
    shown text                                    -- what stands in the place of pressed ones
);
-- Changes a card once, within 72 hours; by real time.
CREATE TABLE response_code (
    code text PRIMARY KEY,
    ledger uuid NOT NULL REFERENCES ledger,
    used boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_begun ON ledger (begun_at);
