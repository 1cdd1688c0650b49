"""`chuishao clock --advance 2h`: moves the clock of all rules and waits until all it made due is done."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from chuishao import store
from chuishao.durations import parse_duration
from chuishao.target import DataDir, Target, as_owner, console, fail, find, run
from chuishao.words import date_time, span

PATIENCE = 60.0
LOOK_EVERY = 0.1


def clock(
    advance: Annotated[str, typer.Option(help="往前拨多久：90s、30m、2h、1d12h")],
    data: DataDir = Path("data"),
) -> None:
    """把规则的时钟往前拨，等一切落定（只在 CHUISHAO_CLOCK=adjustable 时） · moves the clock forward."""
    by = parse_duration(advance)
    if by is None:
        fail("时长要写成 90s、30m、2h、1d12h", "a length of time looks like 90s, 30m, 2h or 1d12h", 2)
    target = find(data)
    if not target.adjustable:
        fail(
            "这个系统的时钟不能拨。启动前设 CHUISHAO_CLOCK=adjustable（只用于演示和测试）",
            "the clock is real: start the system with CHUISHAO_CLOCK=adjustable to be able to move it",
        )
    run(_advance(target, by))


async def _advance(target: Target, by: timedelta) -> None:
    from chuishao.settling import Settling

    async with as_owner(target) as conn:
        now = await store.move_clock(conn, by)
    console.print(f"时钟拨了 {span(by.total_seconds())}，现在是 {date_time(now)}")
    deadline = time.monotonic() + PATIENCE
    async with Settling(target) as settling:
        while moving := await settling.still_moving():
            if time.monotonic() > deadline:
                fail(f"60 秒还没落定：{'；'.join(moving)}", f"not settled within 60 s: {'; '.join(moving)}")
            await asyncio.sleep(LOOK_EVERY)
    console.print("都落定了")
