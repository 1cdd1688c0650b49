-- The case that a merged one follows; it may itself follow another.
ALTER TABLE cases ADD COLUMN merged_into uuid REFERENCES cases;
CREATE INDEX cases_merged_into ON cases (merged_into) WHERE merged_into IS NOT NULL;

-- Where a case went that another system goes on with.
CREATE TABLE handed_over (
    case_id uuid PRIMARY KEY REFERENCES cases,
    system text NOT NULL,
    number text NOT NULL
);
REVOKE UPDATE, DELETE ON handed_over FROM chuishao_routing;
