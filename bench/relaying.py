"""`relay`: 100,000 events that wait in an outbox, relayed to Kafka, against aiokafka's bare producer.

Same records (topic, key, value, headers), same producer settings, same broker. The bare side has them ready in memory
and marks nothing; it sends as many before it waits as the relay does.
"""

import asyncio
import time
from dataclasses import dataclass

from sqlalchemy import text

from bench.row import Row, medians_of
from bench.servers import Bench
from shared.db import make_engine, transaction
from shared.messaging.events import encode
from shared.messaging.outbox import BATCH, UNPUBLISHED, Relay, make_producer
from shared.service import Context

NAME = "relay"
EVENTS, QUICK = 100_000, 5_000
# A case's event as routing tells it.
FILL = text("""
INSERT INTO routing.outbox (topic, subject, seq, type, data, traceparent)
SELECT 'case', uuidv7(), 1, 'cn.chuishao.routing.case.escalated.v1', jsonb_build_object(
           'number', '261124-' || n, 'category', 'FAC.light', 'urgency', 'ordinary', 'place', gen_random_uuid(),
           'phase', 'assigned', 'on_hold', NULL, 'level', 'small', 'grid', gen_random_uuid(), 'hop', 2,
           'holder_kind', 'person', 'holder_person', gen_random_uuid(), 'reporter', gen_random_uuid(), 'own', false,
           'recused', jsonb_build_array(gen_random_uuid()), 'accept_by', now(), 'resolve_by', now(), 'promised_by',
           now(), 'policy', 'default-1', 'reason', 'accept_timeout', 'from_level', 'micro', 'from_hop', 1, 'by', NULL,
           'count', NULL, 'skipped', '[]'::jsonb),
       '00-' || md5(n::text) || '-' || left(md5('s' || n), 16) || '-01'
  FROM generate_series(1, :count) n
""")


@dataclass(frozen=True)
class Ready:
    """A record as the producer takes it."""

    topic: str
    value: bytes
    key: bytes
    headers: list[tuple[str, bytes]]


async def measure(bench: Bench) -> Row:
    count = QUICK if bench.quick else EVENTS
    _, prefix = await bench.broker()
    async with bench.district() as url, bench.context(url, "routing", prefix) as ctx:
        owner = make_engine(url, pool=1)

        async def refill() -> None:
            async with transaction(owner) as conn:
                await conn.execute(text("TRUNCATE routing.outbox"))
                await conn.execute(FILL, {"count": count})
            async with owner.connect() as conn:
                await conn.execution_options(isolation_level="AUTOCOMMIT")
                await conn.execute(text("VACUUM (ANALYZE) routing.outbox"))

        async def ours() -> float:
            await refill()
            return count / await _relayed(ctx)

        async def theirs() -> float:
            await refill()
            return count / await _sent(ctx, await _records(ctx, count))

        mine, other = await medians_of(bench.runs, ours, theirs)
        await owner.dispose()
    return Row(NAME, "events/s", mine, bench.runs, other, at_least=0.5)


async def _relayed(ctx: Context) -> float:
    """Seconds until the outbox is empty."""
    relay = Relay(ctx)
    began = time.perf_counter()
    await relay.send_all()
    seconds = time.perf_counter() - began
    await relay.close()
    async with transaction(ctx.engine) as conn:
        assert not (await conn.execute(UNPUBLISHED, {"flying": [], "batch": 1})).all()
    return seconds


async def _records(ctx: Context, count: int) -> list[Ready]:
    prefix = ctx.settings.topic_prefix
    async with transaction(ctx.engine) as conn:
        rows = (await conn.execute(UNPUBLISHED, {"flying": [], "batch": count})).mappings().all()
    return [
        Ready(
            prefix + row["topic"],
            encode(ctx.name, row),
            row["subject"].encode(),
            [("traceparent", row["traceparent"].encode())],
        )
        for row in rows
    ]


async def _sent(ctx: Context, records: list[Ready]) -> float:
    """Seconds until the broker has acknowledged everything."""
    producer = make_producer(ctx.kafka)
    await producer.start()
    began = time.perf_counter()
    for at in range(0, len(records), BATCH):
        futures = [
            await producer.send(record.topic, record.value, key=record.key, headers=record.headers)
            for record in records[at : at + BATCH]
        ]
        await asyncio.gather(*futures)
    seconds = time.perf_counter() - began
    await producer.stop()
    return seconds
