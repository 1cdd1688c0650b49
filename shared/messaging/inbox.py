"""Inbox: which events have been applied, in the transaction of their effects; and the quarantine beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.events import Event

SEEN = text("SELECT topic, subject, seq FROM seen WHERE topic = ANY(:topics) AND subject = ANY(:subjects) FOR UPDATE")
MOVE = text(
    "INSERT INTO seen (topic, subject, seq)"
    " SELECT topic, subject, seq FROM jsonb_to_recordset(:rows) AS r(topic text, subject uuid, seq bigint)"
    " ON CONFLICT (topic, subject) DO UPDATE SET seq = excluded.seq WHERE seen.seq < excluded.seq"
).bindparams(bindparam("rows", type_=JSONB))
PUT_ASIDE = text(
    "INSERT INTO quarantine (topic, partition, kafka_offset, subject, seq, reason, body)"
    " VALUES (:topic, :partition, :offset, :subject, :seq, :reason, :body)"
    " ON CONFLICT (topic, partition, kafka_offset) DO UPDATE SET reason = excluded.reason"
)
WAITING = text(
    "SELECT id, topic, subject, seq, partition, kafka_offset, body FROM quarantine"
    " WHERE subject = ANY(:subjects) ORDER BY seq"
)
DROP = text("DELETE FROM quarantine WHERE id = :id")


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
    `seen` are locked, so the second one finds what the first has done.
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
    rows = {(e.topic, e.subject): e.seq for e in events}
    if rows:
        await conn.execute(MOVE, {"rows": [{"topic": t, "subject": str(s), "seq": n} for (t, s), n in rows.items()]})


async def put_aside(conn: AsyncConnection, record: Record, event: Event | None, reason: str) -> None:
    """Quarantines bytes with the reason; `event` is None when they could not be read."""
    await conn.execute(
        PUT_ASIDE,
        {
            "topic": event.topic if event else record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "subject": event.subject if event else _subject(record.key),
            "seq": event.seq if event else None,
            "reason": reason,
            "body": record.body,
        },
    )


def _subject(key: bytes | None) -> UUID | None:
    try:
        return UUID((key or b"").decode())
    except ValueError:
        return None
