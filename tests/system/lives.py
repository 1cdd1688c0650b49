"""A system with the people who use it, and how its story has to end."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2

from chuishao import store
from chuishao.checks import examine
from chuishao.target import as_owner
from tests.system.books import faults
from tests.system.living import System
from tests.system.residents import Remembered, Residents, people

NOT_DONE = "SELECT id FROM routing.cases WHERE next_at IS NOT NULL LIMIT 1"


@asynccontextmanager
async def inhabited(system: System, chance: random.Random) -> AsyncIterator[Residents]:
    async with httpx2.AsyncClient(base_url=system.url, timeout=15) as http:
        yield Residents(http, system.target.keys, await people(system.target), chance)


async def end_well(system: System, remembered: Remembered, *, rebuilt: bool = False) -> None:
    """Moves the clock, 20 s at a time, until no case has anything left to wait for; then the books must be right."""
    await system.settled()
    while await system.rows(NOT_DONE):
        async with as_owner(system.target) as conn:
            await store.move_clock(conn, timedelta(seconds=20))
        await system.settled()
    assert await faults(system.target, remembered, rebuilt=rebuilt) == {}
    assert [finding for finding in await examine(system.target) if finding.state == "fail"] == []
