-- Who has more open cases in hand than the policy in force takes for a good measure; published for the directory's list of
-- vacancies. (Policies saved before there was such a measure have the default's.)
CREATE VIEW v1_overload AS
    SELECT c.holder_person AS person, count(*)::int AS cases
      FROM cases c
     WHERE c.phase <> 'closed' AND c.holder_kind = 'person' AND c.phase <> 'resolved'
     GROUP BY c.holder_person
    HAVING count(*) > coalesce((SELECT (p.body ->> 'load')::int FROM policy p JOIN policy_in_force f ON f.policy = p.id), 20);
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'chuishao_directory') THEN
    GRANT USAGE ON SCHEMA routing TO chuishao_directory;
    GRANT SELECT ON routing.v1_overload TO chuishao_directory;
  END IF;
END $$;
