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
BUNDLE_LOCK, GATHER_LOCK, RECEIPT_LOCK = 0x907F01, 0x907F02, 0x907F03
"""Advisory locks: who gives bundling slots, who gathers a digest, who matches receipts with answers of calls."""


def _file(name: str, rows: str | None = None) -> TextClause:
    statement = text((SQL / f"{name}.sql").read_text(encoding="utf-8"))
    return statement.bindparams(bindparam(rows, type_=JSONB)) if rows else statement


AUDIENCE = _file("audience", "tellings")
GATHER = _file("gather")
DUE = _file("due")
RECORD = _file("record", "results")
RECEIPTS = _file("receipts", "receipts")

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
    "INSERT INTO message (key, person, template, reason, issue, issues, hop, params, urgent, held, not_before,"
    " next_attempt_at)"
    " SELECT key, person, template, reason, issue, ARRAY[issue], hop, params, urgent,"
    " slot > public.clock_now(), slot, slot"
    " FROM jsonb_to_recordset(:rows) AS r(key text, person uuid, template text, reason text, issue uuid, hop int,"
    " params jsonb, urgent boolean, slot timestamptz)"
    " ON CONFLICT (key) DO NOTHING"
).bindparams(bindparam("rows", type_=JSONB))
# Only what still waits; a message on its way has no next attempt.
EXPIRE = text(
    "UPDATE message SET state = 'expired', held = false, next_attempt_at = NULL, settled_at = public.clock_now()"
    " WHERE issue = ANY(:issues) AND state = 'queued' AND next_attempt_at IS NOT NULL"
    " AND (held OR reason = 'reminder') AND (CAST(:reasons AS text[]) IS NULL OR reason = ANY(:reasons))"
)
HELD_DUE = text("SELECT EXISTS (SELECT FROM message WHERE held AND not_before <= public.clock_now())")
CONTACTS = text("SELECT person, wrapped, sealed, channels FROM vault.v1_contacts(CAST(:persons AS uuid[]), :purpose)")
REFUSALS = text("SELECT person, channel, template FROM refusal WHERE person = ANY(:persons)")
FREQUENCY = text(
    "SELECT person, max(at) AS last, count(*) AS day, min(at) AS first FROM attempt"
    " WHERE channel = 'sms' AND state <> 'failed' AND person = ANY(:persons)"
    " AND at > public.clock_now() - interval '1 day' GROUP BY person"
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
    " RETURNING id, issue, person, reason, hop, coalesce(bundle, id) AS lead"
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
    " RETURNING a.id AS attempt, a.message, a.person, a.channel, a.at, m.template, m.issue, m.params,"
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
FIND_PHONES = text(
    "SELECT i, vault.v1_find_phone(index) AS person"
    " FROM unnest(CAST(:indexes AS bytea[])) WITH ORDINALITY AS u(index, i)"
)
INBOUND = text(
    "INSERT INTO inbound (provider, sequence_id, person, content)"
    " SELECT provider, sequence_id, person, content FROM jsonb_to_recordset(:rows)"
    " AS r(provider text, sequence_id text, person uuid, content text) ON CONFLICT DO NOTHING"
).bindparams(bindparam("rows", type_=JSONB))
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


async def busy(conn: AsyncConnection) -> bool:
    """Whether a message is due or on its way."""
    return bool((await conn.execute(BUSY)).scalar_one())
