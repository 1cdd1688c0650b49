"""All SQL of notify. Set-based: a batch of messages is a handful of statements, whatever its size."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

SQL = Path(__file__).parent / "sql"
BUNDLE_LOCK, GATHER_LOCK, RECEIPT_LOCK, MARK_LOCK, REPLY_LOCK, AUDIT_LOCK = range(0x907F01, 0x907F07)
"""Advisory locks: who gives bundling slots, who gathers a digest, who matches receipts with answers of calls, who
gives marks, who reads what a text means, who tells of an incident. Rows are locked in one order: questions, messages,
numbers of events."""


def _file(name: str, rows: str | None = None) -> TextClause:
    statement = text((SQL / f"{name}.sql").read_text(encoding="utf-8"))
    return statement.bindparams(bindparam(rows, type_=JSONB)) if rows else statement


AUDIENCE = _file("audience", "tellings")
GATHER = _file("gather")
DUE = _file("due")
RECORD = _file("record", "results")
RECEIPTS = _file("receipts", "receipts")
ALLOT = _file("allot", "asked")
TELLING_PLACE = _file("place")
PEOPLE = _file("people")
RESIDENT = text("SELECT vault.v1_person_by_phone(:index, :wrapped, :sealed)")

LOCK = text("SELECT pg_advisory_xact_lock(:key)")
POLICY = text("SELECT body FROM notify.policy")
SET_POLICY = text(
    "INSERT INTO notify.policy (name, body) VALUES (:name, :body)"
    " ON CONFLICT (active) DO UPDATE SET name = excluded.name, body = excluded.body"
).bindparams(bindparam("body", type_=JSONB))
# A unit's name alone says little beyond its compound: the compound's is put before it.
PLACES = text(
    "SELECT g.id, CASE WHEN g.rank >= m.rank OR position(m.label IN g.label) > 0 THEN g.label"
    " ELSE coalesce(m.label, '') || g.label END AS label"
    " FROM directory.v1_grid g LEFT JOIN directory.v1_path w ON w.grid = g.id AND w.rank = 3"
    " LEFT JOIN directory.v1_grid m ON m.id = w.up WHERE g.id = ANY(:grids)"
)
LABELS = text(
    "SELECT id::text AS code, label FROM directory.v1_venue WHERE id = ANY(:venues)"
    " UNION ALL SELECT code, label FROM directory.v1_department WHERE code = ANY(:departments)"
)
SPOKE = text(
    "INSERT INTO spoken (issue, at)"
    " SELECT issue, max(at) FROM jsonb_to_recordset(:rows) AS r(issue uuid, at timestamptz) GROUP BY issue"
    " ON CONFLICT (issue) DO UPDATE SET at = greatest(spoken.at, excluded.at)"
).bindparams(bindparam("rows", type_=JSONB))
SPOKEN = text("SELECT issue, at FROM spoken WHERE issue = ANY(:issues)")
LAST_ASSIGNED = text(
    "SELECT person, max(not_before) AS slot FROM message"
    " WHERE reason = 'assigned' AND NOT urgent AND state <> 'expired'"
    " AND person = ANY(:persons) AND not_before > :since GROUP BY person"
)
# One message per key: a repeated event tells nobody twice.
INSERT = text(
    "INSERT INTO message (key, person, template, reason, issue, issues, hop, params, urgent, channel, traceparent,"
    " held, not_before, next_attempt_at)"
    " SELECT key, person, template, reason, issue, array_remove(ARRAY[issue], NULL), hop, params, urgent, channel,"
    " traceparent, slot > public.clock_now(), slot, slot"
    " FROM jsonb_to_recordset(:rows) AS r(key text, person uuid, template text, reason text, issue uuid, hop int,"
    " params jsonb, urgent boolean, channel text, traceparent text, slot timestamptz)"
    " ON CONFLICT (key) DO NOTHING"
).bindparams(bindparam("rows", type_=JSONB))
# Only what still waits; a message on its way has no next attempt.
EXPIRE = text(
    "UPDATE message SET state = 'expired', held = false, next_attempt_at = NULL, settled_at = public.clock_now()"
    " WHERE issue = ANY(:issues) AND state = 'queued' AND next_attempt_at IS NOT NULL"
    " AND (held OR reason = 'reminder') AND reason = ANY(:reasons)"
)
HELD_DUE = text("SELECT EXISTS (SELECT FROM message WHERE held AND not_before <= public.clock_now())")
CONTACTS = text("SELECT person, wrapped, sealed, channels FROM vault.v1_contacts(CAST(:persons AS uuid[]), :purpose)")
REFUSALS = text("SELECT person, channel, template FROM refusal WHERE person = ANY(:persons)")
# What was sent lately, by the channels that count it; their longest window is a day, WeCom's an hour.
SENT = text(
    "SELECT person, channel, array_agg(at ORDER BY at) AS times FROM attempt"
    " WHERE channel IN ('sms', 'wecom') AND state <> 'failed' AND person = ANY(:persons)"
    " AND at > public.clock_now() - CASE channel WHEN 'sms' THEN interval '1 day' ELSE interval '1 hour' END"
    " GROUP BY person, channel"
)
BEGIN = text(
    "INSERT INTO attempt (id, message, person, channel, provider, n, lease_until)"
    " SELECT id, message, person, channel, provider, n, now() + make_interval(secs => :lease)"
    " FROM jsonb_to_recordset(:rows)"
    " AS r(id uuid, message uuid, person uuid, channel text, provider text, n int)"
).bindparams(bindparam("rows", type_=JSONB))
WAIT = text(
    "UPDATE message m SET next_attempt_at = r.until"
    " FROM jsonb_to_recordset(:rows) AS r(message uuid, until timestamptz) WHERE m.id = r.message"
).bindparams(bindparam("rows", type_=JSONB))
SETTLE = text(
    "UPDATE message SET state = :state, next_attempt_at = NULL, settled_at = public.clock_now()"
    " WHERE (id = ANY(:ids) OR bundle = ANY(:ids)) AND state IN ('queued', 'sent')"
    " RETURNING id, issue, person, reason, hop, traceparent, coalesce(bundle, id) AS lead"
)
NEXT_SEQ = text(
    "INSERT INTO issue_seq AS s (issue, seq)"
    " SELECT issue, count(*) FROM unnest(CAST(:issues AS uuid[])) AS issue GROUP BY issue ORDER BY issue"
    " ON CONFLICT (issue) DO UPDATE SET seq = s.seq + excluded.seq RETURNING issue, seq"
)
# Calls whose end nobody knows: whoever made them is gone, or got no answer.
ORPHANS = text(
    "UPDATE attempt a SET lease_until = now() + make_interval(secs => :lease)"
    " FROM message m WHERE m.id = a.message AND a.id IN"
    " (SELECT id FROM attempt WHERE state IN ('sending', 'unknown') AND lease_until < now()"
    "  ORDER BY lease_until LIMIT :batch FOR UPDATE SKIP LOCKED)"
    " RETURNING a.id AS attempt, a.message, a.person, a.channel, a.at, m.template, m.issue, m.params, m.traceparent,"
    " CAST(extract(epoch FROM now() - a.begun_at) AS float) AS age"
)
LOG_RECEIPTS = text(
    "INSERT INTO receipt (provider, ref, out_id, delivered, code)"
    " SELECT provider, ref, out_id, delivered, code FROM jsonb_to_recordset(:receipts)"
    " AS r(provider text, ref text, out_id uuid, delivered boolean, code text)"
).bindparams(bindparam("receipts", type_=JSONB))
EARLY_RECEIPTS = text(
    "SELECT r.provider, r.ref, r.out_id, r.delivered, r.code FROM attempt a"
    " JOIN receipt r ON r.provider = a.provider AND r.ref = a.provider_ref"
    " WHERE a.id = ANY(:attempts) AND a.state = 'sent'"
)
WAKE = text(
    "UPDATE message SET next_attempt_at = public.clock_now()"
    " WHERE id = ANY(:ids) AND state IN ('queued', 'sent') AND bundle IS NULL"
)
DROP_ADDRESSES = text(
    "SELECT vault.v1_drop_address(r.person, r.channel, r.reason)"
    " FROM jsonb_to_recordset(:rows) AS r(person uuid, channel text, reason text)"
).bindparams(bindparam("rows", type_=JSONB))
REFUSE = text(
    "INSERT INTO refusal (person, channel, template)"
    " SELECT person, channel, template FROM jsonb_to_recordset(:rows)"
    " AS r(person uuid, channel text, template text) ON CONFLICT DO NOTHING"
).bindparams(bindparam("rows", type_=JSONB))
FIND_PHONE = text("SELECT vault.v1_find_phone(:index)")
# Only what is new: a provider sends a text or a click again until it is answered.
INBOUND = text(
    "INSERT INTO inbound (provider, sequence_id, person, content) VALUES (:provider, :sequence_id, :person, :content)"
    " ON CONFLICT DO NOTHING"
)
# What a text of this person can mean: every question that is open or was settled within 7 days, oldest first.
QUESTIONS = text(
    "SELECT q.mark, q.issue, q.asks, q.closed_at IS NULL AS open, q.facts, m.id AS message, m.reason, m.hop"
    " FROM question q JOIN message m ON m.id = q.message WHERE q.person = :person"
    " AND (q.closed_at IS NULL OR q.closed_at >= public.clock_now() - interval '7 days') ORDER BY q.asked_at, q.mark"
)
ANSWER = text(
    "UPDATE question SET closed_at = coalesce(closed_at, public.clock_now()), pending = :pending"
    " WHERE person = :person AND issue = :issue AND asks = :asks"
)
# Questions of a case as of its last event: what they are about now, and which of them are settled by it.
STANDING = text(
    "UPDATE question q SET facts = q.facts || r.facts, closed_at = CASE WHEN q.asks = ANY(r.closes)"
    " THEN coalesce(q.closed_at, public.clock_now()) ELSE q.closed_at END"
    " FROM jsonb_to_recordset(:rows) AS r(issue uuid, facts jsonb, closes text[]) WHERE q.issue = r.issue"
).bindparams(bindparam("rows", type_=JSONB))
HEARD = text(
    "UPDATE question q SET pending = NULL FROM jsonb_to_recordset(:rows) AS r(person uuid, issue uuid)"
    " WHERE (q.person, q.issue) = (r.person, r.issue)"
).bindparams(bindparam("rows", type_=JSONB))
HELPED = text(
    "SELECT count(*) FROM message WHERE person = :person AND reason = 'reply' AND template = ANY(:templates)"
    " AND created_at > public.clock_now() - interval '1 day'"
)
CARD = text("SELECT id AS message, person, issue, template, reason, hop, params FROM message WHERE id = :message")
CHANGE_CARD = text(
    "INSERT INTO card_update (message, person, act, response_code) VALUES (:message, :person, :act, :response_code)"
)
# The lease is over long before a call that hangs would be made again.
CARDS_DUE = text(
    "UPDATE card_update c SET tries = c.tries + 1, next_at = now() + make_interval(secs => :lease) FROM message m"
    " WHERE m.id = c.message AND c.id IN"
    " (SELECT id FROM card_update WHERE next_at <= now() ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED)"
    " RETURNING c.id, c.message, c.person, c.act, c.response_code, c.tries, m.issue, m.template, m.params"
)
CARDS_DONE = text("UPDATE card_update SET next_at = NULL WHERE id = ANY(:ids) OR (id = ANY(:all) AND tries >= :tries)")
TOKEN = text("SELECT sealed FROM token WHERE provider = :provider AND expires_at > now()")
SET_TOKEN = text(
    "INSERT INTO token (provider, sealed, expires_at) VALUES (:provider, :sealed, now() + make_interval(secs => :ttl))"
    " ON CONFLICT (provider) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at"
)
MESSAGES = text(
    "SELECT m.id, m.person, p.no, m.template, m.reason, m.key, m.hop, m.issues, m.state, m.created_at, m.settled_at,"
    " coalesce((SELECT jsonb_agg(jsonb_build_object('channel', a.channel, 'provider', a.provider, 'n', a.n,"
    " 'state', a.state, 'error', a.error, 'cost', a.cost, 'at', a.at) ORDER BY a.id)"
    " FROM attempt a WHERE a.message = coalesce(m.bundle, m.id)), '[]') AS attempts"
    " FROM message m LEFT JOIN directory.v1_person p ON p.id = m.person"
    " WHERE (CAST(:issue AS uuid) IS NULL OR m.issues @> ARRAY[CAST(:issue AS uuid)] OR m.issue = :issue)"
    " AND (CAST(:after AS uuid) IS NULL OR m.id > :after) ORDER BY m.id LIMIT :limit"
)
WAITING = text(
    "SELECT count(*) AS rows,"
    " coalesce(extract(epoch FROM public.clock_now() - min(next_attempt_at)), 0)::float AS seconds"
    " FROM message WHERE next_attempt_at <= public.clock_now() AND NOT held"
)
# Nothing to send, nothing on its way: what `clock --advance` waits for.
BUSY = text(
    "SELECT EXISTS (SELECT FROM message WHERE next_attempt_at <= public.clock_now())"
    " OR EXISTS (SELECT FROM attempt WHERE state IN ('sending', 'unknown'))"
)


async def all_rows(conn: AsyncConnection, statement: TextClause, **parameters: Any) -> Sequence[Row[Any]]:
    return (await conn.execute(statement, parameters)).all()


async def lock(conn: AsyncConnection, key: int) -> None:
    """An advisory lock until the end of the transaction; its own statement, so that the next one sees what came."""
    await conn.execute(LOCK, {"key": key})


async def policy_body(conn: AsyncConnection) -> Mapping[str, Any] | None:
    body: Mapping[str, Any] | None = (await conn.execute(POLICY)).scalar_one_or_none()
    return body


async def audience(conn: AsyncConnection, tellings: Sequence[Mapping[str, Any]]) -> list[tuple[int, UUID]]:
    return [(row.i, row.person) for row in await all_rows(conn, AUDIENCE, tellings=tellings)]


async def places(conn: AsyncConnection, grids: Sequence[UUID]) -> dict[UUID, str]:
    return {row.id: row.label for row in await all_rows(conn, PLACES, grids=grids)}


async def labels(conn: AsyncConnection, venues: Sequence[UUID], departments: Sequence[str]) -> dict[str, str]:
    """What venues (by id) and departments (by code) are called."""
    if not venues and not departments:
        return {}
    return {row.code: row.label for row in await all_rows(conn, LABELS, venues=venues, departments=departments)}


async def spoken(conn: AsyncConnection, issues: Sequence[UUID]) -> dict[UUID, datetime]:
    return {row.issue: row.at for row in await all_rows(conn, SPOKEN, issues=issues)}


async def note_spoken(conn: AsyncConnection, acts: Sequence[tuple[UUID, datetime]]) -> None:
    if acts:
        rows = [{"issue": str(issue), "at": at.isoformat()} for issue, at in acts]
        await conn.execute(SPOKE, {"rows": rows})


async def last_assigned(
    conn: AsyncConnection, persons: Sequence[UUID], now: datetime, window: timedelta
) -> dict[UUID, datetime]:
    rows = await all_rows(conn, LAST_ASSIGNED, persons=persons, since=now - window)
    return {row.person: row.slot for row in rows}


async def gather(conn: AsyncConnection) -> None:
    """Bundles what waited and is due. Done by one at a time, so that a person gets one digest."""
    if (await conn.execute(HELD_DUE)).scalar_one():
        await lock(conn, GATHER_LOCK)
        await conn.execute(GATHER)


async def next_seqs(conn: AsyncConnection, issues: Sequence[UUID]) -> list[int]:
    """The next event number of each issue, in order; the numbers' rows stay locked until the transaction ends."""
    rows = await all_rows(conn, NEXT_SEQ, issues=issues)
    last = {row.issue: int(row.seq) for row in rows}
    left = {issue: issues.count(issue) for issue in last}
    given = []
    for issue in issues:
        left[issue] -= 1
        given.append(last[issue] - left[issue])
    return given


