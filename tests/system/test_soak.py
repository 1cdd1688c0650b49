"""Hours of use in minutes: nothing piles up, nothing leaks."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, mean

import psutil
import pytest

from chuishao.settling import Settling
from chuishao.wiring import SERVICES
from tests.system.deployed import Deployed, both_servers, deployed
from tests.system.lives import end_well, inhabited
from tests.system.residents import Residents
from tests.system.test_chaos import chance, folder

__all__ = ["chance", "folder"]
pytestmark = [pytest.mark.system, pytest.mark.chaos, pytest.mark.night]

MIB = 2**20
PER_SECOND = 10
"""Issues reported, well within what two cores can do."""
EVERY = 5.0
SLOPE = 10.0
"""MiB that a process may grow by in 10,000 issues."""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'chuishao\\_%'"


@dataclass(frozen=True)
class Sample:
    """The system at one moment."""

    issues: int
    memory: Mapping[str, float]
    """MiB, by process."""
    handles: Mapping[str, int]
    """Files and sockets, by process."""
    connections: int
    """Sessions of the services in PostgreSQL."""
    waiting: int
    """Events not told or not heard, messages and receipts not sent."""


@pytest.mark.parametrize("issues", [pytest.param(600, id="short"), 20_000])
async def test_nothing_piles_up_and_nothing_leaks(folder: Path, chance: random.Random, issues: int) -> None:
    async with (
        both_servers(folder) as (_, _, servers),
        deployed(folder / "services", servers, {service.name: 1 for service in SERVICES}) as system,
        inhabited(system, chance) as residents,
    ):
        samples: list[Sample] = []
        watching = asyncio.create_task(_watch(system, residents, samples))
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(issues):
                await asyncio.sleep(began + number / PER_SECOND - time.monotonic())
                group.create_task(residents.live())
        watching.cancel()
        took = time.monotonic() - began
        await end_well(system, residents.remembered)
        _tell(samples, issues, took)
        _check(samples, issues)


async def _watch(system: Deployed, residents: Residents, samples: list[Sample]) -> None:
    processes = {each.name: psutil.Process(each.pid) for each in system.processes}
    async with Settling(system.target) as settling:
        while True:
            moving = await settling._look()
            ((connections,),) = await system.rows(CONNECTIONS)
            samples.append(
                Sample(
                    issues=len(residents.remembered.issues),
                    memory={name: process.memory_info().rss / MIB for name, process in processes.items()},
                    handles={name: process.num_fds() for name, process in processes.items()},
                    connections=connections,
                    waiting=sum(int(line.rpartition(" ")[2]) for line in moving),
                )
            )
            await asyncio.sleep(EVERY)


def _slopes(samples: Sequence[Sample]) -> dict[str, float]:
    """MiB in 10,000 issues by which each process grows, once it has warmed up."""
    warm = samples[len(samples) // 3 :]
    issues = [sample.issues / 10_000 for sample in warm]
    return {name: linear_regression(issues, [s.memory[name] for s in warm]).slope for name in samples[0].memory}


def _tell(samples: Sequence[Sample], issues: int, took: float) -> None:
    print(f"\n{issues} issues in {took:.0f} s")
    for name, slope in _slopes(samples).items():
        handles = [sample.handles[name] for sample in samples]
        memory = [sample.memory[name] for sample in samples]
        print(
            f"  {name}: {memory[0]:.0f} … {memory[-1]:.0f} MiB, {slope:+.1f} MiB in 10,000 issues;"
            f" files and sockets {handles[0]} … {handles[-1]}, at most {max(handles)}"
        )
    print(f"  connections at most {max(s.connections for s in samples)}, in the end {samples[-1].connections}")
    print(f"  waiting, by quarters: {[round(mean(s.waiting for s in part)) for part in _quarters(samples)]}")


def _quarters(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    size = len(samples) // 4
    return [samples[n * size : (n + 1) * size] for n in range(4)]


def _check(samples: Sequence[Sample], issues: int) -> None:
    first, second, third, fourth = _quarters(samples)
    waited, waits = (mean(sample.waiting for sample in part) for part in (second, fourth))
    assert waits < 2 * waited + 200, "something piles up"
    early, late = ([*first, *second], [*third, *fourth])
    assert max(s.connections for s in late) <= max(s.connections for s in early) + 2, "connections leak"
    for name in samples[0].handles:
        most, later = (max(s.handles[name] for s in part) for part in (early, late))
        assert later <= most + 5, f"{name} leaks files or sockets"
    if issues >= 10_000:  # a slope needs a length
        steep = {name: round(slope, 1) for name, slope in _slopes(samples).items() if slope > SLOPE}
        assert steep == {}, "memory grows"
