"""All SQL of the sandbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

PUT_TEMPLATES = text(
    "INSERT INTO sandbox.template (provider, code, text)"
    " SELECT provider, code, text FROM jsonb_to_recordset(:rows) AS r(provider text, code text, text text)"
    " ON CONFLICT (provider, code) DO UPDATE SET text = excluded.text"
).bindparams(bindparam("rows", type_=JSONB))
SET_FREQUENCY = text("UPDATE sandbox.frequency SET per_minute = :per_minute, per_day = :per_day")
TEMPLATE = text("SELECT text FROM template WHERE provider = :provider AND code = :code")
NONCE = text("INSERT INTO nonce (nonce) VALUES (:nonce) ON CONFLICT DO NOTHING")
SWEEP_NONCES = text("DELETE FROM nonce WHERE at < now() - interval '1 hour'")
# Serialises what counts per address: frequency, consents, repeated ids.
LOCK_ADDRESS = text("SELECT pg_advisory_xact_lock(hashtextextended(encode(:address, 'hex'), 7))")
TOO_MANY = text(
    "SELECT count(*) FILTER (WHERE l.at > public.clock_now() - interval '1 minute') >= f.per_minute"
    " OR count(*) >= f.per_day"
    " FROM frequency f LEFT JOIN ledger l ON l.address = :address AND l.channel = 'sms'"
    " AND l.at > public.clock_now() - interval '1 day' GROUP BY f.per_minute, f.per_day"
)
# A message taken, with the receipts to be sent for it.
ACCEPT = text(
    "WITH entry AS (INSERT INTO ledger"
    " (id, provider, channel, address, sealed, template, params, text, out_id, ref, state, code) VALUES"
    " (:id, :provider, :channel, :address, :sealed, :template, :params, :text, :out_id, :ref, :state, :code)"
    " RETURNING id, provider)"
    " INSERT INTO report (ledger, provider) SELECT id, provider FROM entry, generate_series(1, :times)"
).bindparams(bindparam("params", type_=JSONB))
# Within ten minutes an id stands for the same message.
REPEATED = text(
    "SELECT ref FROM ledger WHERE address = :address AND out_id = :out_id AND channel = 'wechat'"
    " AND begun_at > now() - interval '10 minutes'"
)
CONSENT = text(
    "INSERT INTO consent AS c (address, remaining) VALUES (:address, :default - 1)"
    " ON CONFLICT (address) DO UPDATE SET remaining = c.remaining - 1 WHERE c.remaining > 0 RETURNING remaining"
)
SET_CONSENT = text(
    "INSERT INTO consent (address, remaining) VALUES (:address, :remaining)"
    " ON CONFLICT (address) DO UPDATE SET remaining = excluded.remaining"
)
TOKEN = text("SELECT digest, sealed, expires_at > now() AS good FROM token WHERE appid = :appid")
SET_TOKEN = text(
    "INSERT INTO token (appid, digest, sealed, expires_at)"
    " VALUES (:appid, :digest, :sealed, now() + make_interval(secs => :seconds))"
    " ON CONFLICT (appid) DO UPDATE"
    " SET digest = excluded.digest, sealed = excluded.sealed, expires_at = excluded.expires_at"
)
ADD_RULE = text(
    "INSERT INTO rule (provider, address, behaviour, seconds, code, remaining)"
    " VALUES (:provider, :address, :behaviour, :seconds, :code, :remaining)"
)
CLEAR_RULES = text(
    "DELETE FROM rule WHERE provider = :provider AND (CAST(:address AS bytea) IS NULL OR address = :address)"
)
# The rules that hold for this message; those with a count are used up by it.
USE_RULES = text(
    "WITH mine AS (SELECT id FROM rule WHERE provider = :provider AND (address IS NULL OR address = :address)"
    " AND (remaining IS NULL OR remaining > 0) FOR UPDATE)"
    " UPDATE rule r SET remaining = r.remaining - 1 FROM mine WHERE r.id = mine.id"
    " RETURNING r.behaviour, r.seconds, r.code"
)
ANY_RULES = text("SELECT EXISTS (SELECT FROM rule WHERE provider = :provider)")
DETAILS = text(
    "SELECT template, text, out_id, state, code, at, reported_at, count(*) OVER () AS total FROM ledger"
    " WHERE address = :address AND channel = 'sms' AND (at AT TIME ZONE 'Asia/Shanghai')::date = :day"
    " ORDER BY at DESC, id LIMIT :size OFFSET :skip"
)
DUE_REPORTS = text(
    "UPDATE report r SET tries = tries + 1, next_at = now() + make_interval(secs => :lease)"
    " FROM ledger l WHERE l.id = r.ledger AND r.id IN"
    " (SELECT id FROM report WHERE next_at <= now() AND (CAST(:ledger AS uuid) IS NULL OR ledger = :ledger)"
    "  ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED)"
    " RETURNING r.id, r.provider, r.tries, l.id AS ledger, l.sealed, l.out_id, l.ref, l.state, l.code, l.at, l.text"
)
REPORTED = text("UPDATE report SET next_at = NULL WHERE id = ANY(:ids)")
NOTE_REPORTED = text("UPDATE ledger SET reported_at = public.clock_now() WHERE id = ANY(:ledgers)")
LATER = text(
    "UPDATE report SET next_at = CASE WHEN tries < :most THEN now() + make_interval(secs => :seconds) END"
    " WHERE id = ANY(:ids)"
)
# What WeCom throws away: more than 30 a minute or 1,000 an hour to a member; nothing in a demonstration.
TOO_MANY_CARDS = text(
    "SELECT EXISTS (SELECT FROM frequency WHERE per_minute IS NOT NULL) AND"
    " (count(*) FILTER (WHERE at > public.clock_now() - interval '1 minute') >= 30 OR count(*) >= 1000)"
    " FROM ledger WHERE address = :address AND channel = 'wecom' AND at > public.clock_now() - interval '1 hour'"
)
TASK = text("SELECT ledger FROM task WHERE task = :task")
ADD_TASK = text("INSERT INTO task (task, ledger) VALUES (:task, :ledger) ON CONFLICT DO NOTHING")
SHOW_CARD = text(
    "INSERT INTO card (ledger, task, buttons, shown) VALUES (:ledger, :task, :buttons, :shown)"
    " ON CONFLICT (ledger) DO UPDATE SET task = excluded.task, buttons = excluded.buttons, shown = excluded.shown"
).bindparams(bindparam("buttons", type_=JSONB))
REPLACE = text("UPDATE card SET buttons = '[]', shown = :shown WHERE ledger = :ledger")
CARD = text("SELECT c.task, c.buttons, l.sealed FROM card c JOIN ledger l ON l.id = c.ledger WHERE c.ledger = :ledger")
ADD_CODE = text("INSERT INTO response_code (code, ledger) VALUES (:code, :ledger)")
USE_CODE = text(
    "UPDATE response_code r SET used = true FROM ledger l WHERE l.id = r.ledger AND r.code = :code AND NOT r.used"
    " AND r.at > now() - interval '72 hours' RETURNING r.ledger, l.sealed"
)
LEDGER = text(
    "SELECT id, provider, channel, address, template, params, text, out_id, ref, state, code, at FROM sandbox.ledger"
    " WHERE (CAST(:addresses AS bytea[]) IS NULL OR address = ANY(:addresses))"
    " AND (CAST(:since AS timestamptz) IS NULL OR at >= :since) ORDER BY id"
)
# The latest messages as they look on their telephones, with what is left of a card's buttons. `lately`: only those of
# the last seconds (real time).
BUBBLES = text(
    "SELECT * FROM (SELECT l.id, l.channel, l.address, l.text, l.at, coalesce(c.buttons, '[]') AS buttons, c.shown"
    " FROM ledger l LEFT JOIN card c ON c.ledger = l.id WHERE l.state = 'delivered' AND l.address = ANY(:addresses)"
    " AND (CAST(:lately AS float) IS NULL OR l.begun_at > now() - make_interval(secs => :lately))"
    " ORDER BY l.id DESC LIMIT 1000) AS latest ORDER BY id"
)
BUSY = text("SELECT EXISTS (SELECT FROM sandbox.report WHERE next_at IS NOT NULL)")


@dataclass(frozen=True)
class Arrived:
    """A message as it arrived at a telephone. `out_id` is the sender's id for it (a UUID in hex, with or without
    dashes)."""

    id: UUID
    provider: str
    channel: str
    address: bytes
    template: str
    params: Mapping[str, str]
    text: str
    out_id: str
    ref: str
    state: str
    code: str | None
    at: datetime


async def all_rows(conn: AsyncConnection, statement: TextClause, **parameters: Any) -> Sequence[Row[Any]]:
    return (await conn.execute(statement, parameters)).all()


async def ledger(
    conn: AsyncConnection, addresses: Sequence[bytes] | None = None, since: datetime | None = None
) -> list[Arrived]:
    """What arrived, oldest first: at these addresses (see `addresses.address_digest`), or at all."""
    rows = await all_rows(conn, LEDGER, addresses=None if addresses is None else list(addresses), since=since)
    return [Arrived(**row._mapping) for row in rows]


async def busy(conn: AsyncConnection) -> bool:
    """Whether receipts are still to be sent."""
    return bool((await conn.execute(BUSY)).scalar_one())
