"""`chuishao outbox replay --since T`: events told again, for a broker that was rebuilt."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from chuishao.durations import parse_duration
from chuishao.target import DataDir, Target, as_owner, console, fail, find, run
from shared.messaging.outbox import REPLAY

app = typer.Typer(no_args_is_help=True, help="发出过的事件 · events told")


@app.callback()
def outbox() -> None:
    """Keeps `replay` a command of its own."""


@app.command()
def replay(
    since: Annotated[str, typer.Option(help="从什么时候起：2026-11-24T08:00:00+08:00，或 2h（两小时前）")],
    data: DataDir = Path("data"),
) -> None:
    """Kafka 重建以后，把事件再发一遍；处理过的会自己跳过 · tells events again after Kafka was rebuilt."""
    start = _moment(since)
    counts = run(_replay(find(data), start))
    for name, count in counts.items():
        console.print(f"{name}：{count} 条会再发")


def _moment(typed: str) -> datetime:
    # Outbox retention runs by real time, so an age counts back from real time.
    if by := parse_duration(typed):
        return datetime.now(UTC) - by
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        fail("时间要写成 2026-11-24T08:00:00+08:00 或 2h", "a time has an offset, or is an age such as 2h", 2)
    if moment.tzinfo is None:
        fail("时间要带时区，如 +08:00", "the time needs an offset, such as +08:00", 2)
    return moment


async def _replay(target: Target, since: datetime) -> dict[str, int]:
    from chuishao.wiring import SERVICES

    counts = {}
    for service in SERVICES:
        async with as_owner(target, schema=service.name) as conn:
            counts[service.name] = (await conn.execute(REPLAY, {"since": since})).rowcount
    return counts
