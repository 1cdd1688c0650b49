"""A service that does nothing but tell and hear, to test what lies between: outbox, relay, Kafka, consumer, inbox."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts import Contract, contract
from shared.db import make_engine, service_url, transaction
from shared.embedded import Endpoints
from shared.ids import new_id
from shared.messaging import quarantine
from shared.messaging.consumer import Consumer
from shared.messaging.events import Event, NewEvent
from shared.messaging.inbox import Record
from shared.messaging.outbox import Relay, publish
from shared.migrate import migrate
from shared.service import Context, Service
from shared.settings import Settings
from shared.telemetry import current_traceparent
from tests.world import KEYS, new_database

TOPICS = ("tone", "overtone")


@contract("tone", "echo.tone.heard.v1")
class Tone(Contract):
    number: int


@contract("overtone", "echo.overtone.heard.v1")
class Overtone(Contract):
    number: int


@contract("tone", "echo.silence.heard.v1")
class Silence(Contract):
    """Nobody handles it."""


Handle = Callable[[AsyncConnection, Sequence[Event]], Awaitable[None]]


class Echo:
    """What a test does with the service. `then` runs in the handler, after what was heard is written down."""

    def __init__(self, context: Context, owner: AsyncEngine) -> None:
        self.context = context
        self.owner = owner
        self.then: list[Handle] = []
        handlers = {Tone: self._hear, Overtone: self._hear}
        self.service = Service("echo", Path(__file__).parent / "echo", handlers=handlers, topics=TOPICS)
        self.consumer = Consumer(context, self.service)
        self._offsets = 0

    async def _hear(self, conn: AsyncConnection, ctx: Context, events: Sequence[Event]) -> None:
        rows = [{"u": e.subject, "s": e.seq, "n": e.data.number, "t": current_traceparent()} for e in events]
        await conn.execute(text("INSERT INTO heard (subject, seq, number, trace) VALUES (:u, :s, :n, :t)"), rows)
        for step in self.then:
            await step(conn, events)

    def refuse(self, *numbers: int) -> None:
        """From now on the handler fails for these numbers, and for nothing else."""

        async def step(conn: AsyncConnection, events: Sequence[Event]) -> None:
            if {event.data.number for event in events} & set(numbers):
                raise RuntimeError("a number that is refused")

        self.then = [step]

    # -- telling ------------------------------------------------------------------------------------------
    async def tell(self, subject: UUID, *seqs: int, conn: AsyncConnection | None = None) -> None:
        """Puts tones into the outbox, each with its seq as number."""
        events = [NewEvent(subject, seq, Tone(number=seq)) for seq in seqs]
        if conn is not None:
            await publish(conn, events)
            return
        async with transaction(self.context.engine) as own:
            await publish(own, events)

    @asynccontextmanager
    async def running(self, *duties: Callable[[], Awaitable[None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
        """The relay and the consumer (or other duties) at work."""
        wanted = duties or (Relay(self.context).run, self.consumer.run)
        tasks = [asyncio.ensure_future(duty()) for duty in wanted]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=10)

    @asynccontextmanager
    async def process(self, kafka: str | None = None) -> AsyncIterator["Echo"]:
        """The same service in another process: an engine of its own, perhaps another broker."""
        async with _engine(self.context.engine.url.render_as_string(hide_password=False)) as engine:
            context = Context("echo", engine, KEYS, self.context.settings, kafka or self.context.kafka)
            yield Echo(context, self.owner)

    # -- hearing ------------------------------------------------------------------------------------------
    def record(self, subject: UUID, seq: int, kind: type[Contract] = Tone, **changes: Any) -> Record:
        """An event as bytes from Kafka, at the next offset."""
        self._offsets += 1
        body = {
            "specversion": "1.0",
            "type": kind.type,
            "subject": str(subject),
            "seq": seq,
            "time": "2026-11-24T02:00:00Z",
            "traceparent": None,
            "data": {"number": seq},
            **changes,
        }
        return Record(kind.topic, 0, self._offsets, str(subject).encode(), orjson.dumps(body))

    async def hear(self, *records: Record) -> None:
        """What a consumer does with a batch."""
        await self.consumer.apply(records)

    async def heard(self, subject: UUID | None = None) -> list[int]:
        """Numbers in the order in which they took effect."""
        rows = await self.rows(
            "SELECT number FROM echo.heard WHERE CAST(:s AS uuid) IS NULL OR subject = :s ORDER BY id", s=subject
        )
        return [row.number for row in rows]

    # -- looking ------------------------------------------------------------------------------------------
    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        async with transaction(self.owner) as conn:
            return (await conn.execute(text(statement), values)).all()

    async def has_heard(self, count: int) -> bool:
        return len(await self.heard()) >= count

    async def has_quarantined(self, count: int) -> bool:
        return len(await self.quarantined()) >= count

    async def all_published(self, count: int = 1) -> bool:
        """Whether there are `count` rows in the outbox and none waits."""
        rows = await self.rows("SELECT published_at FROM echo.outbox")
        return len(rows) >= count and all(row.published_at for row in rows)

    async def quarantined(self) -> list[tuple[int | None, str]]:
        """(seq, reason) of what lies there, in the order of replay."""
        async with transaction(self.context.engine) as conn:
            return [(row["seq"], row["reason"]) for row in await quarantine.quarantined(conn)]

    async def quarantine_ids(self) -> list[int]:
        async with transaction(self.context.engine) as conn:
            return [row["id"] for row in await quarantine.quarantined(conn)]

    async def drop(self, id_: int) -> bool:
        async with transaction(self.context.engine) as conn:
            return await quarantine.drop(conn, id_)

    async def put(self, body: bytes, key: bytes | None = None, topic: str = "tone") -> None:
        """Bytes on a topic that did not come from an outbox."""
        producer = AIOKafkaProducer(bootstrap_servers=self.context.kafka)
        await producer.start()
        await producer.send_and_wait(self.context.settings.topic_prefix + topic, body, key=key)
        await producer.stop()

    async def at_the_end(self) -> bool:
        """Whether the service's group has committed everything that lies on its topic."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.context.kafka)
        await admin.start()
        try:
            committed = await admin.list_consumer_group_offsets(self.consumer.group)
        finally:
            await admin.close()
        done = sum(max(offset.offset, 0) for place, offset in committed.items() if place.topic.endswith(".tone"))
        return bool(done == len(await self.in_kafka()))

    async def in_kafka(self, topic: str = "tone") -> list[Any]:
        """Everything that lies on a topic now, per partition in order."""
        name = self.context.settings.topic_prefix + topic
        consumer = AIOKafkaConsumer(bootstrap_servers=self.context.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = [TopicPartition(name, p) for p in range(3)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[Any] = []
            while len(found) < sum(ends.values()):
                for messages in (await consumer.getmany(timeout_ms=500)).values():
                    found += messages
            return found
        finally:
            await consumer.stop()


def by_subject(messages: Sequence[Any]) -> dict[str, list[int]]:
    """Subject -> seqs in the order in which they lie in Kafka."""
    found: dict[str, list[int]] = defaultdict(list)
    for message in messages:
        body = orjson.loads(message.value)
        found[body["subject"]].append(body["seq"])
    return dict(found)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Looks again and again until something is so; a test fails when it never is."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        with suppress(OSError):
            await engine.dispose()


@asynccontextmanager
async def echo_database(endpoints: Endpoints) -> AsyncIterator[AsyncEngine]:
    """A database with the service's schema; its owner's engine."""
    async with _engine(await new_database(endpoints)) as owner:
        await migrate(owner, [Service("echo", Path(__file__).parent / "echo")], KEYS)
        yield owner


@asynccontextmanager
async def echoing(owner: AsyncEngine, kafka: str) -> AsyncIterator[Echo]:
    """The service with empty tables and topics of its own (three partitions)."""
    settings = Settings(topic_prefix=f"t{secrets.token_hex(4)}.")
    async with transaction(owner) as conn:
        await conn.execute(text("TRUNCATE echo.heard, echo.outbox, echo.seen, echo.quarantine"))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(settings.topic_prefix + topic, 3, 1) for topic in TOPICS])
    await admin.close()
    url = service_url(owner.url.render_as_string(hide_password=False), "echo", KEYS)
    async with _engine(url) as engine:
        yield Echo(Context("echo", engine, KEYS, settings, kafka), owner)


def subjects(count: int) -> list[UUID]:
    return [new_id() for _ in range(count)]
