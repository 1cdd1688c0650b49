-- What a person was asked about a case, and the two digits that mean it in their texts. A mark means one thing: it is
-- given again only when its question was settled more than 7 days ago (sql/allot.sql).
CREATE TABLE question (
    person uuid NOT NULL,
    mark int NOT NULL CHECK (mark BETWEEN 10 AND 99),
    issue uuid NOT NULL,
    asks text NOT NULL CHECK (asks IN ('leader', 'resident')),
    message uuid NOT NULL REFERENCES message,     -- the last one that asked
    asked_at timestamptz NOT NULL DEFAULT public.clock_now(),
    closed_at timestamptz,                        -- null: open
    pending text,                                 -- an act by text whose outcome the person has not heard yet
    facts jsonb NOT NULL,                         -- number, label, place; phase and hand as of the last event
    PRIMARY KEY (person, mark),
    UNIQUE (person, issue, asks)
);
CREATE INDEX question_issue ON question (issue);

-- Cards whose buttons were pressed and are still to be changed; by real time.
CREATE TABLE card_update (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message uuid NOT NULL REFERENCES message,
    person uuid NOT NULL,
    act text NOT NULL,
    response_code text NOT NULL,
    tries int NOT NULL DEFAULT 0,
    next_at timestamptz DEFAULT now()             -- null: done, or given up
);
CREATE INDEX card_update_due ON card_update (next_at) WHERE next_at IS NOT NULL;

-- An answer to a text goes by text, and one to a text that is about no issue has none.
ALTER TABLE message ADD COLUMN channel text, ALTER COLUMN issue DROP NOT NULL;
CREATE INDEX message_answers ON message (person, created_at) WHERE reason = 'reply';

DROP INDEX attempt_person;
CREATE INDEX attempt_person ON attempt (person, channel, at) WHERE channel IN ('sms', 'wecom');
