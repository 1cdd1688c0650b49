"""What rows share, made when the first of them asks for it: databases with a district or with pending cases, a broker,
processes, a data directory."""

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench import pending
from bench.row import RUNS
from bench.running import up
from chuishao.wiring import SERVICES, make_topics, put_district, put_policy
from shared.db import make_engine, service_url
from shared.embedded import Embedded
from shared.embedded.kafka import free_ports
from shared.keys import Keys
from shared.migrate import migrate
from shared.service import Context
from shared.settings import Settings

MASTER = b"benches have keys of their own ."
KEYS = Keys(MASTER)
TEMPLATE, DISTRICT = "bench_template", "bench_district"


class Bench:
    """One run of the benchmarks. `say` gets lines for people while something takes long."""

    def __init__(self, stack: AsyncExitStack, *, quick: bool, say: Callable[[str], None]) -> None:
        self.quick = quick
        self.say = say
        self._stack = stack
        self._server: str | None = None
        self._templates: set[str] = set()
        self._kafka: str | None = None
        self.found: dict[str, Any] = {}
        """What a measurement found, for other rows that show more of it."""
        self._directory: Path | None = None

    @property
    def runs(self) -> int:
        return 1 if self.quick else RUNS

    @property
    def size(self) -> pending.Size:
        return pending.QUICK if self.quick else pending.FULL

    @asynccontextmanager
    async def pending_cases(self, service: str = "routing") -> AsyncIterator[Context]:
        """A service on a fresh copy of the database with pending cases, exactly as it was filled."""
        await self._fill()
        async with (
            self._database(f"TEMPLATE {TEMPLATE} STRATEGY FILE_COPY") as url,
            self.context(url, service) as ctx,
        ):
            yield ctx

    @asynccontextmanager
    async def empty(self, service: str) -> AsyncIterator[Context]:
        """A service on a database that holds nothing yet."""
        async with self._database("TEMPLATE template0") as url, self.context(url, service) as ctx:
            yield ctx

    @asynccontextmanager
    async def district(self, policy: str = "default") -> AsyncIterator[str]:
        """The owner's URL of a fresh database with the seed district under `policy`."""
        await self._set_up()
        async with self._database(f"TEMPLATE {DISTRICT} STRATEGY FILE_COPY") as url:
            if policy != "default":
                owner = make_engine(url, pool=1)
                await put_policy(owner, policy)
                await owner.dispose()
            yield url

    @asynccontextmanager
    async def context(self, url: str, service: str, prefix: str = "chuishao.") -> AsyncIterator[Context]:
        """A service on the database at `url`, in this process."""
        engine = make_engine(service_url(url, service, KEYS), application=f"chuishao_{service}")
        try:
            yield Context(service, engine, KEYS, Settings(topic_prefix=prefix), self._kafka or "")
        finally:
            await engine.dispose()

    async def broker(self) -> tuple[str, str]:
        """`HOST:PORT` of a broker, and a prefix under which the topics are new and empty."""
        if self._kafka is None:
            system = Embedded(self._temporary(), postgres=False, progress=self.say)
            self._kafka = (await system.start()).kafka
            self._stack.push_async_callback(system.stop)
        prefix = f"b{secrets.token_hex(3)}."
        await make_topics(self._kafka, prefix)
        return self._kafka, prefix

    @asynccontextmanager
    async def process(self, url: str, *arguments: str, **settings: str) -> AsyncIterator[tuple[psutil.Process, int]]:
        """`python ARGUMENTS…` as a process of its own that says `ready`: the process and its port. `settings` are
        those of a service, beside the database at `url`."""
        port = int(settings.get("port") or free_ports(1)[0])
        given = {"postgres": url, "master_key": MASTER.hex(), "log_level": "ERROR", **settings, "port": str(port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **{f"CHUISHAO_{n.upper()}": v for n, v in given.items()}},
        )
        assert process.stdout
        try:
            async with asyncio.timeout(60):
                while not (line := await process.stdout.readline()).startswith(b"ready"):
                    if not line:
                        raise RuntimeError(f"{arguments} ended with {await process.wait()}")
            yield psutil.Process(process.pid), port
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    @asynccontextmanager
    async def _database(self, like: str) -> AsyncIterator[str]:
        """The owner's URL."""
        server = await self._running()
        name = f"bench_{secrets.token_hex(4)}"
        async with _autocommit(server) as admin:
            await admin.execute(text(f"CREATE DATABASE {name} {like}"))
            try:
                url = _database(server, name)
                owner = make_engine(url, pool=1)
                await migrate(owner, SERVICES, KEYS)  # the roles' search paths lie on the database they were set for
                await owner.dispose()
                yield url
            finally:
                await admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

    async def seed_directory(self) -> Path:
        """A data directory that was set up with the seed district, and stopped."""
        if self._directory is None:
            self._directory = self._temporary()
            async with up(self._directory, "--policy", "default", "--district", "seed") as (_, seconds):
                self.say(f"set up with the seed district in {seconds:.1f} s")
        return self._directory

    def _temporary(self) -> Path:
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="chuishao-bench-")))

    async def _set_up(self) -> None:
        """The template with the seed district, made once."""
        if DISTRICT in self._templates:
            return
        server = await self._running()
        async with _autocommit(server) as admin:
            await admin.execute(text(f"CREATE DATABASE {DISTRICT}"))
        owner = make_engine(_database(server, DISTRICT), pool=1)
        await migrate(owner, SERVICES, KEYS)
        await put_policy(owner, "default")
        await put_district(owner, KEYS, "seed", self.say)
        await owner.dispose()
        async with _autocommit(_database(server, DISTRICT)) as conn:
            await conn.execute(text("TRUNCATE directory.outbox"))
            await conn.execute(text("VACUUM (FREEZE, ANALYZE)"))
        self._templates.add(DISTRICT)

    async def _fill(self) -> None:
        """The template with pending cases, made once."""
        if TEMPLATE in self._templates:
            return
        await self._set_up()
        server, began = await self._running(), time.perf_counter()
        async with _autocommit(server) as admin:
            await admin.execute(text(f"CREATE DATABASE {TEMPLATE} TEMPLATE {DISTRICT} STRATEGY FILE_COPY"))
        await pending.fill(_database(server, TEMPLATE), self.size)
        self._templates.add(TEMPLATE)
        self.say(f"{self.size.pending:,} pending cases made in {time.perf_counter() - began:.0f} s")

    async def _running(self) -> str:
        """URL of the server."""
        if self._server is None:
            self._server = await self._start()
        return self._server

    async def _start(self) -> str:
        """Twice: that the time of commits is kept has to be known at the start."""
        folder = self._temporary()
        for _ in range(2):
            system = Embedded(folder, kafka=False, progress=self.say)
            endpoints = await system.start()
            connection = await asyncpg.connect(host=str(folder / "postgres" / "socket"), user="postgres")
            kept = await connection.fetchval("SHOW track_commit_timestamp")
            await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
            await connection.execute("ALTER ROLE chuishao CREATEDB")
            await connection.execute("GRANT SET ON PARAMETER session_replication_role TO chuishao")
            await connection.close()
            if kept == "on":
                break
            await system.stop()
        self._stack.push_async_callback(system.stop)
        return endpoints.postgres


def _database(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def _autocommit(url: str) -> AsyncIterator[AsyncConnection]:
    engine = make_engine(url, pool=1)
    async with engine.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        await conn.execute(text("SET statement_timeout = 0"))
        yield conn
    await engine.dispose()
