-- Two searches in it find what is due, however much waits for later (skip scan, PostgreSQL 18).
CREATE INDEX message_due_urgent ON message (urgent DESC, next_attempt_at) WHERE next_attempt_at IS NOT NULL AND NOT held;
DROP INDEX message_due;
