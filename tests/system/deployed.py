"""The system as a cluster runs it: each service as processes of its own, an api and workers side by side, behind one
address; PostgreSQL and Kafka are servers from outside. Any process may be killed or frozen, and is started again."""

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chuishao.target import Target
from chuishao.wiring import SERVICES, make_server, prepare, put_district, put_policy
from shared.db import make_engine
from shared.embedded.kafka import free_ports
from shared.keys import Keys
from shared.settings import Settings
from tests.system.living import PROGRAM, READY_SECONDS, Outside, System, outside

TWO_EACH = {service.name: 2 for service in SERVICES}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Process:
    """One process of a service, the same one after every start: its name, its port, its place in Kafka's groups."""

    def __init__(self, name: str, service: str, role: str, environment: Mapping[str, str], errors: Path) -> None:
        (self.port,) = free_ports(1)
        self.name, self.service, self.role, self.errors = name, service, role, errors
        self._environment = {**os.environ, **environment, "CHUISHAO_PORT": str(self.port), "CHUISHAO_INSTANCE": name}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Until the line `ready …`."""
        with self.errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(PROGRAM, "serve", self.service, "--role", self.role),
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._environment,
            )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), READY_SECONDS)
        assert line.startswith(b"ready "), self.errors.read_text()[-4000:]

    async def kill(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """In order."""
        assert self._process is not None
        self.signal(signal.SIGTERM)
        await asyncio.wait_for(self._process.communicate(), 30)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


class Deployed(System):
    """Services, each as one api and a number of workers."""

    def __init__(self, folder: Path, servers: Sequence[str], settings: Settings, workers: Mapping[str, int]) -> None:
        self.postgres, self.kafka = servers
        self.keys, self.settings, self._folder = Keys.from_hex(str(settings.master_key)), settings, folder
        self.url = settings.base_url
        folder.mkdir(parents=True, exist_ok=True)
        self.processes: list[Process] = []
        for name, count in workers.items():
            self.add(name, "api", f"{name}-api")
            for number in range(count):
                self.add(name, "worker", f"{name}-{number}")

    @property
    def target(self) -> Target:
        return Target(self.postgres, self.kafka, self.url, self.keys, self.settings, adjustable=True)

    def add(self, service: str, role: str, name: str) -> Process:
        environment = {
            "CHUISHAO_DATA": str(self._folder / "none"),
            "CHUISHAO_POSTGRES": self.postgres,
            "CHUISHAO_KAFKA": self.kafka,
            "CHUISHAO_MASTER_KEY": str(self.settings.master_key),
            "CHUISHAO_PUBLIC_URL": self.url,
            "CHUISHAO_CLOCK": "adjustable",
            "CHUISHAO_LIMIT_CALLER": "0",  # a test is busier than any person
            "CHUISHAO_LIMIT_PHONE": "0",
            "CHUISHAO_TOPIC_PREFIX": self.settings.topic_prefix,
        }
        process = Process(name, service, role, environment, self._folder / f"{name}.err")
        self.processes.append(process)
        return process

    def workers(self, service: str | None = None) -> list[Process]:
        """The workers of a service, or of all."""
        return [each for each in self.processes if each.role == "worker" and service in (None, each.service)]

    async def start(self) -> None:
        await asyncio.gather(*(process.start() for process in self.processes))

    async def kill(self) -> None:
        """All at once."""
        for process in self.processes:
            if process._process is not None:
                process.signal(signal.SIGKILL)
        await asyncio.gather(*(process.kill() for process in self.processes))

    def last_words(self) -> list[str]:
        """The ends of the processes' logs."""
        logs = [process.errors for process in self.processes if process.errors.exists()]
        return [f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs]


async def small(system: Deployed, policy: str = "demo") -> None:
    """The small district, under a policy."""
    owner = make_engine(system.postgres, pool=1)
    await put_policy(owner, policy)
    await put_district(owner, system.keys, "small", print)
    await owner.dispose()


async def small_in_earnest(system: Deployed) -> None:
    """The small district under the default policy."""
    await small(system, "default")


@asynccontextmanager
async def deployed(
    folder: Path,
    servers: Sequence[str],
    workers: Mapping[str, int] = TWO_EACH,
    *,
    fill: Callable[[Deployed], Awaitable[None]] = small,
) -> AsyncIterator[Deployed]:
    """A running deployment behind one address, its database filled before; gone at the end, come what may."""
    (port,) = free_ports(1)
    settings = Settings(port=port, clock="adjustable", master_key=secrets.token_hex(32))
    system = Deployed(folder, servers, settings, workers)
    async with _door(system):
        await prepare(settings, system.keys, system.postgres, system.kafka)
        await fill(system)
        try:
            await system.start()
            yield system
        except BaseException:
            print(*system.last_words(), sep="\n")
            raise
        finally:
            await system.kill()


@asynccontextmanager
async def both_servers(folder: Path) -> AsyncIterator[tuple[Outside, Outside, tuple[str, str]]]:
    """A PostgreSQL, a Kafka, and their addresses."""
    async with (
        outside(folder / "postgres", postgres=True) as (postgres, url),
        outside(folder / "kafka", kafka=True) as (kafka, address),
    ):
        yield postgres, kafka, (url, address)


@asynccontextmanager
async def _door(system: Deployed) -> AsyncIterator[None]:
    """What a reverse proxy does: hands requests on by path; 503 when nobody is behind it."""
    ports = {process.service: process.port for process in system.processes if process.role == "api"}
    async with httpx2.AsyncClient(timeout=20, trust_env=False, limits=httpx2.Limits(max_connections=200)) as client:

        async def forward(request: Request) -> Response:
            parts = request.url.path.split("/")
            port = ports.get("sandbox" if parts[1] == "sandbox" else parts[min(2, len(parts) - 1)])
            if port is None:
                return Response(status_code=404)
            target = str(request.url.replace(netloc=f"127.0.0.1:{port}"))
            # The name the caller knows is part of what it signed.
            headers = [(name, value) for name, value in request.headers.raw if name != b"connection"]
            try:
                answer = await client.request(request.method, target, headers=headers, content=await request.body())
            except httpx2.TransportError:
                return Response("nobody there", status_code=503, headers={"Retry-After": "1"})
            kept = ("content-type", "retry-after", "location", "traceparent")
            headers_back = {name: value for name, value in answer.headers.items() if name in kept}
            return Response(answer.content, answer.status_code, headers_back)

        server = make_server(Starlette(routes=[Route("/{path:path}", forward, methods=METHODS)]), system.settings)
        task = asyncio.create_task(server.serve())
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield
        finally:
            server.should_exit = True
            await task
