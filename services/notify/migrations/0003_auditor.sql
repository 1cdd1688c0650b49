-- Whose trace a message is: that of the event it came of.
ALTER TABLE message ADD COLUMN traceparent text;

-- The auditor's last look, and what he found amiss. By real time: it is the system that is looked at, not the rules.
CREATE TABLE audit (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    looked_at timestamptz NOT NULL DEFAULT now(),
    overdue bigint NOT NULL
);
CREATE TABLE incident (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,                          -- when the duty desk was told: once
    ended_at timestamptz
);
CREATE UNIQUE INDEX incident_open ON incident ((true)) WHERE ended_at IS NULL;
CREATE INDEX incident_ended ON incident (ended_at) WHERE ended_at IS NOT NULL;
