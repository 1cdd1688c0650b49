-- The trace of the report that a case came of: what the clock does to the case goes on with it.
ALTER TABLE cases ADD COLUMN traceparent text;

-- When everything that waits for routing's clock is due: published for the auditor, who must not depend on the worker he
-- looks after, nor share its rights.
CREATE VIEW v1_due AS
    SELECT next_at AS at FROM cases WHERE next_at IS NOT NULL
    UNION ALL SELECT next_at FROM whistles WHERE next_at IS NOT NULL;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'chuishao_notify') THEN
    GRANT USAGE ON SCHEMA routing TO chuishao_notify;
    GRANT SELECT ON routing.v1_due TO chuishao_notify;
  END IF;
END $$;
