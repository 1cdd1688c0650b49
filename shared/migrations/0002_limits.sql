-- Who has asked how often lately, for limits that all replicas share (GCRA: one number a key). `until`: epoch second up
-- to which what was granted is used up; a row whose `until` has passed says nothing. Real time. Unlogged: a crash
-- forgives, and no request waits for a disk.
CREATE UNLOGGED TABLE allowance (
    key bytea PRIMARY KEY,                       -- keyed hash: neither a phone nor an address
    until double precision NOT NULL,
    gap double precision NOT NULL,               -- seconds after which one more is granted
    burst integer NOT NULL,                      -- how many at once
    granted integer NOT NULL                     -- of those asked for last
) WITH (fillfactor = 50);

-- Grants each key up to `wanted` requests. `wait`: seconds until one more would be granted. Keys are unique.
CREATE FUNCTION admit(keys bytea[], gaps double precision[], bursts integer[], wanted integer[])
    RETURNS TABLE (key bytea, granted integer, wait double precision)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO public.allowance AS a (key, until, gap, burst, granted)
    SELECT k, extract(epoch FROM statement_timestamp()) + gap * least(w, burst), gap, burst, least(w, burst)
      FROM unnest(keys, gaps, bursts, wanted) AS asked (k, gap, burst, w) ORDER BY k
    ON CONFLICT (key) DO UPDATE SET (until, gap, burst, granted) = (
        SELECT used + excluded.gap * more, excluded.gap, excluded.burst, more
          FROM (SELECT greatest(a.until, extract(epoch FROM statement_timestamp())) AS used) u,
               LATERAL (SELECT least(excluded.granted, greatest(0, floor(
                   excluded.burst - (used - extract(epoch FROM statement_timestamp())) / excluded.gap + 1e-6
               )))::integer AS more) m)
    RETURNING a.key, a.granted,
              greatest(0, a.until - a.gap * (a.burst - 1) - extract(epoch FROM statement_timestamp()))
$$;
GRANT EXECUTE ON FUNCTION admit(bytea[], double precision[], integer[], integer[]) TO PUBLIC;

-- Forgets keys that say nothing any more.
CREATE FUNCTION forget_allowances() RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM public.allowance WHERE until < extract(epoch FROM statement_timestamp())
$$;
GRANT EXECUTE ON FUNCTION forget_allowances() TO PUBLIC;
