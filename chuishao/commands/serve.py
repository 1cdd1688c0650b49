"""`chuishao serve NAME`, `chuishao migrate`: one service for a container, and its database beforehand."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from chuishao.target import DataDir, Target, check_providers, console, fail, find, read_settings, run
from shared.settings import Settings
from shared.telemetry import configure_logging

Role = Literal["api", "worker", "all"]


def serve(
    name: Annotated[str, typer.Argument(help="directory、intake、routing、notify")],
    role: Annotated[Role, typer.Option(help="api 只答请求，worker 只做后台")] = "all",
    port: Annotated[int | None, typer.Option(help="端口，默认 8000")] = None,
    data: DataDir = Path("data"),
) -> None:
    """只起一个服务（容器里用） · one service; migrate first."""
    target = find(data)
    settings = read_settings(data=data, **({"port": port} if port else {}))
    check_providers(settings)
    configure_logging(settings.log_level)
    from chuishao import wiring
    from chuishao.serving import until_signalled

    if name not in (service.name for service in wiring.SERVICES):
        fail(f"没有叫 {name} 的服务", f"there is no service {name}", 2)
    run(until_signalled(_serve(target, settings, name, role)))


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
    policy: Annotated[str | None, typer.Option(help="demo、default 或政策文件；不写就照旧")] = None,
    data: DataDir = Path("data"),
) -> None:
    """建好或升级表、主题和政策；可以重复跑 · tables, topics and policy; safe to run again."""
    run(_migrate(find(data), policy))
    console.print("是最新的了")


async def _migrate(target: Target, policy: str | None) -> None:
    from chuishao import wiring
    from services.routing.policy import BadPolicy
    from shared.db import make_engine

    try:
        await wiring.prepare(target.settings, target.keys, target.postgres, target.kafka)
        owner = make_engine(target.postgres, pool=1, application="chuishao-migrate")
        try:
            await wiring.put_policy(owner, policy)
        finally:
            await owner.dispose()
    except wiring.ClockMoved:
        fail("这个数据库的时钟被拨过，要设 CHUISHAO_CLOCK=adjustable", "the clock was moved: set CHUISHAO_CLOCK")
    except BadPolicy as error:
        fail(f"政策不能用：{error}", "the policy is refused")
