"""Every service as processes of its own, two workers each side by side, ill-treated: killed, frozen, rebalanced.
Nothing acknowledged is lost, nothing happens twice, nothing early.

The seed of a run is printed; CHUISHAO_CHAOS_SEED repeats it.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from chuishao.broker import LagMeter
from chuishao.target import as_owner
from chuishao.wiring import make_context
from services.routing.app import service as routing
from shared.contracts.issue import IssueReported
from shared.db import transaction
from shared.ids import new_id
from shared.messaging.events import NewEvent
from shared.messaging.outbox import BATCH, Relay, publish
from tests.system.deployed import Deployed, both_servers, deployed, small_in_earnest
from tests.system.lives import NOT_DONE, end_well, inhabited
from tests.system.living import Outside, until
from tests.system.residents import PLACES, Issue, Residents
from tests.system.test_chaos import LATENESS, NOT_OPEN, chance, folder

__all__ = ["chance", "folder"]
pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.night]

ISSUES = int(os.environ.get("CHUISHAO_CHAOS_ISSUES") or 2000)
CLIENTS = 24
KILLS = ("process",) * 12 + ("postgres",) * 3 + ("kafka",) * 3 + ("everything",) * 2


async def test_with_two_workers_each_twenty_kills_lose_nothing_and_double_nothing(
    folder: Path, chance: random.Random
) -> None:
    async with (
        both_servers(folder) as (postgres, kafka, servers),
        deployed(folder / "services", servers) as system,
        inhabited(system, chance) as residents,
    ):
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            issues = iter(range(ISSUES))
            for _ in range(CLIENTS):
                group.create_task(_live(residents, issues, chance))
            group.create_task(_kill_again_and_again(system, postgres, kafka, residents, chance))
        acted = time.monotonic()
        await end_well(system, residents.remembered)
        print(
            f"{ISSUES} issues, {residents.remembered.acts.total()} acts, {residents.remembered.retries} retries in"
            f" {acted - began:.0f} s; at rest {time.monotonic() - acted:.0f} s later"
        )


async def _live(residents: Residents, issues: Iterator[int], chance: random.Random) -> None:
    for _ in issues:
        await residents.live()
        await asyncio.sleep(chance.uniform(0, 0.6))


async def _kill_again_and_again(
    system: Deployed, postgres: Outside, kafka: Outside, residents: Residents, chance: random.Random
) -> None:
    """At random moments of the reporting, in random order; what was killed comes back."""
    moments = sorted(chance.sample(range(5, ISSUES - 5), len(KILLS)))
    for moment, kind in zip(moments, chance.sample(KILLS, len(KILLS)), strict=True):
        await until(lambda moment=moment: _reported(residents, moment), 300)
        await asyncio.sleep(chance.uniform(0, 0.5))
        killed = time.monotonic()
        name = kind
        if kind == "process":
            process = chance.choice(system.processes)
            name = process.name
            await process.kill()
            await asyncio.sleep(chance.uniform(0, 8))  # a static member is given up after 6 s
            await process.start()
        elif kind == "everything":
            await asyncio.gather(system.kill(), postgres.kill(), kafka.kill())
            await asyncio.gather(postgres.start(), kafka.start())
            await system.start()
        else:
            server = {"postgres": postgres, "kafka": kafka}[kind]
            await server.kill()
            await asyncio.sleep(chance.uniform(0, 3))
            await server.start()
        back = time.monotonic()
        issue = await residents.report(PLACES[0], "FAC.light")
        opened = await until(
            lambda issue=issue: _opened(residents, issue), 120, lambda name=name: f"no case after {name} was killed"
        )
        print(f"{name} killed after {moment} reports: back in {back - killed:.1f} s, a case open {opened:.1f} s later")


async def _reported(residents: Residents, count: int) -> bool:
    return len(residents.remembered.issues) >= count


async def _opened(residents: Residents, issue: Issue) -> bool:
    return await residents.case(issue) is not None


# -- frozen -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [pytest.param(20, id="briefly"), pytest.param(120, marks=pytest.mark.night)])
async def test_workers_that_are_frozen_and_woken_do_no_harm(
    folder: Path, chance: random.Random, seconds: float
) -> None:
    async with (
        both_servers(folder) as (_, _, servers),
        deployed(folder / "services", servers) as system,
        inhabited(system, chance) as residents,
    ):
        ended = asyncio.Event()

        async def client() -> None:
            while not ended.is_set():
                await residents.live()
                await asyncio.sleep(chance.uniform(0, 2))

        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(client())
            await until(lambda: _reported(residents, 40), 60)
            for number in range(2):
                (began,) = await system.rows("SELECT clock_now()")
                frozen = [worker for worker in system.workers() if worker.name.endswith(f"-{number}")]
                for worker in frozen:
                    await asyncio.sleep(chance.uniform(0, 0.5))
                    worker.signal(signal.SIGSTOP)
                issue = await residents.report(PLACES[0], "FAC.light")
                opened = await until(lambda issue=issue: _opened(residents, issue), 40)
                await asyncio.sleep(seconds - opened)
                ((moves, late),) = await system.rows(LATENESS, since=began[0])
                for worker in frozen:
                    worker.signal(signal.SIGCONT)
                print(f"frozen: a case opened after {opened:.1f} s; {moves} moves, the latest {late:.1f} s late")
                assert late < 20
                await asyncio.sleep(8)
            ended.set()
        await end_well(system, residents.remembered)
        print(f"{len(residents.remembered.issues)} issues")


# -- one or many ----------------------------------------------------------------------------------------------
STEP = 120
"""Seconds the clock is moved beyond the next due time, so that cases reported together move together. Far shorter than
any term of an ordinary issue, so that what is due then does not hang on how fast the machine is."""
ORDINARY = ("FAC.light", "HYG.garbage")
FATES = ((), ("accept",), ("accept", "resolve", "yes"), ("escalate", "escalate"), ("ask", "reply"), (), ("ask",))
HISTORIES = """
SELECT c.id, y.kind, y.hop, y.rank, p.no, y.detail - 'by' AS detail, h.holder_kind, h.holder_post, g.code, h.skipped,
       h.ended_by
  FROM routing.cases c JOIN routing.history y ON y.case_id = c.id
  LEFT JOIN directory.v1_person p ON p.id = y.actor
  LEFT JOIN routing.hops h ON h.case_id = c.id AND h.hop = y.hop LEFT JOIN directory.v1_grid g ON g.id = h.grid
 ORDER BY c.id, y.seq
