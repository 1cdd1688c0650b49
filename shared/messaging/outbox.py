"""Outbox and relay: an event is a row of the transaction that made it true; a relay per service sends the rows."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter
from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import DatabaseAway, events_written, note_events, transaction
from shared.idempotency import SWEEP as SWEEP_KEYS
from shared.messaging.events import NewEvent, encode
from shared.service import Context
from shared.telemetry import current_traceparent, spans
from shared.telemetry.tracing import Told

log = structlog.get_logger()

BATCH = 2000
POLL = 0.1
"""Seconds between looks when nobody woke the relay (another process may have written)."""
BREATH = 0.01
"""Seconds from one look to the next at least, so that what is written meanwhile goes along."""
SEND_TIMEOUT = 10.0
KEEP_DAYS = 14
EVENTS = Counter("chuishao_events_published_total", "Events that the broker acknowledged", ["service"])

INSERT = text(
    "INSERT INTO outbox (topic, subject, seq, type, data, traceparent)"
    " SELECT topic, subject, seq, type, data, traceparent FROM jsonb_to_recordset(:rows)"
    " AS r(topic text, subject uuid, seq bigint, type text, data jsonb, traceparent text)"
).bindparams(bindparam("rows", type_=JSONB))
# As text, which is all that is needed of it: nothing is made of `data` and taken apart again.
UNPUBLISHED = text(
    "SELECT id, CAST(event AS text) AS event, topic, CAST(subject AS text) AS subject, seq, type, at,"
    " CAST(data AS text) AS data, traceparent, created_at FROM outbox"
    " WHERE published_at IS NULL AND id <> ALL(CAST(:flying AS bigint[])) ORDER BY id LIMIT :batch"
)
PUBLISHED = text("UPDATE outbox SET published_at = now() WHERE id = ANY(:ids)")
REPLAY = text("UPDATE outbox SET published_at = NULL WHERE created_at >= :since AND published_at IS NOT NULL")
SWEEP = text(
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE published_at < now() - make_interval(days => :days)"
    " ORDER BY id LIMIT :batch)"
)
# Per transaction, so that a pooled connection can never carry the lock to somebody else.
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('relay:' || current_schema(), 0))")


async def publish(conn: AsyncConnection, events: Sequence[NewEvent]) -> None:
    """Writes events into the outbox of the connection's service; they are told once the transaction commits.

    The caller has locked each aggregate before, so that per subject the order of rows is the order of commits.
    """
    if not events:
        return
    rows = [
        {
            "topic": new.data.topic,
            "subject": str(new.subject),
            "seq": new.seq,
            "type": new.data.type,
            "data": new.data.model_dump(mode="json"),
            "traceparent": new.traceparent or current_traceparent(),
        }
        for new in events
    ]
    await conn.execute(INSERT, {"rows": rows})
    note_events(conn)


def make_producer(bootstrap: str) -> AIOKafkaProducer:
    """acks=all and idempotent: a retry after a lost answer is not written twice within one producer's life."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=256 * 1024,
        request_timeout_ms=int(SEND_TIMEOUT * 1000),
    )


