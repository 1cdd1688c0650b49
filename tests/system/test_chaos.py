"""The real system, ill-treated: killed, cut off from Kafka, cut off from PostgreSQL. Nothing acknowledged is lost,
nothing happens twice, nothing early, and it comes back by itself.

The seed of a run is printed; CHUISHAO_CHAOS_SEED repeats it.
"""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from chuishao import store
from chuishao.target import as_owner
from tests.system.books import faults
from tests.system.living import Living, living, until
from tests.system.residents import PLACES, Residents, people

pytestmark = [pytest.mark.system, pytest.mark.chaos]

ISSUES, CLIENTS, KILLS = 300, 12, 10
WAITING = text("SELECT EXISTS (SELECT FROM routing.cases WHERE next_at IS NOT NULL)")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="chuishao-chaos-", ignore_cleanup_errors=True) as found:
        yield Path(found)


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("CHUISHAO_CHAOS_SEED") or random.randrange(10**6))
    print(f"\nCHUISHAO_CHAOS_SEED={seed}")
    return random.Random(seed)


@asynccontextmanager
async def inhabited(system: Living, chance: random.Random) -> AsyncIterator[Residents]:
    async with httpx2.AsyncClient(base_url=system.url, timeout=15) as http:
        yield Residents(http, system.target.keys, await people(system.target), chance)


async def test_killed_ten_times_it_loses_nothing_and_does_nothing_twice(folder: Path, chance: random.Random) -> None:
    async with living(folder) as system, inhabited(system, chance) as residents:
        issues = iter(range(ISSUES))

        async def client() -> None:
            for _ in issues:
                await residents.live()
                await asyncio.sleep(chance.uniform(0, 0.6))

        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(client())
            group.create_task(_kill_again_and_again(system, residents, chance))
        await _let_it_end(system)
        assert await faults(system.target, residents.remembered) == {}
        print(f"{residents.remembered.retries} retries, {residents.remembered.acts.total()} acts")


async def _kill_again_and_again(system: Living, residents: Residents, chance: random.Random) -> None:
    """At random moments of the reporting; every third start is cut short as well."""
    for number, moment in enumerate(sorted(chance.sample(range(5, ISSUES - 5), KILLS))):
        await until(lambda moment=moment: _reported(residents, moment), 120)
        await asyncio.sleep(chance.uniform(0, 0.5))
        began = time.monotonic()
        await system.kill()
        if number % 3 == 0:
            await system.begin()
            await asyncio.sleep(chance.uniform(0, 4))
            await system.kill()
        again = time.monotonic()
        await system.start()
        ready = time.monotonic()
        await _opened(residents)
        print(
            f"killed after {moment} reports: ready {ready - again:.1f} s after the last start, {ready - began:.1f} s"
            f" after the kill; a new case opened {time.monotonic() - ready:.1f} s later"
        )


async def _reported(residents: Residents, count: int) -> bool:
    return len(residents.remembered.issues) >= count


async def _opened(residents: Residents) -> None:
    issue = await residents.report(PLACES[0], "FAC.light")

    async def opened() -> bool:
        return await residents.case(issue) is not None

    await until(opened, 60)


async def _let_it_end(system: Living) -> None:
    """Moves the clock, 20 s at a time, until no case has anything left to wait for."""
    await system.settled()
    async with as_owner(system.target) as conn:
        waiting = (await conn.execute(WAITING)).scalar_one()
        if waiting:
            await store.move_clock(conn, timedelta(seconds=20))
    if waiting:
        await _let_it_end(system)
