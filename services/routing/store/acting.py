"""Statements of the acts that take a second person, and of giving a case back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.store.writing import REACHABLE, SEAT

REQUEST = text("""
INSERT INTO requests (case_id, hop, kind, asked_by, asked_for, until, text)
SELECT id, hop, :kind, :asked_by, :asked_for, CAST(:until AS timestamptz), :text FROM cases WHERE id = :id
""")
# What is open for the present stay; one of an earlier stay says nothing any more.
DECIDE = text("""
UPDATE requests q SET decided_at = public.clock_now(), decided_by = :by, granted = :granted, reason = :reason
  FROM cases c
 WHERE c.id = :id AND q.case_id = c.id AND q.hop = c.hop AND q.decided_at IS NULL
RETURNING q.kind, q.until, q.text
""")
# The clocks stand still, and go on with what is left now: at least the policy's rest, at most the whole term.
SUSPEND = text("""
UPDATE cases SET seq = seq + 1, version = version + 1, on_hold = 'suspended', wait_by = CAST(:until AS timestamptz),
       nags = '{}', nagged = 0,
       accept_left = CASE WHEN accept_left IS NOT NULL THEN greatest(least(:rest, accept_term),
           CASE WHEN accept_by IS NULL THEN accept_left
                ELSE accept_left - public.open_between(accept_calendar, accept_since, public.clock_now()) END) END,
       resolve_left = CASE WHEN resolve_left IS NOT NULL THEN greatest(least(:rest, resolve_term),
           CASE WHEN resolve_by IS NULL THEN resolve_left
                ELSE resolve_left - public.open_between(resolve_calendar, resolve_since, public.clock_now()) END) END,
       accept_by = NULL, accept_remind = NULL, resolve_by = NULL, resolve_remind = NULL
 WHERE id = :id
""")
# An agreed date: natural time from now on, so that neither hours nor an edited calendar move it.
EXTEND = text("""
UPDATE cases SET seq = seq + 1, resolve_calendar = 'natural', resolve_since = public.clock_now(),
       resolve_left = span.left, resolve_term = span.left, resolve_by = CAST(:until AS timestamptz),
       resolve_remind = CAST(:until AS timestamptz) - span.left / 4 * interval '1 microsecond'
  FROM (SELECT (extract(epoch FROM CAST(:until AS timestamptz) - public.clock_now()) * 1000000)::bigint AS left) span
 WHERE id = :id
""")
# The last one below the present holder who had it since the last "not solved", on the way up from its place; `there`:
# he is at his post and can be told.
BELOW = text(f"""
SELECT h.rank, h.grid, h.holder_person, h.holder_post, (h.holder_kind = 'desk'
           OR EXISTS (SELECT FROM {SEAT}
                WHERE c.grid = h.grid AND seat.person = h.holder_person AND NOT seat.away AND {REACHABLE})
           OR h.holder_post = 'bound' AND EXISTS (SELECT FROM directory.v1_binding b
                WHERE b.grid = h.grid AND b.kind = 'member' AND b.person = h.holder_person)) AS there
  FROM (SELECT *, public.clock_now() AS now FROM cases WHERE id = :id) m
  JOIN hops h ON h.case_id = m.id AND h.hop > m.reopened_hop AND h.rank < m.rank AND h.holder_kind IS NOT NULL
  JOIN directory.v1_path p ON p.grid = m.place AND p.up = h.grid
 ORDER BY h.hop DESC LIMIT 1
""")


async def below(conn: AsyncConnection, case: UUID) -> RowMapping:
    """Whom a case may be given back to; the caller knows that there is one."""
    return (await conn.execute(BELOW, {"id": case})).mappings().one()


async def decide(
    conn: AsyncConnection, case: UUID, *, by: UUID | None, granted: bool, reason: str | None
) -> RowMapping:
    """Decides what waits for a second person; gives its kind, `until` and text."""
    values = {"id": case, "by": by, "granted": granted, "reason": reason}
    return (await conn.execute(DECIDE, values)).mappings().one()


async def request(
    conn: AsyncConnection,
    case: UUID,
    kind: str,
    *,
    asked_by: UUID | None,
    asked_for: UUID | None,
    until: datetime | None,
    words: str,
) -> None:
    """Notes what somebody asks for until a second person decides."""
    values = {"id": case, "kind": kind, "asked_by": asked_by, "asked_for": asked_for, "until": until, "text": words}
    await conn.execute(REQUEST, values)
