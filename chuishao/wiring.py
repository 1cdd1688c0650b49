"""The only place that knows which services there are and how they are put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import uvicorn
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.applications import Starlette
from starlette.routing import Mount

from chuishao.pages import Pages
from sandbox.app import service as sandbox
from sandbox.commands import register_templates, set_frequency
from services.deliberation.app import service as deliberation
from services.deliberation.policy import load as load_deliberation
from services.deliberation.policy import use_policy as use_deliberation_policy
from services.directory.app import service as directory
from services.directory.domain.generate import generate
from services.directory.domain.workbook import Workbook
from services.directory.files import read_workbook, small_district
from services.directory.importing import import_workbook
from services.intake.app import service as intake
from services.notify.app import service as notify
from services.notify.commands import use_policy as use_notify_policy
from services.notify.domain.templates import registered
from services.routing.app import service as routing
from services.routing.governing import policy_in_force, use_policy
from services.routing.policy import load
from shared.db import make_engine, service_url, transaction
from shared.edge import Protocol, nowhere
from shared.keys import Keys
from shared.messaging.listening import Live
from shared.migrate import migrate
from shared.runtime import Worker, build_app
from shared.service import Context, Service
from shared.settings import Settings

SERVICES: tuple[Service, ...] = (directory, intake, routing, deliberation, notify, sandbox)
"""Every service with something that runs; the sandbox stands in for the providers of messages."""

TOPICS = ("issue", "case", "whistle", "meeting", "message", "directory")
PARTITIONS = 12
Progress = Callable[[str], None]
Role = Literal["api", "worker", "all"]


class ClockMoved(Exception):
    """The database's clock was moved, and this process was not told that this is meant."""


@dataclass
class Parts:
    """What a running process is made of; see `assembled`."""

    owner: AsyncEngine
    contexts: dict[str, Context]
    workers: list[Worker] = field(default_factory=list)
    app: Starlette = field(default_factory=Starlette)


def make_context(name: str, owner_url: str, keys: Keys, settings: Settings, kafka: str) -> Context:
    """A service's context with its own login role and its own pool of 5."""
    engine = make_engine(service_url(owner_url, name, keys), application=f"chuishao_{name}")
    return Context(name, engine, keys, settings, kafka)


async def make_topics(kafka: str, prefix: str) -> None:
    """Makes the topics that do not exist yet: 12 partitions, so that a district can grow into replicas."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, request_timeout_ms=10_000)
    await admin.start()
    try:
        have = set(await admin.list_topics())
        new = [NewTopic(prefix + topic, PARTITIONS, 1) for topic in TOPICS if prefix + topic not in have]
        if new:
            with contextlib.suppress(TopicAlreadyExistsError):
                await admin.create_topics(new)
    finally:
        await admin.close()


async def check_clock(conn: AsyncConnection, settings: Settings) -> None:
    """Raises ClockMoved: a moved clock must never run a real district by accident."""
    shift = (await conn.execute(text("SELECT shift <> interval '0' FROM public.clock_shift"))).scalar_one()
    if shift and settings.clock != "adjustable":
        raise ClockMoved


async def put_policy(owner: AsyncEngine, policy: str | None) -> str:
    """Puts `policy` (default, demo or a file) in force; None keeps what is, or takes `default` the first time.
    Returns its id. Raises services.routing.policy.BadPolicy, then nothing is changed."""
    async with transaction(owner) as conn:
        await register_templates(conn, registered())
        present = await policy_in_force(conn)
        if policy is None and present is not None:
            return present
        wanted = load(policy or "default")
        await use_policy(conn, wanted)
    # Others keep their own settings under the same names; a district's file rules over the ladder only.
    quick = wanted.pace is not None
    async with transaction(owner) as conn:
        await use_deliberation_policy(conn, load_deliberation("demo" if quick else "default"))
        await use_notify_policy(conn, "demo" if quick else "default")
        await set_frequency(conn, per_minute=None if quick else 1, per_day=None if quick else 50)
    return wanted.id


async def put_district(owner: AsyncEngine, keys: Keys, district: str, progress: Progress) -> int | None:
    """Imports `seed`, `small` or a workbook's file, unless there is a district already. Returns its grids, or None
    when nothing was imported. Raises BadWorkbook."""
    if district == "none":
        return None
    async with transaction(owner) as conn:
        if (await conn.execute(text("SELECT EXISTS (SELECT FROM directory.v1_grid)"))).scalar_one():
            return None
    report = await import_workbook(owner, keys, await asyncio.to_thread(workbook_of, district), progress)
    return report.grids


def workbook_of(district: str) -> Workbook:
    if district == "seed":
        return generate()
    return small_district() if district == "small" else read_workbook(Path(district))


@asynccontextmanager
async def assembled(
    settings: Settings, keys: Keys, postgres: str, kafka: str, names: list[str], role: Role
) -> AsyncIterator[Parts]:
    """The services `names` put together in this process, as `role`; stopped (bounded) at the end."""
    owner = make_engine(postgres, pool=2, application="chuishao")
    chosen = [service for service in SERVICES if service.name in names]
    parts = Parts(owner, {s.name: make_context(s.name, postgres, keys, settings, kafka) for s in chosen})
    mounts: list[Mount] = []
    lives: list[Live] = []
    for service in chosen:
        context = parts.contexts[service.name]
        worker = Worker(context, service) if role in ("worker", "all") else None
        if worker:
            parts.workers.append(worker)
        path = "/sandbox" if service is sandbox else f"/api/{service.name}"
        app = build_app(context, service, worker)
        lives.append(app.state.live)
        mounts.append(Mount(path, app))
    if role != "worker":
        mounts.append(Mount("/", Pages(hsts=settings.hsts)))
    parts.app = Starlette(routes=mounts)
    parts.app.router.default = nowhere  # also for a line break in the path, which no mount takes
    try:
        for worker in parts.workers:
            worker.start()
        yield parts
    finally:
        await asyncio.gather(*(worker.stop() for worker in parts.workers), *(live.stop() for live in lives))
        for context in parts.contexts.values():
            await context.engine.dispose()
        await owner.dispose()


async def prepare(settings: Settings, keys: Keys, postgres: str, kafka: str) -> None:
    """Migrations, topics, and a look at the clock. Raises ClockMoved."""
    owner = make_engine(postgres, pool=1, application="chuishao")
    try:
        await migrate(owner, SERVICES, keys)
        async with transaction(owner) as conn:
            await check_clock(conn, settings)
        await make_topics(kafka, settings.topic_prefix)
    finally:
        await owner.dispose()


class Server(uvicorn.Server):
    """uvicorn inside a process that handles its own signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: Starlette, settings: Settings) -> Server:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        proxy_headers=False,  # whose word is taken is a setting: see `shared/limits.py`
        log_level="warning",
        access_log=False,
        log_config=None,  # its lines go the way of all others
        lifespan="off",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=30,
        server_header=False,
    )
    return Server(config)
