"""Events as they arrive, without a consumer group, so that nobody's reading is disturbed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.messaging.events import BadEvent, Event, decode
from shared.service import Context

log = structlog.get_logger()

WAITING = 200
"""Events that wait for a slow listener; beyond that the oldest are dropped: pages fetch anew what they show."""


async def partitions(reader: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    await reader._client.add_topic(topic)  # metadata of topics nobody subscribed to is not fetched by itself
    return [TopicPartition(topic, number) for number in sorted(reader.partitions_for_topic(topic) or ())]


@asynccontextmanager
async def listening(bootstrap: str, topics: Sequence[str], prefix: str) -> AsyncIterator[AsyncIterator[Event]]:
    """Events of `topics` (without `prefix`) that arrive from now on."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="latest", fetch_max_wait_ms=100, group_id=None
    )
    await reader.start()
    try:
        parts = [part for topic in topics for part in await partitions(reader, prefix + topic)]
        reader.assign(parts)
        await reader.seek_to_end(*parts)
        yield _events(reader, prefix)
    finally:
        await reader.stop()


async def _events(reader: AIOKafkaConsumer, prefix: str) -> AsyncIterator[Event]:
    async for message in reader:
        try:
            yield decode(message.topic.removeprefix(prefix), message.value or b"")
        except BadEvent:
            continue


class Live:
    """What open pages are told as it happens: one reader for all listeners of a process, started by the first."""

    def __init__(self, context: Context, topics: Sequence[str]) -> None:
        self._context = context
        self._topics = topics
        self._listeners: set[asyncio.Queue[Event]] = set()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[Event]]:
        queue: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._listeners.add(queue)
        if self._task is None:
            self._task = asyncio.create_task(self._read(), name=f"{self._context.name}/live")
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def _read(self) -> None:
        while True:
            try:
                prefix = self._context.settings.topic_prefix
                async with listening(self._context.kafka, self._topics, prefix) as events:
                    async for event in events:
                        for queue in self._listeners:
                            if queue.full():
                                queue.get_nowait()
                            queue.put_nowait(event)
            except (KafkaError, OSError) as error:
                log.warning("live.waiting", service=self._context.name, error=type(error).__name__)
                await asyncio.sleep(1.0)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
