"""Outbox, relay, Kafka and consumer together, all real."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.db import make_engine, transaction
from shared.embedded import Embedded
from shared.embedded.kafka import free_ports
from shared.ids import new_id
from shared.messaging import outbox
from shared.messaging.events import Event
from shared.messaging.outbox import Relay, sweep
from shared.telemetry import current_traceparent, traced
from tests.integration.messaging import Echo, by_subject, echoing, subjects, until


class Broker:
    """A broker of one test, which may be killed; while it is watched it is started again."""

    def __init__(self, folder: Path) -> None:
        self.system = Embedded(folder, postgres=False)
        self._record = folder / "run" / "kafka.json"

    def kill(self) -> None:
        os.kill(json.loads(self._record.read_text())["pid"], signal.SIGKILL)


@pytest_asyncio.fixture(loop_scope="session")
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    found = Broker(tmp_path)
    try:
        yield found
    finally:
        await found.system.stop()


async def test_rows_are_marked_as_published_once_the_broker_has_them(echo: Echo) -> None:
    s = new_id()
    (nobody,) = free_ports(1)
    await echo.tell(s, 1, 2)
    async with echo.process(kafka=f"127.0.0.1:{nobody}") as alone:
        with structlog.testing.capture_logs() as logs:
            async with alone.running(Relay(alone.context).run):
                await until(lambda: said(logs, "relay.waiting"))
    assert not await echo.all_published()
    async with echo.running(Relay(echo.context).run):
        await until(lambda: echo.all_published())
    assert by_subject(await echo.in_kafka()) == {str(s): [1, 2]}


async def test_a_row_that_commits_after_a_later_one_was_published_is_published_too(echo: Echo) -> None:
    early, late = subjects(2)
    async with echo.running(Relay(echo.context).run), transaction(echo.context.engine) as slow:
        await echo.tell(early, 1, conn=slow)
        await echo.tell(late, 1)
        await until(lambda: echo.all_published())
    async with echo.running(Relay(echo.context).run):
        await until(lambda: echo.all_published(2))
    assert by_subject(await echo.in_kafka()) == {str(early): [1], str(late): [1]}


async def test_32_writers_at_once_miss_nothing_and_each_subject_stays_in_order(echo: Echo) -> None:
    url = echo.context.engine.url.render_as_string(hide_password=False)
    engine = make_engine(url, pool=32)
    written = subjects(32)

    async def write(number: int) -> None:
        for seq in range(1, 41):
            async with transaction(engine) as conn:
                await echo.tell(written[number], seq, conn=conn)
                # A transaction of some length, so that rows commit in another order than they were numbered.
                await conn.execute(text("SELECT pg_sleep(random() * 0.005)"))

    async with echo.running():
        await asyncio.gather(*(write(number) for number in range(32)))
        await until(lambda: echo.has_heard(32 * 40))
    await engine.dispose()
    assert by_subject(await echo.in_kafka()) == {str(s): list(range(1, 41)) for s in written}
    assert {s: await echo.heard(s) for s in written} == {s: list(range(1, 41)) for s in written}
    assert await echo.quarantined() == []


async def test_case_20_one_event_that_always_fails_waits_alone_and_10000_others_are_unaffected(echo: Echo) -> None:
    echo.refuse(3)
    bad, *good = subjects(5001)
    async with transaction(echo.context.engine) as conn:
        for s in good[:2500]:
            await echo.tell(s, 1, 2, conn=conn)
        await echo.tell(bad, 1, 2, 3, 4, 5, conn=conn)
        for s in good[2500:]:
            await echo.tell(s, 1, 2, conn=conn)
    async with echo.running():
        await until(lambda: echo.has_heard(10_002), seconds=60)
        await until(lambda: echo.has_quarantined(3))
    waiting = await echo.quarantined()
    assert [seq for seq, _ in waiting] == [3, 4, 5]
    assert waiting[0][1].startswith("failed: RuntimeError")
    assert await echo.heard(bad) == [1, 2]
    assert {s: await echo.heard(s) for s in good[::500]} == {s: [1, 2] for s in good[::500]}


async def test_bytes_that_cannot_be_read_do_not_stop_the_partition(echo: Echo) -> None:
    s = new_id()
    key = str(s).encode()
    async with echo.running():
        await echo.put(b"\x00 not an event", key)
        await echo.tell(s, 1)
        await until(lambda: echo.has_heard(1))
        await until(lambda: echo.has_quarantined(1))


async def test_trouble_with_the_database_only_delays_and_quarantines_nothing(echo: Echo) -> None:
    killed: list[int] = []

    async def step(conn: AsyncConnection, events: Sequence[Event]) -> None:
        if len(killed) < 3:
            killed.append(events[0].seq)
            await conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    echo.then = [step]
    s = new_id()
    await echo.tell(s, 1, 2)
    async with echo.running():
        await until(lambda: echo.has_heard(2))
    assert killed == [1, 1, 1]
    assert await echo.heard(s) == [1, 2]
    assert await echo.quarantined() == []


async def test_relay_and_consumer_survive_a_database_that_lets_nobody_in(echo: Echo, echo_owner: AsyncEngine) -> None:
    s = new_id()
    await echo.tell(s, 1)
    async with echo.running() as duties:
        await until(lambda: echo.has_heard(1))
        async with shut_out(echo_owner):
            with structlog.testing.capture_logs() as logs:
                async with transaction(echo_owner) as conn:
                    await conn.execute(text("SET LOCAL search_path = echo, public"))
                    await echo.tell(s, 2, conn=conn)
                await echo.put((await echo.in_kafka())[0].value)
                await until(lambda: said(logs, "relay.waiting", "consumer.waiting"))
        await until(lambda: echo.has_heard(2))
        assert not any(duty.done() for duty in duties)
    assert await echo.quarantined() == []


@asynccontextmanager
async def shut_out(owner: AsyncEngine) -> AsyncIterator[None]:
    """Ends every connection of the service and allows no new one."""
    async with transaction(owner) as conn:
        await conn.execute(text("ALTER ROLE chuishao_echo CONNECTION LIMIT 0"))
        await conn.execute(text("GRANT chuishao_echo TO chuishao WITH INHERIT TRUE"))
    try:
        async with transaction(owner) as conn:
            await conn.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chuishao_echo'")
            )
        yield
    finally:
        async with transaction(owner) as conn:
            await conn.execute(text("ALTER ROLE chuishao_echo CONNECTION LIMIT -1"))
            await conn.execute(text("REVOKE chuishao_echo FROM chuishao"))


async def said(logs: Sequence[Any], *events: str) -> bool:
    return set(events) <= {entry["event"] for entry in logs}


async def test_of_two_relays_of_a_service_one_works_and_the_other_takes_over(echo: Echo) -> None:
    s = new_id()
    async with echo.process() as other, echo.running(Relay(echo.context).run) as (first,):
        await echo.tell(s, 1)
        await until(lambda: echo.all_published(1))
        async with other.running(Relay(other.context).run):
            for seq in range(2, 22):
                await echo.tell(s, seq)
            await until(lambda: echo.all_published(21))
            first.cancel()
            await echo.tell(s, 22)
            await until(lambda: echo.all_published(22))
    assert by_subject(await echo.in_kafka()) == {str(s): list(range(1, 23))}, "each was sent once"


async def test_relay_and_consumer_survive_a_killed_broker_and_lose_nothing(
    broker: Broker, echo_owner: AsyncEngine
) -> None:
    endpoints = await broker.system.start()
    one, two = subjects(2)
    async with echoing(echo_owner, endpoints.kafka) as echo, echo.running() as duties:
        watching = asyncio.create_task(broker.system.watch())
        await echo.tell(one, 1)
        await until(lambda: echo.has_heard(1))
        broker.kill()
        await echo.tell(one, 2, 3)
        await echo.tell(two, 1, 2)
        await until(lambda: echo.has_heard(5), seconds=60)
        assert not any(duty.done() for duty in duties)
        watching.cancel()
        assert await echo.heard(one) == [1, 2, 3]
        assert await echo.heard(two) == [1, 2]
        assert await echo.quarantined() == []


async def test_relay_and_consumer_stop_in_time_though_the_broker_is_gone(
    broker: Broker, echo_owner: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints = await broker.system.start()
    sending = asyncio.Event()

    class Watched(Relay):
        async def _send(self, rows: Sequence[RowMapping]) -> list[int]:
            sending.set()
            return await super()._send(rows)

    s = new_id()
    async with echoing(echo_owner, endpoints.kafka) as echo:
        async with echo.running(Watched(echo.context).run, echo.consumer.run) as duties:
            await echo.tell(s, 1)
            await until(lambda: echo.has_heard(1))
            broker.kill()
            sending.clear()
            await echo.tell(s, 2)
            await sending.wait()
            began = time.monotonic()
        assert time.monotonic() - began < 6
        assert all(duty.done() for duty in duties)


async def test_a_trace_goes_from_the_request_through_outbox_and_kafka_header_to_the_handler(echo: Echo) -> None:
    s = new_id()
    with traced(None) as trace:
        assert current_traceparent() == trace
        await echo.tell(s, 1)
    async with echo.running():
        await until(lambda: echo.has_heard(1))
    (message,) = await echo.in_kafka()
    assert dict(message.headers)["traceparent"] == trace.encode()
    (row,) = await echo.rows("SELECT trace FROM echo.heard")
    assert row.trace == trace


async def test_offsets_are_committed_once_a_batch_took_effect(echo: Echo) -> None:
    async with echo.running():
        for s in subjects(5):
            await echo.tell(s, 1)
        await until(lambda: echo.has_heard(5))
        await until(lambda: echo.at_the_end())


async def test_a_replayed_outbox_is_published_again_and_what_is_known_is_dropped(echo: Echo) -> None:
    s = new_id()
    await echo.tell(s, 1, 2)
    async with echo.running():
        await until(lambda: echo.has_heard(2))
        async with transaction(echo.context.engine) as conn:
            (since,) = (await conn.execute(text("SELECT min(created_at) FROM outbox"))).one()
            assert (await conn.execute(outbox.REPLAY, {"since": since})).rowcount == 2
        await echo.tell(s, 3)
        await until(lambda: echo.has_heard(3))
    assert by_subject(await echo.in_kafka()) == {str(s): [1, 2, 1, 2, 3]}
    assert await echo.heard(s) == [1, 2, 3]


async def test_the_sweep_deletes_what_was_published_long_ago_and_nothing_else(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", 2)
    s = new_id()
    await echo.tell(s, 1, 2, 3, 4, 5)
    async with transaction(echo.owner) as conn:
        old = "now() - interval '15 days'"
        await conn.execute(text(f"UPDATE echo.outbox SET created_at = {old}"))
        await conn.execute(text(f"UPDATE echo.outbox SET published_at = {old} WHERE seq <= 3"))
        await conn.execute(text("UPDATE echo.outbox SET published_at = now() WHERE seq = 4"))
    assert await sweep(echo.context) < 1, "there is more to do at once"
    assert await sweep(echo.context) > 60
    assert [row.seq for row in await echo.rows("SELECT seq FROM echo.outbox ORDER BY seq")] == [4, 5]
