-- When the absence of a person begins or ends next: that person's open cases follow at that moment.
CREATE TABLE turn (
    person uuid PRIMARY KEY,
    at timestamptz NOT NULL
);
CREATE INDEX turn_at ON turn (at);

-- Maintenance stops deadlines; people come and go all the same.
CREATE OR REPLACE VIEW v1_due AS
    SELECT w.at FROM (
        SELECT next_at AS at FROM cases WHERE next_at IS NOT NULL
        UNION ALL SELECT next_at FROM whistles WHERE next_at IS NOT NULL) w
     WHERE NOT EXISTS (SELECT FROM maintenance)
    UNION ALL SELECT at FROM turn;