async def allot(conn: AsyncConnection, asked: Sequence[Mapping[str, Any]]) -> dict[tuple[UUID, UUID, str], int]:
    """Marks of the questions just asked, by person, issue and who is asked; see sql/allot.sql."""
    if not asked:
        return {}
    await lock(conn, MARK_LOCK)
    return {(row.person, row.issue, row.asks): row.mark for row in await all_rows(conn, ALLOT, asked=asked)}


async def note_inbound(
    conn: AsyncConnection, provider: str, sequence_id: str, person: UUID | None, content: str
) -> bool:
    """Notes what came in. False if it came before."""
    row = {"provider": provider, "sequence_id": sequence_id, "person": person, "content": content}
    return (await conn.execute(INBOUND, row)).rowcount == 1


async def helped(conn: AsyncConnection, person: UUID, templates: Sequence[str]) -> int:
    """How many answers by these templates the person got within a day."""
    return int((await conn.execute(HELPED, {"person": person, "templates": list(templates)})).scalar_one())


async def find_phone(conn: AsyncConnection, index: bytes) -> UUID | None:
    """Whose telephone it is."""
    person: UUID | None = (await conn.execute(FIND_PHONE, {"index": index})).scalar_one()
    return person


async def waiting(conn: AsyncConnection) -> tuple[int, float]:
    """How many messages should have been sent by now, and for how many seconds the oldest."""
    row = (await conn.execute(WAITING)).one()
    return row.rows, row.seconds


async def busy(conn: AsyncConnection) -> bool:
    """Whether a message is due or on its way."""
    return bool((await conn.execute(BUSY)).scalar_one())