"""


async def test_one_worker_and_three_write_the_same_histories(folder: Path) -> None:
    alone = await _histories(folder / "alone", 1)
    together = await _histories(folder / "together", 3)
    assert sum(map(len, alone)) > 500
    assert [pair for pair in zip(alone, together, strict=True) if pair[0] != pair[1]][:1] == []


async def _histories(folder: Path, workers: int) -> list[list[tuple[object, ...]]]:
    """What becomes of the same issues, in the order in which they were reported."""
    async with (
        both_servers(folder) as (_, _, servers),
        deployed(folder, servers, {"intake": 1, "routing": workers}, fill=small_in_earnest) as system,
        inhabited(system, random.Random(6)) as residents,
    ):
        await _set_clock(system, "CAST('2026-11-24 10:00+08' AS timestamptz) - now()")
        issues = [await residents.report(PLACES[n % 12], ORDINARY[n % 2]) for n in range(120)]
        await _quiet(system)
        for number, issue in enumerate(issues):
            for act in FATES[number % len(FATES)]:
                await residents.act(issue, act)
        while await system.rows(NOT_DONE):
            await _set_clock(
                system,
                f"shift + (SELECT greatest(min(next_at) - clock_now(), '0') FROM routing.cases) + interval '{STEP} s'",
            )
            await _quiet(system)
        rows = await system.rows(HISTORIES)
        found = {issue.id: [tuple(row)[1:] for row in rows if row.id == issue.id] for issue in issues}
        return list(found.values())


async def _set_clock(system: Deployed, shift: str) -> None:
    async with as_owner(system.target) as conn:
        await conn.exec_driver_sql(f"UPDATE clock_shift SET shift = {shift}")


async def _quiet(system: Deployed) -> None:
    """Until every issue is a case and nothing is due."""
    due = f"SELECT id FROM routing.cases WHERE next_at <= clock_now() UNION ALL {NOT_OPEN}"
    await until(lambda: _none(system, due), 60)


async def _none(system: Deployed, question: str) -> bool:
    return not await system.rows(question)


# -- a rebalance in mid-batch ---------------------------------------------------------------------------------
CASES = 40_000
WRONG = """
SELECT c.id FROM routing.cases c
  LEFT JOIN (SELECT case_id, count(*) FROM routing.history GROUP BY 1) y ON y.case_id = c.id
  LEFT JOIN (SELECT case_id, count(*) FROM routing.hops GROUP BY 1) h ON h.case_id = c.id
  LEFT JOIN (SELECT subject, count(*) FROM routing.outbox WHERE topic = 'case' GROUP BY 1) o ON o.subject = c.id
  LEFT JOIN routing.seen s ON s.topic = 'issue' AND s.subject = c.id
 WHERE (c.seq, y.count, h.count, o.count, s.seq) IS DISTINCT FROM (1, 1, 1, 1, 1)
