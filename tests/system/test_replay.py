"""Kafka rebuilt from nothing: its data directory is deleted, the events are told again, and every service's tables are
as they were."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from chuishao import store
from chuishao.target import as_owner
from tests.system.lives import NOT_DONE, inhabited
from tests.system.living import Living, living

pytestmark = pytest.mark.system

TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
 WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""
# When an outbox row was last told is what a replay is meant to change.
CONTENT = """
SELECT count(*) || ' ' || coalesce(md5(string_agg(row, '' ORDER BY row)), '')
  FROM (SELECT (to_jsonb(t) - 'published_at')::text AS row FROM {table} t) each_row
"""
PASSING = {
    "notify.audit": "when the auditor looked last",
    "notify.incident": "what the auditor worries about just now",
    "public.allowance": "who asked how often lately",
    "sandbox.nonce": "signatures the sandbox has seen lately",
}
"""Tables that hold nothing but the last minutes."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="chuishao-replay-", ignore_cleanup_errors=True) as found:
        yield Path(found)


async def come_to_rest(system: Living) -> None:
    """Moves the clock until no case has anything left to wait for."""
    await system.settled()
    while await system.rows(NOT_DONE):
        async with as_owner(system.target) as conn:
            await store.move_clock(conn, timedelta(seconds=20))
        await system.settled()


async def tables(system: Living) -> Mapping[str, str]:
    """Table -> how many rows it has, and a digest of all of them."""
    async with as_owner(system.target) as conn:
        names = [name for name in (await conn.exec_driver_sql(TABLES)).scalars() if name not in PASSING]
        return {name: (await conn.exec_driver_sql(CONTENT.format(table=name))).scalar_one() for name in names}


async def test_with_kafka_deleted_and_events_told_again_every_table_is_as_before(folder: Path) -> None:
    chance = random.Random(6)
    async with living(folder) as system, inhabited(system, chance) as residents:
        await asyncio.gather(*(residents.live() for _ in range(20)))
        await come_to_rest(system)
        before = await tables(system)
        assert len(before) > 60
        events = await system.rows("SELECT id FROM routing.outbox")

        await system.stop()
        shutil.rmtree(system.data / "kafka")
        await system.start()
        await system.settled()
        rested = await tables(system)
        assert {name: rested[name] for name in before if rested[name] != before[name]} == {}, "by a restart alone"

        await system.run("outbox", "replay", "--since", "1d")
        await system.settled()
        after = await tables(system)
        assert {name: after[name] for name in before if after[name] != before[name]} == {}
        (told,) = await system.rows("SELECT count(*) FROM routing.outbox WHERE published_at IS NOT NULL")
        assert told[0] == len(events) > 100
