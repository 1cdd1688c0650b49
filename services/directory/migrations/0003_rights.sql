-- Rights on the published surface. A role that a deployment does not have (yet) is passed over.

DO $$
DECLARE
  reader text;
  view   text;
BEGIN
  FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN
    ('chuishao_directory', 'chuishao_intake', 'chuishao_routing', 'chuishao_notify',
     'chuishao_deliberation', 'chuishao_appraisal')
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA directory TO %I', reader);
    FOR view IN SELECT viewname FROM pg_views WHERE schemaname = 'directory' AND viewname LIKE 'v1\_%'
    LOOP
      EXECUTE format('GRANT SELECT ON directory.%I TO %I', view, reader);
    END LOOP;
    IF reader IN ('chuishao_directory', 'chuishao_intake', 'chuishao_notify') THEN
      EXECUTE format('GRANT USAGE ON SCHEMA vault TO %I', reader);
      EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vault TO %I', reader);
    END IF;
  END LOOP;
END
$$;
