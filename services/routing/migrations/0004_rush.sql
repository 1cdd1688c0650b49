CREATE INDEX cases_next_emergency ON cases (next_at) WHERE urgency = 'emergency' AND next_at IS NOT NULL;
