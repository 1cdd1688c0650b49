-- Photos. The picture itself lies on the shelf under its id; here is whose it is and what it belongs to.
CREATE TABLE attachment (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    owner text,                      -- the uploader's key; NULL without a token: then whoever knows the id
    uploaded_at timestamptz NOT NULL DEFAULT public.clock_now(),
    stored boolean NOT NULL DEFAULT false,
    dropped boolean NOT NULL DEFAULT false,  -- not used in time, going to be deleted
    subject uuid,                    -- the issue (= case) whose readers may see it; NULL until it is used
    use text CHECK (use IN ('report', 'resolve', 'result')),
    thing uuid,                      -- what shows it: the issue, the case, the whistle
    place uuid,                      -- of a case that no issue stands behind
    ord int,
    used_at timestamptz,
    CHECK ((subject IS NULL) = (use IS NULL))
);
CREATE INDEX attachment_thing ON attachment (thing, used_at, ord) WHERE thing IS NOT NULL;
CREATE INDEX attachment_unused ON attachment (uploaded_at) WHERE subject IS NULL;

CREATE VIEW v1_attachment AS SELECT id, use, thing, ord, used_at FROM attachment WHERE thing IS NOT NULL;

-- Takes photos for an issue, a resolution or a result, in the caller's transaction: each once, and only the caller's own.
-- Returns those that were taken.
CREATE FUNCTION v1_attach(ids uuid[], owner text, subject uuid, use text, thing uuid, place uuid) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    UPDATE intake.attachment a
       SET subject = v1_attach.subject, use = v1_attach.use, thing = v1_attach.thing, place = v1_attach.place,
           ord = array_position(v1_attach.ids, a.id), used_at = public.clock_now()
     WHERE a.id = ANY (v1_attach.ids) AND a.stored AND NOT a.dropped AND a.subject IS NULL
       AND (a.owner IS NULL OR a.owner = v1_attach.owner)
    RETURNING a.id
$$;
REVOKE ALL ON FUNCTION v1_attach FROM PUBLIC;

DO $$
BEGIN
    GRANT EXECUTE ON FUNCTION intake.v1_attach TO chuishao_intake;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'chuishao_routing') THEN
        GRANT USAGE ON SCHEMA intake TO chuishao_routing;
        GRANT SELECT ON intake.v1_attachment TO chuishao_routing;
        GRANT EXECUTE ON FUNCTION intake.v1_attach TO chuishao_routing;
    END IF;
END
$$;
