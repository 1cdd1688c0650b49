"""Backup and restore, as docs/operations.md says it: the database from a base backup, the master key from where it is
kept, Kafka from nothing."""

import asyncio
import copy
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chuishao import store
from chuishao.target import as_owner
from shared.embedded.postgres import binaries
from shared.keys import KEY_FILE
from tests.system.lives import end_well, inhabited
from tests.system.living import PROGRAM, Living, living

pytestmark = pytest.mark.system

BEFORE, AFTER = 40, 10
OPEN = "SELECT id FROM routing.cases WHERE next_at IS NOT NULL"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chuishao-restore-", ignore_cleanup_errors=True) as found:
        yield Path(found)


async def _run(*command: str | Path, output: Path | None = None) -> None:
    with (output or Path("/dev/null")).open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out)
        assert await process.wait() == 0, command


async def _back_up(system: Living, into: Path) -> None:
    """While everything goes on."""
    socket = system.data / "postgres" / "socket"
    what = ["--pgdata=-", "--format=tar", "--gzip", "--wal-method=fetch", "--checkpoint=fast"]
    login = [f"--host={socket}", "--username=postgres"]
    await _run(binaries() / "pg_basebackup", *login, *what, output=into / "base.tar.gz")
    shutil.copy2(system.data / KEY_FILE, into)


async def _restore(backup: Path, data: Path) -> None:
    (data / KEY_FILE).parent.mkdir(parents=True)
    shutil.copy2(backup / KEY_FILE.name, data / KEY_FILE)
    cluster = data / "postgres" / "data"
    cluster.mkdir(parents=True, mode=0o700)
    await _run("tar", "--extract", "--gzip", f"--file={backup / 'base.tar.gz'}", f"--directory={cluster}")


async def test_restored_from_a_backup_every_case_ends_where_its_clock_says(folder: Path) -> None:
    backup, lost, new = (folder / name for name in ("backup", "lost", "new"))
    for each in (backup, lost, new):
        each.mkdir()
    async with living(lost) as system, inhabited(system, random.Random(7)) as residents:
        await asyncio.gather(*(residents.live() for _ in range(BEFORE)))
        await _back_up(system, backup)
        acknowledged = copy.deepcopy(residents.remembered)
        await asyncio.gather(*(residents.report() for _ in range(AFTER)))
    shutil.rmtree(lost)

    await _restore(backup, new / "data")
    async with living(new) as system:
        waiting = len(await system.rows(OPEN))
        assert waiting > BEFORE / 4, "a rehearsal needs open cases"
        await _run(PROGRAM, "outbox", "replay", "--since", "30d", "--data", system.data)
        await end_well(system, acknowledged, rebuilt=True)
        print(f"{len(acknowledged.issues)} issues, {waiting} cases open when restored")


async def test_after_a_rotation_of_the_master_key_everybody_is_reached_as_before(folder: Path) -> None:
    async with living(folder) as system:
        async with inhabited(system, random.Random(8)) as residents:
            before = await residents.report()
            await system.settled()
        await _run(PROGRAM, "keys", "rotate", "--data", system.data)
        await system.stop()
        await system.start()
        async with inhabited(system, random.Random(9)) as residents:
            track = await residents.insist("GET", f"/api/routing/track/{before.id}?code={before.code}")
            assert track.status_code == 200, "a code that a resident holds stays good"
            await _run(PROGRAM, "keys", "rewrap", "--data", system.data)
            keys = system.target.keys
            async with as_owner(system.target) as conn:
                assert all(keys.is_current(wrapped) for _, wrapped in await store.wrapped_keys(conn, None, 10_000))
            issue = await residents.report()
            await system.settled()
            told = await system.rows("SELECT state FROM notify.message WHERE issue = :issue", issue=issue.id)
            assert {row.state for row in told} == {"delivered"}
            assert await residents.case(issue) is not None
