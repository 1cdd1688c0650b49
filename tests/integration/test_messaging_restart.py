"""A consumer that comes back: partitions at once, also after an update that hears more."""

import asyncio
import secrets
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from sqlalchemy.ext.asyncio import create_async_engine

from chuishao.wiring import PARTITIONS, make_topics
from shared.embedded import Endpoints
from shared.messaging.consumer import Consumer
from shared.service import Context, Service
from shared.settings import Settings
from tests.world import KEYS


async def test_started_again_after_a_kill_it_has_its_partitions_without_a_rebalance(instance: Endpoints) -> None:
    settings = await fresh(instance)
    first = await killed(await joined(instance, settings, "issue"), PARTITIONS)
    assert await killed(await joined(instance, settings, "issue"), PARTITIONS) == first


async def test_after_an_update_that_hears_one_more_topic_it_hears_it(instance: Endpoints) -> None:
    settings = await fresh(instance)
    first = await killed(await joined(instance, settings, "issue"), PARTITIONS)
    assert await killed(await joined(instance, settings, "issue", "case"), 2 * PARTITIONS) > first


async def fresh(instance: Endpoints) -> Settings:
    settings = Settings(topic_prefix=f"t{secrets.token_hex(4)}.", instance="up")
    await make_topics(instance.kafka, settings.topic_prefix)
    return settings


async def joined(instance: Endpoints, settings: Settings, *topics: str) -> AIOKafkaConsumer:
    context = Context("x", create_async_engine(instance.postgres), KEYS, settings, instance.kafka)
    consumer = Consumer(context, Service("x", Path(), topics=topics))._make()
    await consumer.start()
    return consumer


async def killed(consumer: AIOKafkaConsumer, partitions: int) -> int:
    """Ends without a word to the group, once it has so many partitions; returns the group's generation, which each
    rebalance raises (and a rebalance waits until the session of a killed member has ended)."""
    try:
        async with asyncio.timeout(60):
            while len(consumer.assignment()) < partitions:
                await consumer.getmany(timeout_ms=50)
        return int(consumer._coordinator.generation)
    finally:
        await consumer.stop()  # a static member does not take its leave; only its heartbeats end
