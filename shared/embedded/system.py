"""The embedded system: PostgreSQL and Kafka as children of this process, in one data directory."""

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.embedded import account
from shared.embedded.errors import DirectoryInUse, PortTaken
from shared.embedded.jars import cache_folder
from shared.embedded.kafka import Kafka, java
from shared.embedded.postgres import Postgres, binaries
from shared.embedded.process import Child, Place, own_record, read_record, stop_stale, write_record

SYSTEM = Path("run") / "system.json"


@dataclass(frozen=True)
class Endpoints:
    """Where the two servers are reached; empty for one that was not asked for.

    postgres: SQLAlchemy URL of the owner role. kafka: bootstrap server, `host:port`.
    """

    postgres: str
    kafka: str


@dataclass(frozen=True)
class System:
    """A living system as another process finds it: process id, endpoints, and what its owner announced."""

    pid: int
    endpoints: Endpoints
    facts: dict[str, Any]


class Embedded:
    """PostgreSQL 18 and Apache Kafka for one data directory; at most one instance per directory at a time.

    `progress` gets short lines for people while `start()` works.
    """

    def __init__(
        self,
        directory: Path,
        *,
        postgres: bool = True,
        kafka: bool = True,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.directory = directory.resolve()
        self.progress = progress
        self._wanted = (postgres, kafka)
        self._postgres: Postgres | None = None
        self._children: list[Child] = []
        self._lock: int | None = None
        self._endpoints = Endpoints("", "")
        self._facts: dict[str, Any] = {}

    async def start(self) -> Endpoints:
        """Start both servers side by side and return when both are healthy.

        Takes the directory's lock, stops what an earlier system left running, installs and initialises what
        is missing. Raises DirectoryInUse, JarRefused or StartFailed; then nothing is left running.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            return await self._start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from None
            raise

    async def _start(self) -> Endpoints:
        place = self._make_place()
        servers: list[Postgres | Kafka] = []
        if self._wanted[0]:
            self._postgres = Postgres(self.directory / "postgres", place)
            servers.append(self._postgres)
        if self._wanted[1]:
            servers.append(Kafka(self.directory / "kafka", place, self.progress))
        self._children = [Child(server, place) for server in servers]
        for child in self._children:
            await stop_stale(child.record_path, child.server.stop_signal)
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(child.start())
        self._endpoints = Endpoints(
            postgres=self._postgres.url if self._postgres else "",
            kafka="".join(server.address for server in servers if isinstance(server, Kafka)),
        )
        self.announce()
        return self._endpoints

    def _make_place(self) -> Place:
        who = account.choose()
        place = Place(self.directory / "run", self.directory / "log", who)
        for folder in (place.run, place.log):
            folder.mkdir(exist_ok=True)
        cache_folder().mkdir(parents=True, exist_ok=True)
        programs = [binaries() / "postgres"] * self._wanted[0] + [
            java(),
            cache_folder() / "jar",
        ] * self._wanted[1]
        account.let_through(who, [self.directory / "any", *programs], self.progress)
        return place

    def announce(self, **facts: Any) -> None:
        """Tell `running()` more `facts` (such as the HTTP port), in `run/system.json`."""
        self._facts |= facts
        endpoints = {"postgres": self._endpoints.postgres, "kafka": self._endpoints.kafka}
        write_record(self.directory / SYSTEM, own_record(), {**self._facts, **endpoints})

    async def watch(self) -> None:
        """Start a dead child again, on its old port, until cancelled. Each death and restart is logged."""
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(child.keep())

    async def stop(self) -> None:
        """Stop both servers (10 s, then SIGKILL) and release the directory. May be called twice."""
        await asyncio.gather(*(child.stop() for child in self._children))
        if self._postgres is not None:
            self._postgres.clean_up()
        if self._lock is not None:
            (self.directory / SYSTEM).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            found = running(self.directory)
            who = f" (pid {found.pid})" if found else ""
            raise DirectoryInUse(
                f"数据目录 {self.directory} 正在被另一个系统使用{who}",
                f"the data directory {self.directory} is in use by another system{who}",
            ) from None
        self._lock = descriptor


def running(directory: Path) -> System | None:
    """The system that runs on `directory` now, or None; a record whose process is gone does not count."""
    found = read_record(directory.resolve() / SYSTEM)
    if found is None or not found[0].alive():
        return None
    record, facts = found
    endpoints = Endpoints(facts.pop("postgres", ""), facts.pop("kafka", ""))
    return System(record.pid, endpoints, facts)


def check_port(port: int, host: str = "127.0.0.1") -> None:
    """Raise PortTaken when `port` cannot be listened on (another program has it, or it takes rights)."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"端口 {port} 不可用,请用 --port 另选",
                f"port {port} cannot be used ({error.strerror}): choose --port",
            ) from error
