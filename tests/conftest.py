"""Fixtures for all tiers: one real PostgreSQL and Kafka a run (`instance`), one world per module (`world`)."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.embedded import Endpoints
from tests.instance import instance
from tests.world import World
from tests.world import world as make_world

__all__ = ["instance", "world"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(instance: Endpoints) -> AsyncIterator[World]:
    """The small district under the default policy. The tests of a module share it; each reports issues of its own."""
    async with make_world(instance) as found:
        yield found
