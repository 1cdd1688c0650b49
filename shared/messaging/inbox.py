"""Inbox: which events have been applied, in the transaction of their effects; and the quarantine beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import DatabaseAway
from shared.messaging.events import BadEvent, Event

SEEN = text(
    "SELECT topic, subject, seq FROM seen WHERE topic = ANY(:topics) AND subject = ANY(:subjects)"
    " ORDER BY topic, subject FOR UPDATE"
)
MOVE = text(
    "INSERT INTO seen (topic, subject, seq)"
    " SELECT topic, subject, seq FROM jsonb_to_recordset(:rows) AS r(topic text, subject uuid, seq bigint)"
    " ON CONFLICT (topic, subject) DO UPDATE SET seq = excluded.seq WHERE seen.seq < excluded.seq"
).bindparams(bindparam("rows", type_=JSONB))
PUT_ASIDE = text(
    "INSERT INTO quarantine (topic, partition, kafka_offset, subject, seq, reason, body)"
    " VALUES (:topic, :partition, :offset, :subject, :seq, :reason, :body)"
    " ON CONFLICT DO NOTHING"  # the same event once more, or its bytes
)
WAITING = text(
    "SELECT id, topic, body FROM quarantine WHERE seq IS NOT NULL AND (topic, subject) IN"
    " (SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:subjects AS uuid[]))) ORDER BY topic, subject, seq"
)
BLAME = text("UPDATE quarantine SET reason = :reason WHERE id = :id")
DROP = text("DELETE FROM quarantine WHERE id = :id")


class Overtaken(DatabaseAway):
    """Another consumer has applied one of these events meanwhile; nothing was changed, try again."""


@dataclass(frozen=True)
class Record:
    """Bytes from Kafka with where they lay."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    body: bytes


@dataclass(frozen=True)
class Sorted:
    """A batch against what has been seen: what to apply now, and what has a gap before it."""

    apply: list[Event]
    gaps: list[Event]


async def sort_out(conn: AsyncConnection, events: Sequence[Event]) -> Sorted:
    """`seq` <= seen is dropped, the next is applied, anything later waits.

    Two workers never see one subject at once (one partition, one member), but a rebalance may overlap: the rows of
    `seen` are locked, so the second one finds what the first has done. A subject's first row cannot be locked yet:
    `move_seen` tells.
    """
    found = await conn.execute(
        SEEN, {"topics": list({e.topic for e in events}), "subjects": list({e.subject for e in events})}
    )
    seen = {(row.topic, row.subject): int(row.seq) for row in found}
    apply: list[Event] = []
    gaps: list[Event] = []
    for event in events:
        last = seen.get((event.topic, event.subject), 0)
        if event.seq == last + 1:
            seen[event.topic, event.subject] = event.seq
            apply.append(event)
        elif event.seq > last:
            gaps.append(event)
    return Sorted(apply, gaps)


async def move_seen(conn: AsyncConnection, events: Iterable[Event]) -> None:
    """Counts applied events as seen. Raises Overtaken when another consumer was faster."""
    rows = {(e.topic, e.subject): e.seq for e in events}
    if rows:
        values = [{"topic": t, "subject": str(s), "seq": n} for (t, s), n in sorted(rows.items())]
        if (await conn.execute(MOVE, {"rows": values})).rowcount < len(values):
            raise Overtaken


async def waiting(conn: AsyncConnection, events: Sequence[Event]) -> Sequence[Row[Any]]:
    """What lies in the quarantine for the topics and subjects of `events`, in order: (id, topic, body)."""
    places = {(e.topic, e.subject) for e in events}
    if not places:
        return []
    columns = {"topics": [topic for topic, _ in places], "subjects": [subject for _, subject in places]}
    return (await conn.execute(WAITING, columns)).all()


async def put_aside(conn: AsyncConnection, record: Record, at: Event | BadEvent, reason: str) -> None:
    """Quarantines bytes with the reason; `at` tells subject and seq, as far as they could be read."""
    await conn.execute(
        PUT_ASIDE,
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "subject": at.subject or _subject(record.key),
            "seq": at.seq,
            "reason": reason,
            "body": record.body,
        },
    )


def _subject(key: bytes | None) -> UUID | None:
    try:
        return UUID((key or b"").decode())
    except ValueError:
        return None
