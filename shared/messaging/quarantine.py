"""What operators do with quarantined events of a service: look, replay in order, drop."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import transaction
from shared.messaging.consumer import Consumer

LIST = text(
    "SELECT id, topic, subject, seq, partition, kafka_offset, reason, created_at, body FROM quarantine"
    " WHERE :id = 0 OR id = :id ORDER BY topic, subject, seq, id"
)
GIVE_UP = text("""
WITH gone AS (
    DELETE FROM quarantine q
     WHERE id = :id AND NOT EXISTS (
           SELECT FROM quarantine e WHERE e.topic = q.topic AND e.subject = q.subject AND e.seq < q.seq)
    RETURNING topic, subject, seq
),
moved AS (
    INSERT INTO seen (topic, subject, seq) SELECT topic, subject, seq FROM gone WHERE seq IS NOT NULL
    ON CONFLICT (topic, subject) DO UPDATE SET seq = greatest(seen.seq, excluded.seq)
)
SELECT count(*) FROM gone
""")


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
        if await consumer.again(row["id"], row["topic"], bytes(row["body"])):
            done += 1
        else:
            left += 1
    return done, left


async def drop(conn: AsyncConnection, id_: int) -> bool:
    """Gives an event up, and whatever never came before it: it counts as seen, so that later ones of its subject can
    go on. False if there is none, or one before it lies in the quarantine as well: nobody gives that up unseen."""
    return bool((await conn.execute(GIVE_UP, {"id": id_})).scalar_one())
