"""The embedded PostgreSQL and Kafka: started, killed, found again."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from shared.embedded import (
    DirectoryInUse,
    Embedded,
    Endpoints,
    JarRefused,
    PortTaken,
    check_port,
    running,
)
from shared.embedded.jars import Jar, cache_folder, install, read_lock
from shared.embedded.process import Record, read_record, write_record

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PARENT = """
import asyncio, sys
from pathlib import Path
from shared.embedded import Embedded

async def main():
    system = Embedded(Path(sys.argv[1]), kafka=sys.argv[2] == "kafka")
    await system.start()
    system.announce(http=8123)
    print("up", flush=True)
    await system.watch()

asyncio.run(main())
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A data directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="chuishao-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def start_parent(directory: Path, kafka: bool) -> subprocess.Popen[str]:
    """A process of its own that keeps the embedded system up."""
    command = [sys.executable, "-c", PARENT, str(directory), "kafka" if kafka else "postgres"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def recorded(directory: Path) -> set[Record]:
    """The records of both servers."""
    found = (read_record(directory / "run" / f"{name}.json") for name in ("postgres", "kafka"))
    return {record for record, _ in filter(None, found)}


async def until_gone(records: set[Record], seconds: float) -> None:
    """Fail unless all processes are gone in time (zombies are: init takes its time to bury them)."""
    deadline = time.monotonic() + seconds
    while any(record.alive() for record in records):
        assert time.monotonic() < deadline, "still there"
        await asyncio.sleep(0.02)


async def eventually(act: Callable[[], Awaitable[T]], seconds: float = 30) -> T:
    """What `act` returns as soon as the servers let it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await act()
        except (OSError, DBAPIError, KafkaError):
            assert time.monotonic() < deadline, "still away"
            await asyncio.sleep(0.1)


async def scalar(url: str, statement: str) -> object:
    """One value from the database."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return (await connection.execute(text(statement))).scalar()
    finally:
        await engine.dispose()


async def send(endpoints: Endpoints, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=endpoints.kafka)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=endpoints.kafka, enable_idempotence=True) as producer:
        await producer.send_and_wait("kept", value)


async def first_value(address: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=address)
    try:
        await consumer.start()
        partition = TopicPartition("kept", 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return (await asyncio.wait_for(consumer.getone(), 10)).value
    finally:
        await consumer.stop()


async def test_both_servers_are_real_and_the_owner_is_no_superuser(instance: Endpoints) -> None:
    version = await scalar(instance.postgres, "SHOW server_version")
    assert str(version).startswith("18.")
    assert await scalar(instance.postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert await scalar(instance.postgres, "SHOW server_encoding") == "UTF8"
    admin = AIOKafkaAdminClient(bootstrap_servers=instance.kafka)
    await admin.start()
    assert len((await admin.describe_cluster())["brokers"]) == 1
    await admin.close()


async def test_a_killed_parent_takes_its_children_along_and_the_next_start_finds_everything(
    directory: Path,
) -> None:
    parent = start_parent(directory, kafka=True)
    system = running(directory)
    assert system is not None
    assert (system.pid, system.facts) == (parent.pid, {"http": 8123})
    engine = create_async_engine(system.endpoints.postgres)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE kept AS SELECT 42 AS value"))
    await engine.dispose()
    await send(system.endpoints, b"still here")
    children = recorded(directory)
    assert len(children) == 2
    assert all(child.alive() for child in children)

    parent.kill()
    parent.wait()
    await until_gone(children, seconds=1.5)
    assert running(directory) is None

    again = Embedded(directory)
    endpoints = await again.start()
    try:
        assert await scalar(endpoints.postgres, "SELECT value FROM kept") == 42
        assert await first_value(endpoints.kafka) == b"still here"
    finally:
        await again.stop()
    assert list((directory / "run").iterdir()) == []


async def test_a_directory_serves_one_system_at_a_time(directory: Path) -> None:
    first = Embedded(directory, postgres=False, kafka=False)
    await first.start()
    with pytest.raises(DirectoryInUse, match=f"pid {os.getpid()}"):
        await Embedded(directory, postgres=False, kafka=False).start()
    await first.stop()
    second = Embedded(directory, postgres=False, kafka=False)
    await second.start()
    await second.stop()


def test_a_taken_port_is_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTaken, match=str(other.getsockname()[1])):
            check_port(other.getsockname()[1])


async def test_a_left_over_server_is_stopped_and_a_process_of_the_same_number_is_not(
    directory: Path,
) -> None:
    (directory / "run").mkdir()
    stale = await asyncio.create_subprocess_exec("/bin/sleep", "60")
    innocent = await asyncio.create_subprocess_exec("/bin/sleep", "60")
    write_record(directory / "run" / "kafka.json", Record.of(stale.pid, ["/bin/sleep", "60"]))
    seen = Record.of(innocent.pid, ["/bin/sleep", "60"])
    older = Record(seen.pid, seen.started - 1, seen.boot, seen.command)
    write_record(directory / "run" / "postgres.json", older)
    system = Embedded(directory)
    try:
        await system.start()
        assert await stale.wait() == -signal.SIGTERM
        assert innocent.returncode is None
    finally:
        await system.stop()
        innocent.kill()


async def test_a_dead_server_is_started_again_at_its_old_address(directory: Path) -> None:
    system = Embedded(directory)
    endpoints = await system.start()
    watch = asyncio.create_task(system.watch())
    await asyncio.sleep(0)
    try:
        await send(endpoints, b"still here")
        killed = recorded(directory)
        for record in killed:
            os.kill(record.pid, signal.SIGKILL)
        await until_gone(killed, seconds=2)
        assert await eventually(lambda: scalar(endpoints.postgres, "SELECT 1")) == 1
        assert await eventually(lambda: first_value(endpoints.kafka)) == b"still here"
        assert recorded(directory).isdisjoint(killed)
    finally:
        watch.cancel()
        await system.stop()


def test_an_altered_jar_is_refused(tmp_path: Path) -> None:
    jar = min(read_lock(), key=lambda jar: (cache_folder() / jar.name).stat().st_size)
    lock = tmp_path / "jars.lock"
    lock.write_text(f"{jar.sha256}  {jar.path}\n")
    (tmp_path / jar.name).write_bytes((cache_folder() / jar.name).read_bytes())
    assert install(print, tmp_path, lock) == [tmp_path / jar.name]
    (tmp_path / jar.name).write_bytes(b"something else")
    with pytest.raises(JarRefused, match=jar.name):
        install(print, tmp_path, lock)


def test_the_lock_names_no_address() -> None:
    assert all("://" not in jar.path and len(jar.sha256) == 64 for jar in read_lock())
    assert Jar("a/b/c-1.jar", "").name == "c-1.jar"


async def test_a_long_path_gets_a_short_socket(directory: Path) -> None:
    deep = directory / ("d" * 60) / ("e" * 60)
    system = Embedded(deep, kafka=False)
    endpoints = await system.start()
    try:
        assert await scalar(endpoints.postgres, "SELECT 1") == 1
    finally:
        await system.stop()
    assert len(endpoints.postgres.partition("host=")[2]) < 40


async def test_a_start_cut_short_leaves_nothing_in_the_way(directory: Path) -> None:
    for seconds in (0.2, 0.5):  # in the middle of initdb, and of formatting
        system = Embedded(directory)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(system.start(), seconds)
        assert running(directory) is None
    system = Embedded(directory)
    endpoints = await system.start()
    try:
        assert await scalar(endpoints.postgres, "SELECT 1") == 1
    finally:
        await system.stop()
