-- When everything that waits for deliberation's clock is due: published for the auditor.
CREATE VIEW v1_due AS
    SELECT screen_by AS at FROM topics WHERE screen_by IS NOT NULL
    UNION ALL SELECT remind_at FROM meetings WHERE remind_at IS NOT NULL;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'chuishao_notify') THEN
    GRANT USAGE ON SCHEMA deliberation TO chuishao_notify;
    GRANT SELECT ON deliberation.v1_due TO chuishao_notify;
  END IF;
END $$;
