"""Posts and absences change while cases open, climb and are claimed: no case stays with someone who has left."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chuishao.wiring import put_district, put_policy
from services.directory import commands as directory
from services.routing import commands, following, jobs, opening
from services.routing.commands import Wish
from services.routing.store import following as store
from shared.auth import Principal
from shared.contracts.issue import IssueReported
from shared.db import clock_now, make_engine, service_url, transaction
from shared.embedded import Endpoints
from shared.ids import new_id
from shared.problems import Problem
from shared.service import Context
from shared.settings import Settings
from tests.world import KEYS, U1, U2, C, new_database

ROUNDS = 1000
MOMENT = timedelta(seconds=30)
S1 = f"{C}-L1-M1-S1"
POSTS = [(U1, "leader", "P016"), (U1, "party", "P017"), (U2, "leader", "P018"), (S1, "leader", "P014")]
AWAY = ["P016", "P018", "P014"]
REPORT = {"category": "FAC.light", "urgency": "ordinary", "start": "micro"}


@dataclass
class Race:
    """Routing and directory on one database, driven without HTTP and without Kafka."""

    owner: AsyncEngine
    routing: Context
    directory: Context
    ids: dict[str, UUID]
    lot: random.Random = field(default_factory=lambda: random.Random(7))
    held: set[str] = field(default_factory=set)

    async def sql(self, statement: str, **values: Any) -> Any:
        async with transaction(self.owner) as conn:
            found = await conn.execute(text(statement), values)
            return found.mappings().all() if found.returns_rows else None

    async def report(self) -> None:
        issue = IssueReported(number="1", place=self.ids[self.lot.choice([U1, U2])], reporter=new_id(), **REPORT)
        async with transaction(self.routing.engine) as conn:
            await opening.open_cases(conn, [(new_id(), issue)])

    async def make_due(self) -> None:
        """Three cases whose time is up, so that the clock has something to move."""
        await self.sql(
            "UPDATE routing.cases SET accept_by = clock_now() WHERE id IN (SELECT id FROM routing.cases"
            " WHERE phase = 'assigned' AND accept_by > clock_now() ORDER BY id DESC LIMIT 3)"
        )

    async def claim(self) -> None:
        rows = await self.sql(
            "SELECT c.id, c.version, h.holder_person FROM routing.cases c JOIN routing.hops h ON h.case_id = c.id"
            " WHERE c.phase = 'assigned' AND h.ended_by = 'accept_timeout' ORDER BY c.id DESC LIMIT 1"
        )
        for row in rows:
            caller = Principal(person=row["holder_person"])
            with suppress(Problem):  # the version is stale, or he has left
                await commands.act(
                    self.routing, caller, row["id"], "claim", Wish(row["version"]), commands.claim, None, b""
                )

    async def change_post(self) -> None:
        grid, kind, usual = self.lot.choice(POSTS)
        now = self.lot.choice([None, usual, "P026"])
        async with transaction(self.directory.engine) as conn:
            await directory.set_post(conn, Principal(role="command"), grid, kind, now)
        async with transaction(self.routing.engine) as conn:
            await following.posts_changed(conn, [self.ids[grid]])

    async def go_away(self) -> None:
        """An absence that begins while the climb runs."""
        no, stand_in = self.lot.choice(AWAY), self.lot.choice([None, "P025"])
        async with transaction(self.directory.engine) as conn:
            now = await clock_now(conn)
            await directory.set_absence(conn, no, directory.Absence(now + MOMENT, now + 40 * MOMENT, stand_in))
        async with transaction(self.routing.engine) as conn:
            await following.absences_changed(conn, [self.ids[no]])
        await self.sql("UPDATE clock_shift SET shift = shift + :by", by=MOMENT)
        while await following.follow(self.routing) < following.IDLE / 2:
            pass

    async def displaced(self) -> int:
        async with transaction(self.routing.engine) as conn:
            return len(await store.lock_all_displaced(conn))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def race(instance: Endpoints) -> AsyncIterator[Race]:
    url = await new_database(instance)
    owner = make_engine(url, pool=4)
    await put_policy(owner, "default")
    await put_district(owner, KEYS, "small", lambda _: None)
    contexts = [
        Context(name, make_engine(service_url(url, name, KEYS), pool=5), KEYS, Settings(clock="adjustable"))
        for name in ("routing", "directory")
    ]
    found = Race(owner, *contexts, {})
    rows = await found.sql("SELECT code, id FROM directory.v1_grid UNION ALL SELECT no, id FROM directory.v1_person")
    found.ids |= {row["code"]: row["id"] for row in rows}
    yield found
    for engine in (owner, *(context.engine for context in contexts)):
        await engine.dispose()


async def test_post_changes_race_a_running_climb_a_thousand_times_and_no_case_stays_with_someone_who_has_left(
    race: Race,
) -> None:
    await _race(race, race.change_post)
    moved = (await race.sql("SELECT count(*) AS n FROM routing.hops WHERE ended_by = 'moved'"))[0]["n"]
    climbed = (await race.sql("SELECT count(*) AS n FROM routing.hops WHERE ended_by = 'accept_timeout'"))[0]["n"]
    claimed = (await race.sql("SELECT count(*) AS n FROM routing.hops WHERE ended_by = 'taken'"))[0]["n"]
    assert min(moved, climbed, claimed) > ROUNDS / 10  # it was a race, not a procession


async def test_absences_that_begin_race_a_running_climb_and_no_case_stays_with_someone_who_is_away(race: Race) -> None:
    await _race(race, race.go_away, ROUNDS // 4)


async def _race(race: Race, change: Any, rounds: int = ROUNDS) -> None:
    for number in range(rounds):
        await race.make_due()
        runners: list[Awaitable[Any]] = [race.report(), jobs.escalate_due(race.routing), race.claim(), change()]
        race.lot.shuffle(runners)
        await asyncio.gather(*runners)
        assert await race.displaced() == 0, f"round {number}"
        if number % 50 == 49:  # so that the look stays quick
            await race.sql("UPDATE routing.cases SET phase = 'closed', accept_by = NULL WHERE phase <> 'closed'")
