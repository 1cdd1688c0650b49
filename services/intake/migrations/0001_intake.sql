CREATE SEQUENCE issue_sequence;

-- The number people say on the telephone: the day in Shanghai and five digits, more if ever needed.
CREATE FUNCTION next_number() RETURNS text
    LANGUAGE sql VOLATILE
    RETURN to_char(public.clock_now() AT TIME ZONE 'Asia/Shanghai', 'YYMMDD')
        || '-' || to_char(nextval('issue_sequence'), 'FM9999999900000');

-- The resident's words and place. The words never leave this table but to a reader who may see them.
CREATE TABLE issue (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    number text NOT NULL UNIQUE DEFAULT next_number(),
    category text NOT NULL,
    text text NOT NULL,
    place uuid,                      -- grid; NULL until the desk has placed it
    address text,                    -- as told, when no grid was named
    lng double precision,
    lat double precision,
    middle uuid,                     -- the place's middle grid when told; only finds likely duplicates
    reporter uuid NOT NULL,
    entered_by uuid,                 -- who typed it for the reporter
    may_contact boolean NOT NULL DEFAULT false,
    own boolean NOT NULL DEFAULT false,
    about_leader boolean NOT NULL DEFAULT false,
    external_system text,
    external_number text,
    reported_at timestamptz NOT NULL DEFAULT public.clock_now(),
    placed_by text,
    placed_at timestamptz,
    seq bigint NOT NULL DEFAULT 1,   -- events told of this issue
    CHECK (place IS NOT NULL OR address IS NOT NULL OR (lng IS NOT NULL AND lat IS NOT NULL))
);
CREATE INDEX issue_reporter ON issue (reporter, id);
CREATE INDEX issue_unplaced ON issue (id) WHERE place IS NULL;

-- Likely duplicates of the last day (those of one reporter: issue_reporter).
CREATE INDEX issue_like_middle ON issue (middle, category, id) WHERE middle IS NOT NULL;
CREATE INDEX issue_like_words ON issue (md5(text), id);

REVOKE DELETE, TRUNCATE ON issue FROM chuishao_intake;
