"""Full disks, real ones: it is told plainly, nothing acknowledged is lost, and with room again all is well."""

import asyncio
import os
import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from chuishao.checks import examine
from tests.system.lives import end_well, inhabited
from tests.system.living import Living, living, until
from tests.system.residents import Residents
from tests.system.test_chaos import NOT_TOLD

pytestmark = [pytest.mark.system, pytest.mark.chaos]

WORDS = [chr(0x4E00 + n) for n in range(3000)]


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small file system of its own at `folder`; where none can be mounted the test is skipped."""
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leaves no byte; gives the file to delete."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    assert os.statvfs(folder).f_bavail == 0
    return ballast


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chuishao-full-", ignore_cleanup_errors=True) as found:
        yield Path(found)


async def wordy(residents: Residents, chance: random.Random) -> tuple[int, dict[str, str]]:
    """A report as long as may be; status and answer. What was acknowledged is remembered."""
    body = {
        "category": "FAC.light",
        "text": "".join(chance.choices(WORDS, k=4000)),
        "place": {"grid": "150902-01-01"},
        "phone": f"1391241{chance.randrange(10_000):04}",
    }
    answer = await residents.http.post("/api/intake/issues", json=body)
    if answer.status_code == 201:
        residents.remembered.issues[UUID(answer.json()["id"])] = "nobody acts"
    return answer.status_code, answer.json()


async def findings(system: Living) -> dict[str, str]:
    return {finding.check: finding.text for finding in await examine(system.target) if finding.state == "fail"}


async def test_with_the_databases_disk_full_it_is_said_so_and_what_was_acknowledged_stays(folder: Path) -> None:
    chance = random.Random(7)
    with disk(folder / "data" / "postgres", 300) as small:
        async with living(folder) as system, inhabited(system, chance) as residents:
            await asyncio.gather(*(residents.report() for _ in range(10)))
            ballast = fill(small)
            answers: Counter[int] = Counter()
            told = {}
            while answers[503] < 20:
                status, answer = await wordy(residents, chance)
                answers[status] += 1
                told = answer if status == 503 else told
                assert set(answers) <= {201, 503}, answer
                assert answers.total() < 5000
            print(f"{answers} with the disk full")
            assert told["type"] == "urn:chuishao:problem:disk-full"
            assert "数据库的磁盘满了" in told["title"]
            assert "disk of the database is full" in told["title"]
            assert "满了" in (await findings(system))["disk postgres"]

            ballast.unlink()
            took = await until(lambda: _taken(residents, chance), 60)
            print(f"a report is taken {took:.1f} s after there is room")
            await end_well(system, residents.remembered)


async def _taken(residents: Residents, chance: random.Random) -> bool:
    return (await wordy(residents, chance))[0] == 201


async def test_with_kafkas_disk_full_reports_are_taken_and_told_once_there_is_room(folder: Path) -> None:
    chance = random.Random(8)
    with disk(folder / "data" / "kafka", 150) as small:
        async with living(folder) as system, inhabited(system, chance) as residents:
            await asyncio.gather(*(residents.report() for _ in range(10)))
            await system.settled()
            ballast = fill(small)
            waiting = 0
            while waiting < 50:
                await asyncio.gather(*(residents.report() for _ in range(25)))
                waiting = len(await system.rows(NOT_TOLD))
                assert len(residents.remembered.issues) < 2000
            print(f"{len(residents.remembered.issues)} reports taken, {waiting} wait to be told")
            assert residents.remembered.retries == 0
            assert "满了" in (await findings(system))["disk kafka"]

            ballast.unlink()
            took = await until(lambda: _told(system), 90)
            print(f"all are told {took:.1f} s after there is room")
            await end_well(system, residents.remembered)


async def _told(system: Living) -> bool:
    return not await system.rows(NOT_TOLD)
