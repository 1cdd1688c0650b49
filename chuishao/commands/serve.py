"""`chuishao serve NAME`, `chuishao migrate`: one service for a container, and its database beforehand."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from chuishao.commands.up import DISTRICTS, explain
from chuishao.target import DataDir, Target, check_providers, console, fail, find, read_settings, run
from shared.db import is_away
from shared.settings import Settings
from shared.telemetry import configure_logging, configure_tracing, flush_traces

PATIENCE = 60.0
Role = Literal["api", "worker", "all"]


def serve(
    name: Annotated[str, typer.Argument(help="directory、intake、routing、deliberation、notify、sandbox")],
    role: Annotated[Role, typer.Option(help="api 只答请求，worker 只做后台")] = "all",
    port: Annotated[int | None, typer.Option(help="端口，默认 8000")] = None,
    data: DataDir = Path("data"),
) -> None:
    """只起一个服务（容器里用） · one service; migrate first."""
    target = find(data)
    settings = read_settings(data=data, **({"port": port} if port else {}))
    if name == "notify":  # nobody else is given the credentials
        check_providers(settings)
    configure_logging(settings.log_level)
    configure_tracing()
    from chuishao import wiring
    from chuishao.serving import until_signalled

    if name not in (service.name for service in wiring.SERVICES):
        fail(f"没有叫 {name} 的服务", f"there is no service {name}", 2)
    run(until_signalled(_serve(target, settings, name, role)))
    flush_traces()


async def _serve(target: Target, settings: Settings, name: str, role: Role) -> None:
    """A worker answers too: its probes and metrics are read from there."""
    from chuishao import wiring
    from chuishao.serving import serving

    async with (
        wiring.assembled(settings, target.keys, target.postgres, target.kafka, [name], role) as parts,
        serving(parts.app, settings) as http,
    ):
        print(f"ready {settings.base_url}", flush=True)
        await http


def migrate(
    policy: Annotated[
        str | None, typer.Option(envvar="CHUISHAO_POLICY", help="demo、default 或政策文件；不写就照旧")
    ] = None,
    district: Annotated[
        str, typer.Option(envvar="CHUISHAO_DISTRICT", help="seed、small、none 或工作簿；已有的区不动")
    ] = "none",
    data: DataDir = Path("data"),
) -> None:
    """建好或升级表、主题、政策和网格；可以重复跑 · tables, topics, policy, district; safe to run again."""
    if district not in DISTRICTS and not Path(district).is_file():
        fail(f"没有 {district} 这个文件；或者写 seed、small、none", "no such workbook", 2)
    try:
        run(_migrate(find(data), policy, district))
    except Exception as error:
        explain(error)
        raise
    console.print("是最新的了")


async def _migrate(target: Target, policy: str | None, district: str) -> None:
    from chuishao import wiring
    from shared.db import make_engine

    await _patiently(target)
    owner = make_engine(target.postgres, pool=1, application="chuishao-migrate")
    try:
        await wiring.put_policy(owner, policy)
        await wiring.put_district(owner, target.keys, district, console.print)
    finally:
        await owner.dispose()


async def _patiently(target: Target) -> None:
    """Servers that were started together with this job get a minute to answer."""
    from chuishao import wiring

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await wiring.prepare(target.settings, target.keys, target.postgres, target.kafka)
            return
        except (KafkaError, OSError, SQLAlchemyError) as error:
            if str(getattr(getattr(error, "orig", None), "sqlstate", "")).startswith("28"):
                fail("数据库不让登录，看看地址里的用户和密码", "the database refuses this user or password")
            if isinstance(error, SQLAlchemyError) and not is_away(error):
                raise
            if time.monotonic() > deadline:
                fail(f"连不上（{type(error).__name__}）", "PostgreSQL or Kafka does not answer")
            console.print(f"等数据库和消息队列（{type(error).__name__}）", soft_wrap=True)
        await asyncio.sleep(1)