class Relay:
    """Sends a service's outbox to Kafka. Of several processes one works, by a session lock; the others stand by."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._wake = events_written(context.engine)
        self._producer: AIOKafkaProducer | None = None

    async def run(self) -> None:
        """Runs until cancelled; Kafka or PostgreSQL being away only makes it wait."""
        pause = 0.1
        try:
            while True:
                try:
                    await self._work()
                    pause = 0.1
                except (KafkaError, DatabaseAway, OSError, TimeoutError) as error:
                    log.warning("relay.waiting", service=self._context.name, error=type(error).__name__)
                    await self.close()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
        finally:
            await self.close()

    async def _work(self) -> None:
        """Holds the lock on a connection of its own and sends as long as both servers are there.

        A relay that is frozen, or that the broker keeps waiting, loses it like any idle transaction: what it sends
        after all is known by then to whoever hears it."""
        async with transaction(self._context.engine) as lock:
            while not (await lock.execute(TRY_LOCK)).scalar_one():
                await asyncio.sleep(1)  # nobody can tell us when the other one has gone
            while True:
                await lock.execute(text("SELECT 1"))  # the lock is only ours while this session lives
                self._wake.clear()  # before looking: what is written from now on wakes us again
                await self.send_all()
                await asyncio.sleep(BREATH)
                await _wait(self._wake, POLL)

    async def send_all(self) -> None:
        """Sends what is unpublished, in batches, and marks what the broker acknowledged. While the broker has a full
        batch, PostgreSQL marks the one before and reads the next. Raises TimeoutError when a batch was not acknowledged
        as a whole: nothing is sent after it."""
        turn = asyncio.create_task(self._turn((), ()))
        sent: Sequence[int] = ()
        while rows := await turn:
            turn = asyncio.create_task(self._turn(sent, [row["id"] for row in rows] if len(rows) == BATCH else None))
            try:
                sent = await self._send_traced(rows)
            except BaseException:
                await asyncio.wait([turn])
                raise
            if len(sent) < len(rows):
                await turn
                await self._turn(sent, None)
                raise TimeoutError("the broker did not acknowledge a whole batch")
        await self._turn(sent, None)

    async def _turn(self, sent: Sequence[int], flying: Sequence[int] | None) -> Sequence[RowMapping]:
        """Marks what was sent, and reads what is to be sent next beside what is on its way; nothing for None."""
        if not sent and flying is None:
            return ()
        async with transaction(self._context.engine) as conn:
            if sent:
                await conn.execute(PUBLISHED, {"ids": sent})
            if flying is None:
                return ()
            return (await conn.execute(UNPUBLISHED, {"flying": flying, "batch": BATCH})).mappings().all()

    async def _send_traced(self, rows: Sequence[RowMapping]) -> list[int]:
        # What travels with an event is the span that made it, so that it is the same record when sent again; these
        # show how long it lay in the outbox.
        name, parents = self._context.name, [row["traceparent"] for row in rows]
        with spans(name, "PRODUCER", parents, lambda i: _told(rows[i]), lambda i: rows[i]["created_at"]):
            sent = await self._send(rows)
        EVENTS.labels(name).inc(len(sent))
        return sent

    async def _send(self, rows: Sequence[RowMapping]) -> list[int]:
        """Ids of what the broker acknowledged."""
        producer = await self._connected()
        source, prefix = self._context.name, self._context.settings.topic_prefix
        async with asyncio.timeout(SEND_TIMEOUT):
            futures = [
                await producer.send(
                    prefix + row["topic"],
                    encode(source, row),
                    key=row["subject"].encode(),
                    headers=[("traceparent", row["traceparent"].encode())] if row["traceparent"] else [],
                )
                for row in rows
            ]
            results = await asyncio.gather(*futures, return_exceptions=True)
        return [row["id"] for row, result in zip(rows, results, strict=True) if not isinstance(result, BaseException)]

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = make_producer(self._context.kafka)
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._producer.start()
        return self._producer

    async def close(self) -> None:
        """Bounded: a producer with a pending record and no broker would hang for more than a minute in stop()."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_bounded(producer.stop)


async def stop_bounded(stop: Callable[[], Awaitable[None]], seconds: float = 2.0) -> None:
    """Calls an async `stop` and gives up on it after `seconds`."""
    task = asyncio.ensure_future(stop())
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
    if task.done() and not task.cancelled():
        task.exception()  # looked at, so that asyncio does not complain: it was to end, and it did


def _told(row: RowMapping) -> Told:
    kafka = {"messaging.system": "kafka", "messaging.operation.type": "send"}
    return f"send {row['topic']}", {**kafka, "messaging.destination.name": row["topic"], "event.name": row["type"]}


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def sweep(context: Context) -> float:
    """Job: deletes events published more than `KEEP_DAYS` ago, old idempotency keys and old counts, in batches."""
    async with transaction(context.engine) as conn:
        gone = (await conn.execute(SWEEP, {"days": KEEP_DAYS, "batch": BATCH})).rowcount
        await conn.execute(SWEEP_KEYS)
        await conn.execute(text("SELECT public.forget_allowances()"))
    return 3600.0 if gone < BATCH else 0.1
