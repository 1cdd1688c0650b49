-- The vault: who people are and how to reach them. Nobody but the owner touches its tables; services go
-- through the functions below, which run as the owner. Keys never enter SQL: what is stored is sealed.

CREATE SCHEMA IF NOT EXISTS vault;

CREATE TABLE vault.person (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  phone_index bytea UNIQUE,                    -- HMAC of the E.164 number: finds a person, tells no number
  wrapped_key bytea NOT NULL,                  -- the person's own key under the master key
  sealed      bytea NOT NULL                   -- {"name","phone","openid","wecom"} under the person's key
);

CREATE TABLE vault.channel (
  person      uuid NOT NULL REFERENCES vault.person ON DELETE CASCADE,
  channel     text NOT NULL CHECK (channel IN ('wechat', 'wecom', 'sms')),
  ord         integer NOT NULL,                -- the person's own order, from 1
  address     bytea NOT NULL,                  -- keyed hash: tells whether an address changed, never what it is
  dead_at     timestamptz,
  dead_reason text CHECK (length(dead_reason) <= 64),
  PRIMARY KEY (person, channel)
);
CREATE INDEX channel_working ON vault.channel (person) WHERE dead_at IS NULL;

-- Every opening of personal data, for the auditor. Only ever added to.
CREATE TABLE vault.opening (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  person  uuid NOT NULL,
  by_role text NOT NULL,
  purpose text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 64),
  at      timestamptz NOT NULL
);
CREATE INDEX opening_person ON vault.opening (person, at);

CREATE VIEW v1_reachable AS
  SELECT id AS person FROM vault.person p
    WHERE EXISTS (SELECT FROM vault.channel c WHERE c.person = p.id AND c.dead_at IS NULL);

-- The person behind a phone number, or null.
CREATE FUNCTION vault.v1_find_phone(index bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT id FROM vault.person WHERE phone_index = v1_find_phone.index
$$;

-- The person behind a phone number; a new one is created with what the caller sealed and can be reached
-- by text message. Two callers at once get the same person.
CREATE FUNCTION vault.v1_person_by_phone(index bytea, wrapped bytea, sealed bytea) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  known uuid;
BEGIN
  SELECT p.id INTO known FROM vault.person p WHERE p.phone_index = v1_person_by_phone.index;
  IF known IS NOT NULL THEN
    RETURN known;
  END IF;
  INSERT INTO vault.person AS p (phone_index, wrapped_key, sealed)
    VALUES (v1_person_by_phone.index, v1_person_by_phone.wrapped, v1_person_by_phone.sealed)
    ON CONFLICT (phone_index) DO NOTHING RETURNING p.id INTO known;
  IF known IS NULL THEN                        -- another caller was first; its row is committed now
    SELECT p.id INTO STRICT known FROM vault.person p WHERE p.phone_index = v1_person_by_phone.index;
  ELSE
    INSERT INTO vault.channel (person, channel, ord, address)
      VALUES (known, 'sms', 1, v1_person_by_phone.index);
  END IF;
  RETURN known;
END
$$;

-- Sealed contacts and the working channels in the person's order. Every opening is logged.
CREATE FUNCTION vault.v1_contacts(persons uuid[], purpose text)
RETURNS TABLE (person uuid, wrapped bytea, sealed bytea, channels text[])
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  INSERT INTO vault.opening (person, by_role, purpose, at)
    SELECT p.id, session_user, v1_contacts.purpose, public.clock_now()
      FROM vault.person p WHERE p.id = ANY (v1_contacts.persons);
  SELECT p.id, p.wrapped_key, p.sealed,
         ARRAY(SELECT c.channel FROM vault.channel c WHERE c.person = p.id AND c.dead_at IS NULL ORDER BY c.ord)
    FROM vault.person p WHERE p.id = ANY (v1_contacts.persons);
$$;

-- An address a provider refused for good is not tried again. `reason` is a provider's code, never words.
CREATE FUNCTION vault.v1_drop_address(person uuid, channel text, reason text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
  UPDATE vault.channel c SET dead_at = public.clock_now(), dead_reason = left(v1_drop_address.reason, 64)
   WHERE c.person = v1_drop_address.person AND c.channel = v1_drop_address.channel AND c.dead_at IS NULL
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vault FROM PUBLIC;
