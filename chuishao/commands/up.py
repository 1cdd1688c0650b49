"""`chuishao up`: the whole system in one process, with PostgreSQL and Kafka as its children."""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from chuishao.progress import Steps
from chuishao.serving import serving, until_signalled
from chuishao.target import DataDir, check_providers, console, fail, find, keep_address, read_settings, run
from shared.embedded import Embedded, check_port
from shared.keys import Keys
from shared.settings import Settings
from shared.telemetry import configure_logging, configure_tracing, flush_traces

DISTRICTS = ("seed", "small", "none")


@dataclass(frozen=True)
class Wish:
    """What is to run. `policy` None keeps the one in force."""

    settings: Settings
    policy: str | None
    district: str
    story: bool


@dataclass(frozen=True)
class Servers:
    """The two servers, ours or somebody else's."""

    embedded: Embedded
    postgres: str
    kafka: str
    keys: Keys


def up(
    data: DataDir = Path("data"),
    port: Annotated[int | None, typer.Option(help="网页和接口的端口，默认 8000")] = None,
    policy: Annotated[str | None, typer.Option(help="demo、default 或政策文件；不写就照旧")] = None,
    district: Annotated[str, typer.Option(help="seed、small、none 或工作簿；已有的区不动")] = "none",
    kafka: Annotated[str | None, typer.Option(help="embedded 或 HOST:PORT")] = None,
    postgres: Annotated[str | None, typer.Option(help="embedded 或属主的 URL")] = None,
    story: Annotated[bool, typer.Option("--story", help="起来以后演一遍")] = False,
) -> None:
    """全部起来，Ctrl-C 停 · everything on this machine; a second start finds all as it was."""
    given = {"data": data, "port": port, "kafka": kafka, "postgres": postgres}
    if district not in DISTRICTS and not Path(district).is_file():
        fail(f"没有 {district} 这个文件；或者写 seed、small、none", "no such workbook", 2)
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    check_providers(settings)
    if not settings.instance:  # whoever holds the directory is the only one of its kind
        settings = settings.model_copy(update={"instance": "up"})
    _start(Wish(settings, policy, district, story))


def _start(wish: Wish) -> None:
    """Ends the command with a line when what is wished for cannot be."""
    try:
        run(until_signalled(_up(wish)))
    except Exception as error:
        explain(error)
        raise


def explain(error: Exception) -> None:
    """Ends the command with a line when a person can help."""
    from chuishao import wiring
    from services.directory.domain.workbook import BadWorkbook
    from services.routing.policy import BadPolicy

    if isinstance(error, wiring.ClockMoved):
        fail(
            "这个数据库的时钟被拨过：演示就设 CHUISHAO_CLOCK=adjustable，真实部署请换一个数据目录",
            "the clock of this database was moved: set CHUISHAO_CLOCK=adjustable, or take another directory",
        )
    if isinstance(error, BadPolicy):
        fail(f"政策不能用：{error}", "the policy is refused")
    if isinstance(error, BadWorkbook):
        faults = "\n  ".join(str(fault) for fault in error.rows)
        fail(f"工作簿不能用：\n  {faults}", "the workbook is refused")


async def _up(wish: Wish) -> None:
    settings = wish.settings
    check_port(settings.port, settings.host)
    async with AsyncExitStack() as stack:
        with Steps() as steps:
            # The services are read in while the servers start: a second or two of the newcomer's time.
            loading = asyncio.create_task(asyncio.to_thread(importlib.import_module, "chuishao.wiring"))
            servers = await stack.enter_async_context(_servers(settings, steps))
            wiring = await loading
            configure_logging(settings.log_level, settings.data / "log" / "chuishao.log")
            configure_tracing()
            stack.callback(flush_traces)
            await _fill(wish, servers, steps)
            steps.step("各项服务")
            names = [service.name for service in wiring.SERVICES]
            parts = await stack.enter_async_context(
                wiring.assembled(settings, servers.keys, servers.postgres, servers.kafka, names, "all")
            )
            http = await stack.enter_async_context(serving(parts.app, settings))
        servers.embedded.announce(
            url=settings.base_url, clock=settings.clock, broker=servers.kafka, providers=settings.providers
        )
        print(f"ready {settings.base_url}", flush=True)
        await _stay(wish, servers.embedded, http)


@asynccontextmanager
async def _servers(settings: Settings, steps: Steps) -> AsyncIterator[Servers]:
    """Starts what is embedded and takes the data directory, whose keys are made on the first start."""
    steps.step("数据库和消息队列")
    ours = (settings.postgres == "embedded", settings.kafka == "embedded")
    embedded = Embedded(settings.data, postgres=ours[0], kafka=ours[1], progress=steps.line)
    endpoints = await embedded.start()
    try:
        keys = (
            Keys.from_hex(settings.master_key)
            if settings.master_key
            else Keys.from_directory(settings.data, create=True)
        )
        if not ours[0]:
            keep_address(settings.data, settings.postgres)
        yield Servers(embedded, endpoints.postgres or settings.postgres, endpoints.kafka or settings.kafka, keys)
    finally:
        await embedded.stop()


async def _fill(wish: Wish, servers: Servers, steps: Steps) -> None:
    """Tables, topics, policy and district, as far as they are not there yet."""
    from chuishao import wiring
    from shared.db import make_engine

    steps.step("表和主题")
    await wiring.prepare(wish.settings, servers.keys, servers.postgres, servers.kafka)
    owner = make_engine(servers.postgres, pool=1, application="chuishao-up")
    try:
        await wiring.put_policy(owner, wish.policy)
        if wish.district != "none":
            steps.step("网格和人员")
            await wiring.put_district(owner, servers.keys, wish.district, steps.line)
    finally:
        await owner.dispose()


async def _stay(wish: Wish, embedded: Embedded, http: "asyncio.Task[None]") -> None:
    """Keeps the servers alive until this is cancelled, or one of them is beyond help."""
    from chuishao.signing import show_sign_in
    from chuishao.story import play

    watching = asyncio.create_task(embedded.watch())
    try:
        target = find(wish.settings.data)
        if wish.story:
            with contextlib.suppress(typer.Exit):  # said already; the system stays up for a look
                await play(target)
        await show_sign_in(target)
        console.print("[dim]Ctrl-C 停[/]")
        done, _ = await asyncio.wait([watching, http], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        watching.cancel()
