"""`chuishao maintenance`: deadlines stand still while somebody works on the system."""

from pathlib import Path
from typing import Annotated

import typer

from chuishao.target import DataDir, Target, as_owner, console, find, run

app = typer.Typer(no_args_is_help=True, help="维护：期限都停下 · deadlines stand still")


@app.command()
def on(
    reason: Annotated[str, typer.Option(help="为什么，留给以后查的人")],
    data: DataDir = Path("data"),
) -> None:
    """开始维护：没有事会到点往上走 · from now on no deadline fires."""
    run(_on(find(data), reason))
    console.print("维护中：没有事会到点。完了以后：chuishao maintenance off")


@app.command()
def off(data: DataDir = Path("data")) -> None:
    """维护完了：每件事留在原级，重新给足时限 · every case has a full new term where it is."""
    count = run(_off(find(data)))
    console.print(f"维护完了，{count} 件重新计时")


async def _on(target: Target, reason: str) -> None:
    from services.routing.governing import Decision, begin_maintenance

    async with as_owner(target) as conn:
        await begin_maintenance(conn, Decision(reason=reason))


async def _off(target: Target) -> int:
    from services.routing.governing import Decision, end_maintenance

    async with as_owner(target) as conn:
        return await end_maintenance(conn, Decision(reason="ended"))
