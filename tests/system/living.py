"""A whole system as processes of its own, to be killed and started again; and a server it may be given from outside."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Row, text

from chuishao.settling import Settling
from chuishao.target import Target, as_owner, find
from shared.embedded import Embedded
from shared.embedded.kafka import free_ports
from shared.embedded.process import Child

PROGRAM = str(Path(sys.executable).with_name("chuishao"))
READY_SECONDS = 120
STANDSTILL = 45.0


class System:
    """A system as whoever owns its database sees it."""

    url: str
    """Where it is reached."""

    @property
    def target(self) -> Target:
        """The system as commands find it."""
        raise NotImplementedError

    async def rows(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        """What the owner of the database reads."""
        async with as_owner(self.target) as conn:
            return (await conn.execute(text(statement), values)).all()

    async def settled(self) -> None:
        """Until nothing is due, every event is heard, every message out and every receipt taken. Takes as long as
        it gets on: a slow machine is no fault."""
        last: list[str] = []
        async with Settling(self.target) as settling:
            while moving := await settling.still_moving():
                if moving != last:
                    last, deadline = moving, time.monotonic() + STANDSTILL
                assert time.monotonic() < deadline, f"at a standstill: {moving}"
                await asyncio.sleep(0.5)


class Living(System):
    """`chuishao up` on one directory and one port, as often as it takes. The clock may be moved."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data = folder / "data"
        self._errors = folder / "up.err"
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    @property
    def target(self) -> Target:
        return find(self.data)

    async def start(self) -> None:
        """Until the line `ready …`."""
        await self.begin()
        await self.ready()

    async def begin(self) -> None:
        command = [PROGRAM, "up", "--data", str(self.data), "--port", str(self.port), *self._options]
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "CHUISHAO_CLOCK": "adjustable"},
            )

    async def ready(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), READY_SECONDS)
        assert line.startswith(b"ready "), self._errors.read_text()[-4000:]

    async def kill(self) -> None:
        """Everything at once: the process, its servers, and theirs."""
        assert self._process is not None
        parent = psutil.Process(self._process.pid)
        doomed = [parent, *parent.children(recursive=True)]
        for process in doomed:
            try:
                process.kill()
            except psutil.NoSuchProcess:  # ended meanwhile by the death of its parent
                continue
        await self._process.wait()
        await asyncio.to_thread(psutil.wait_procs, doomed, 10)

    async def stop(self) -> float:
        """SIGTERM; seconds until it has gone."""
        assert self._process is not None
        began = time.monotonic()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        # What it still prints has to go somewhere, or it would wait for us.
        await asyncio.wait_for(self._process.communicate(), 60)
        return time.monotonic() - began

    async def run(self, *arguments: str) -> None:
        """A command, as an operator types it."""
        process = await asyncio.create_subprocess_exec(PROGRAM, *arguments, "--data", str(self.data))
        assert await asyncio.wait_for(process.wait(), 60) == 0

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def last_words(self) -> list[str]:
        """The ends of the system's logs."""
        logs = [self._errors, *(self.data / "log").glob("*.log")]
        return [f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs if log.exists()]


@asynccontextmanager
async def unborn(folder: Path, *options: str) -> AsyncIterator[Living]:
    """A system with the small district and the demo policy, not started yet; gone at the end, come what may."""
    system = Living(folder, "--policy", "demo", "--district", "small", *options)
    try:
        yield system
    except BaseException:
        print(*system.last_words(), sep="\n")
        raise
    finally:
        if system._process is not None and system._process.returncode is None:
            await system.kill()


@asynccontextmanager
async def living(folder: Path, *options: str) -> AsyncIterator[Living]:
    """The same, running."""
    async with unborn(folder, *options) as system:
        await system.start()
        yield system


class Outside:
    """One server that is not the system's: it stops, dies and freezes when the test says so, and always comes back at
    the same address."""

    def __init__(self, child: Child) -> None:
        self._child = child

    async def start(self) -> None:
        await self._child.start()

    async def stop(self) -> None:
        """In order."""
        await self._child.stop()

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self._child.process is not None
        await self._child.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP: connections stay, and nobody answers. SIGCONT: as if nothing had been."""
        assert self._child.process is not None
        self._child.process.send_signal(number)


@asynccontextmanager
async def outside(folder: Path, *, postgres: bool = False, kafka: bool = False) -> AsyncIterator[tuple[Outside, str]]:
    """A PostgreSQL or a Kafka of the test's own, and its address."""
    embedded = Embedded(folder, postgres=postgres, kafka=kafka)
    endpoints = await embedded.start()
    (child,) = embedded._children
    server = Outside(child)
    try:
        yield server, endpoints.postgres or endpoints.kafka
    finally:
        if child.process is not None and child.process.returncode is None:
            server.signal(signal.SIGCONT)
        await embedded.stop()


async def until(
    reached: Callable[[], Awaitable[bool]], seconds: float, otherwise: Callable[[], str] = lambda: "it never came about"
) -> float:
    """Waits for a condition; seconds it took. Fails with `otherwise()`."""
    began = time.monotonic()
    while not await reached():
        assert time.monotonic() - began < seconds, otherwise()
        await asyncio.sleep(0.05)
    return time.monotonic() - began
