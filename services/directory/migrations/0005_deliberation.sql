-- Rights on the published surface of a service that is younger than it.

DO $$
DECLARE
  view text;
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'chuishao_deliberation') THEN
    GRANT USAGE ON SCHEMA directory TO chuishao_deliberation;
    FOR view IN SELECT viewname FROM pg_views WHERE schemaname = 'directory' AND viewname LIKE 'v1\_%'
    LOOP
      EXECUTE format('GRANT SELECT ON directory.%I TO chuishao_deliberation', view);
    END LOOP;
  END IF;
END
$$;
