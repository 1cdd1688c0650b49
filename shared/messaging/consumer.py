"""The consumer of a service: takes batches, applies each in one transaction, then commits the offsets.

What cannot be parsed or fails for good goes to the quarantine and the partition moves on; it holds back only its own
subject. Trouble with the database repeats the batch and never quarantines.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import DatabaseAway, is_away, transaction
from shared.messaging.events import BadEvent, Event, decode
from shared.messaging.inbox import BLAME, DROP, Record, move_seen, put_aside, sort_out, waiting
from shared.messaging.outbox import stop_bounded
from shared.service import Context, Service
from shared.telemetry import continued, describe, recording, spans
from shared.telemetry.tracing import Told

log = structlog.get_logger()

BATCH = 500
BREATH = 0.02
"""Seconds from one batch to the next at least: what comes meanwhile costs little more than what came first."""
HANDLER_SECONDS = 30.0
"""Hard limit of one batch: a handler slower than max.poll.interval would be handled again and again."""

# Named as by the exporters of Kafka. Each process tells of the partitions it has; the sum is the group's.
LAG = Gauge("kafka_consumergroup_lag", "Records behind the end of the topic", ["consumergroup", "topic"])
POLLED = Gauge("chuishao_consumer_last_poll_timestamp_seconds", "When the broker was last heard of", ["service"])
EVENTS = Counter("chuishao_events_handled_total", "Events whose effects were written", ["service"])


class Consumer:
    """Hears a service's topics as one group. `run()` until cancelled; `alive()` tells of the last successful poll."""

    def __init__(self, context: Context, service: Service) -> None:
        self.context = context
        self._service = service
        self._prefix = context.settings.topic_prefix
        self._handlers = {kind.type: handler for kind, handler in service.handlers.items()}
        self._polled = self._began = time.monotonic()
        self._next: dict[TopicPartition, int] = {}

    @property
    def group(self) -> str:
        return self._prefix + self._service.name

    @property
    def _instance(self) -> str | None:
        """Name of a static member (KIP-345), which takes its killed predecessor's place without waiting for the
        session to end, and gets that one's partitions. So it names the topics: hearing one more is another member."""
        instance = self.context.settings.instance
        return ".".join([instance, *self._service.topics]) if instance else None

    def alive(self, within: float = 60.0) -> bool:
        """Liveness is the last successful poll, never "the task exists"."""
        return time.monotonic() - self._polled < within

    async def run(self) -> None:
        while True:
            consumer = self._make()
            try:
                await consumer.start()
                while True:
                    await self._round(consumer)
            except asyncio.CancelledError:
                # aiokafka raises CancelledError for ever after a lost poll; only ours ends the loop.
                if (task := asyncio.current_task()) and task.cancelling():
                    raise
                log.warning("consumer.restarted", service=self._service.name)
            except (KafkaError, DatabaseAway, OSError, TimeoutError) as error:
                log.warning("consumer.waiting", service=self._service.name, error=type(error).__name__)
            finally:
                await stop_bounded(consumer.stop)
            await asyncio.sleep(0.5)

    def _make(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            *[self._prefix + topic for topic in self._service.topics],
            bootstrap_servers=self.context.kafka,
            group_id=self.group,
            group_instance_id=self._instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=120_000,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=1_000,
            fetch_max_wait_ms=100,
            request_timeout_ms=10_000,
            retry_backoff_ms=200,
        )

    async def _round(self, consumer: AIOKafkaConsumer) -> None:
        await asyncio.sleep(self._began + BREATH - time.monotonic())
        batches = await consumer.getmany(timeout_ms=500, max_records=BATCH)
        self._polled = self._began = time.monotonic()
        POLLED.labels(self._service.name).set_to_current_time()
        records = [
            Record(m.topic.removeprefix(self._prefix), m.partition, m.offset, m.key, m.value or b"")
            for messages in batches.values()
            for m in messages
        ]
        if records:
            await self.apply(records)
            await consumer.commit()
        self._next |= {part: messages[-1].offset + 1 for part, messages in batches.items()}
        self._measure(consumer)

    def _measure(self, consumer: AIOKafkaConsumer) -> None:
        """A partition from which nothing has come yet has nothing waiting: it would have come."""
        ours = consumer.assignment()
        self._next = {part: offset for part, offset in self._next.items() if part in ours}
        behind = dict.fromkeys((self._prefix + topic for topic in self._service.topics), 0)
        for part, offset in self._next.items():
            behind[part.topic] += max((consumer.highwater(part) or 0) - offset, 0)
        for topic, count in behind.items():
            LAG.labels(self.group, topic).set(count)

    async def apply(self, records: Sequence[Record]) -> None:
        """Applies a batch, or, if it fails, its records one by one. Raises DatabaseAway: then all is repeated."""
        try:
            await self._apply_together(records)
        except DatabaseAway:
            raise
        except Exception as error:
            log.warning("consumer.one-by-one", service=self._service.name, error=describe(error))
            for record in records:
                await self._apply_one(record)

    async def _apply_together(self, records: Sequence[Record]) -> None:
        async with self._transaction() as conn:
            origin: dict[int, Record] = {}
            events = []
            for record in records:
                try:
                    event = decode(record.topic, record.body)
                except BadEvent as error:
                    await self._quarantine(conn, record, error, f"unreadable: {error}")
                    continue
                origin[id(event)] = record
                events.append(event)
            found = await sort_out(conn, events)
            for event in found.gaps:
                await self._quarantine(conn, origin[id(event)], event, "gap: an earlier event has not come yet")
            await self._handle(conn, found.apply)
            await self._catch_up(conn, found.apply)

    async def _apply_one(self, record: Record) -> None:
        try:
            await self._apply_together([record])
        except DatabaseAway:
            raise
        except Exception as error:
            async with transaction(self.context.engine) as conn:
                await self._quarantine(conn, record, decode(record.topic, record.body), _failed(error))

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with asyncio.timeout(HANDLER_SECONDS), transaction(self.context.engine) as conn:
            yield conn

    async def _quarantine(self, conn: AsyncConnection, record: Record, at: Event | BadEvent, reason: str) -> None:
        log.error("consumer.quarantined", service=self._service.name, topic=record.topic, reason=reason)
        await put_aside(conn, record, at, reason)

    async def _handle(self, conn: AsyncConnection, events: Sequence[Event]) -> None:
        """Hands events to their handlers, many at once: those of one subject in order, others in any."""
        for turn in _turns(events):
            for kind, group in turn.items():
                if handler := self._handlers.get(kind):
                    with self._traced(group) as traced:
                        await handler(conn, self.context, traced)
        await move_seen(conn, events)
        EVENTS.labels(self._service.name).inc(len(events))

    @contextmanager
    def _traced(self, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """A span for each event, in the trace it came with: that many are handled together is our thrift, and the trace
        of none of them may end there. A handler that writes for one event of many says whose trace that is."""
        parents = [event.traceparent for event in events]
        with spans(self._service.name, "CONSUMER", parents, lambda i: self._told(events[i], len(events))) as begun:
            if recording():
                events = [replace(event, traceparent=own) for event, own in zip(events, begun, strict=True)]
            with continued(events[0].traceparent if len(events) == 1 else None):
                yield events

    def _told(self, event: Event, count: int) -> Told:
        return f"process {event.topic}", {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": event.topic,
            "messaging.consumer.group.name": self.group,
            "messaging.batch.message_count": count,
            "event.name": event.type,
        }

    async def _catch_up(self, conn: AsyncConnection, applied: Sequence[Event]) -> None:
        """Applies what waited in the quarantine behind one of these events. What fails stays there with its reason,
        and takes nothing along of what has just been applied."""
        for row in await waiting(conn, applied):
            try:
                async with conn.begin_nested():
                    await self._release(conn, row.id, row.topic, bytes(row.body))
            except Exception as error:
                if is_away(error):
                    raise
                await conn.execute(BLAME, {"id": row.id, "reason": _failed(error)})

    async def _release(
        self, conn: AsyncConnection, quarantine_id: int, topic: str, body: bytes
    ) -> Sequence[Event] | None:
        """Applies a quarantined event if it is the next of its subject. Returns what was applied (nothing, if it was
        known), or None when an earlier event is still missing. Raises what its handler raises, and BadEvent."""
        found = await sort_out(conn, [decode(topic, body)])
        if found.gaps:
            return None
        await self._handle(conn, found.apply)
        await conn.execute(DROP, {"id": quarantine_id})
        return found.apply

    async def again(self, quarantine_id: int, topic: str, body: bytes) -> bool:
        """Tries a quarantined event once more. True when it is applied or known; then it is out of the quarantine."""
        try:
            async with self._transaction() as conn:
                applied = await self._release(conn, quarantine_id, topic, body)
                await self._catch_up(conn, applied or ())
        except DatabaseAway:
            raise
        except Exception as error:
            log.warning("quarantine.failed-again", service=self._service.name, error=describe(error))
            async with transaction(self.context.engine) as conn:
                await conn.execute(BLAME, {"id": quarantine_id, "reason": _failed(error)})
            return False
        return applied is not None


def _failed(error: Exception) -> str:
    return f"unreadable: {error}" if isinstance(error, BadEvent) else f"failed: {describe(error)}"


def _turns(events: Sequence[Event]) -> list[dict[str, list[Event]]]:
    """The n-th event of each subject forms the n-th turn, grouped by type."""
    count: dict[object, int] = defaultdict(int)
    turns: list[dict[str, list[Event]]] = []
    for event in events:
        number = count[event.topic, event.subject]
        count[event.topic, event.subject] += 1
        if number == len(turns):
            turns.append(defaultdict(list))
        turns[number][event.type].append(event)
    return turns
