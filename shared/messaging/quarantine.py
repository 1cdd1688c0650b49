"""What operators do with quarantined events of a service: look, replay in order, drop."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import transaction
from shared.messaging.consumer import Consumer
from shared.messaging.events import BadEvent, decode
from shared.messaging.inbox import DROP, Record, move_seen, sort_out

LIST = text(
    "SELECT id, topic, subject, seq, partition, kafka_offset, reason, created_at, body FROM quarantine"
    " WHERE :id = 0 OR id = :id ORDER BY subject, seq, id"
)


async def quarantined(conn: AsyncConnection, id_: int = 0) -> Sequence[RowMapping]:
    """Quarantined events of the connection's service, all or the one with `id_`, in the order of replay."""
    return (await conn.execute(LIST, {"id": id_})).mappings().all()


async def replay(consumer: Consumer, id_: int = 0) -> tuple[int, int]:
    """Applies all (or one) again, each subject in order. Returns (applied or dropped as known, still there)."""
    context = consumer.context
    done = left = 0
    async with transaction(context.engine) as conn:
        rows = await quarantined(conn, id_)
    for row in rows:
        record = Record(row["topic"], row["partition"], row["kafka_offset"], None, bytes(row["body"]))
        if await consumer.again(record, row["id"]):
            done += 1
        else:
            left += 1
    return done, left


async def drop(conn: AsyncConnection, id_: int) -> bool:
    """Gives an event up: it counts as seen, so that later ones of its subject can go on. False if there is none."""
    rows = await quarantined(conn, id_)
    for row in rows:
        try:
            event = decode(row["topic"], bytes(row["body"]))
        except BadEvent:
            event = None
        if event and (await sort_out(conn, [event])).apply:
            await move_seen(conn, [event])
        await conn.execute(DROP, {"id": row["id"]})
    return bool(rows)
