-- Reports of the last minutes that may turn out to be one thing, by the grid they lie under. Apart from cases, so that the
-- climb pays for no index; what is too old is deleted as the next one of its kind comes.
CREATE TABLE alike (
    node uuid NOT NULL,
    category text NOT NULL,
    at timestamptz NOT NULL,
    case_id uuid NOT NULL REFERENCES cases,
    PRIMARY KEY (node, category, at, case_id)
);
-- A storm that is on: which case it folds into, and when its last report came.
CREATE TABLE storms (
    node uuid NOT NULL,
    category text NOT NULL,
    lead uuid NOT NULL REFERENCES cases,
    last timestamptz NOT NULL,
    PRIMARY KEY (node, category)
);
-- The earlier cases of the same thing at the same place.
CREATE TABLE recurrences (
    case_id uuid PRIMARY KEY REFERENCES cases,
    previous uuid[] NOT NULL
);
REVOKE UPDATE, DELETE ON recurrences FROM chuishao_routing;
