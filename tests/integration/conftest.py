"""Fixtures of this tier."""

from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.embedded import Endpoints
from tests.integration.messaging import Echo, echo_database, echoing


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def echo_owner(instance: Endpoints) -> AsyncIterator[AsyncEngine]:
    """The database of the echo service, by its owner; the tests of a module share it."""
    async with echo_database(instance) as owner:
        yield owner


@pytest_asyncio.fixture(loop_scope="session")
async def echo(instance: Endpoints, echo_owner: AsyncEngine) -> AsyncIterator[Echo]:
    """The echo service with empty tables, on topics of its own."""
    async with echoing(echo_owner, instance.kafka) as found:
        yield found