"""


async def test_rebalances_in_mid_batch_lose_nothing_and_double_nothing(folder: Path) -> None:
    async with (
        both_servers(folder) as (_, _, servers),
        deployed(folder / "services", servers, {"routing": 3}, fill=_with_issues) as system,
    ):
        first, second, third = system.workers("routing")
        seen = [await _open(system, 1)]
        first.signal(signal.SIGSTOP)  # it holds a batch, and is given up after 6 s
        seen.append(await _open(system, 3_000))
        await second.kill()
        await asyncio.sleep(7)
        seen.append(await _open(system, 0))
        first.signal(signal.SIGCONT)  # it goes on with its batch, which another has by now
        assert all(0 < count < CASES for count in seen), f"the blows came too late: {seen}"
        await second.start()
        await third.stop()
        print(f"cases open at each blow: {[*seen, await _open(system, 0)]}")
        await third.start()
        await until(lambda: _all_open(system), 120)
        async with LagMeter(servers[1], system.target.groups([routing])) as meter:
            await until(lambda: _all_read(meter), 60)
        assert await system.rows(WRONG) == []
        assert await system.rows("SELECT * FROM routing.quarantine") == []
        assert await _open(system, CASES) == CASES


async def _with_issues(system: Deployed) -> None:
    """A district, and all issues told before anybody listens."""
    await small_in_earnest(system)
    (place,) = await system.rows("SELECT id FROM directory.v1_grid WHERE code = '150902-01-01-L1-M1-S1-U1'")
    intake = make_context("intake", system.postgres, system.keys, system.settings, system.kafka)
    relay = Relay(intake)
    for start in range(0, CASES, BATCH):
        issues = [_reported_at(place.id, start + n) for n in range(BATCH)]
        async with transaction(intake.engine) as conn:
            await publish(conn, [NewEvent(new_id(), 1, issue) for issue in issues])
        await relay.send_batch()
    await relay._drop_producer()
    await intake.engine.dispose()


def _reported_at(place: UUID, number: int) -> IssueReported:
    return IssueReported(
        number=f"R{number}",
        category="FAC.light",
        urgency="ordinary",
        start="micro",
        place=place,
        reporter=new_id(),
    )


async def _open(system: Deployed, at_least: int) -> int:
    """How many cases are open, once they are so many."""
    await until(lambda: _are_open(system, at_least), 60)
    return int((await system.rows("SELECT count(*) FROM routing.cases"))[0][0])


async def _are_open(system: Deployed, count: int) -> bool:
    return int((await system.rows("SELECT count(*) FROM routing.cases"))[0][0]) >= count


async def _all_open(system: Deployed) -> bool:
    return await _are_open(system, CASES)


async def _all_read(meter: LagMeter) -> bool:
    return not any((await meter.measure()).values())
