"""What rows share, made when the first of them asks for it: a database with pending cases, a data directory."""

import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench import pending
from bench.row import RUNS
from bench.running import up
from chuishao.wiring import SERVICES
from shared.db import make_engine, service_url
from shared.embedded import Embedded
from shared.keys import Keys
from shared.migrate import migrate
from shared.service import Context
from shared.settings import Settings

KEYS = Keys(b"benches have keys of their own .")
TEMPLATE = "bench_template"


class Bench:
    """One run of the benchmarks. `say` gets lines for people while something takes long."""

    def __init__(self, stack: AsyncExitStack, *, quick: bool, say: Callable[[str], None]) -> None:
        self.quick = quick
        self.say = say
        self._stack = stack
        self._server: str | None = None
        self._template = False
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
        async with self._database(service, f"TEMPLATE {TEMPLATE} STRATEGY FILE_COPY") as ctx:
            yield ctx

    @asynccontextmanager
    async def empty(self, service: str) -> AsyncIterator[Context]:
        """A service on a database that holds nothing yet."""
        async with self._database(service, "TEMPLATE template0") as ctx:
            yield ctx

    @asynccontextmanager
    async def _database(self, service: str, like: str) -> AsyncIterator[Context]:
        server = await self._running()
        async with _autocommit(server) as admin:
            await admin.execute(text(f"CREATE DATABASE bench_copy {like}"))
            url = _database(server, "bench_copy")
            owner = make_engine(url, pool=1)
            await migrate(owner, SERVICES, KEYS)  # the roles' search paths lie on the database they were set for
            await owner.dispose()
            engine = make_engine(service_url(url, service, KEYS))
            try:
                yield Context(service, engine, KEYS, Settings())
            finally:
                await engine.dispose()
                await admin.execute(text("DROP DATABASE bench_copy"))

    async def seed_directory(self) -> Path:
        """A data directory that was set up with the seed district, and stopped."""
        if self._directory is None:
            self._directory = self._temporary()
            async with up(self._directory, "--policy", "default", "--district", "seed") as (_, seconds):
                self.say(f"set up with the seed district in {seconds:.1f} s")
        return self._directory

    def _temporary(self) -> Path:
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="chuishao-bench-")))

    async def _fill(self) -> None:
        """The template with pending cases, made once."""
        if self._template:
            return
        server, began = await self._running(), time.perf_counter()
        async with _autocommit(server) as admin:
            await admin.execute(text(f"CREATE DATABASE {TEMPLATE}"))
        await pending.fill(_database(server, TEMPLATE), KEYS, self.size, self.say)
        self._template = True
        self.say(f"{self.size.pending:,} pending cases made in {time.perf_counter() - began:.0f} s")

    async def _running(self) -> str:
        """URL of the server."""
        if self._server is None:
            self._server = await self._start()
        return self._server

    async def _start(self) -> str:
        folder = self._temporary()
        system = Embedded(folder, kafka=False, progress=self.say)
        endpoints = await system.start()
        self._stack.push_async_callback(system.stop)
        connection = await asyncpg.connect(host=str(folder / "postgres" / "socket"), user="postgres")
        await connection.execute("ALTER ROLE chuishao CREATEDB")
        await connection.close()
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
