-- Numbers of other systems: whatever comes under the same one again is likely the same thing.
CREATE INDEX issue_external ON issue (external_system, external_number, id) WHERE external_number IS NOT NULL;
