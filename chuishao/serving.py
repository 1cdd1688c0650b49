"""The HTTP server as part of a process that does other things too."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette

from chuishao.target import console
from chuishao.wiring import make_server, on_signal
from shared.settings import Settings

LEAVE_SECONDS = 5.0


async def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C and SIGTERM cancel the work; what it began it stops in order."""
    task = asyncio.create_task(work)

    def stop() -> None:
        if not task.cancelling():  # a second Ctrl-C must not disturb the first one's tidying up
            task.cancel()

    on_signal(stop)
    try:
        await task
    except asyncio.CancelledError:
        console.print("\n停好了，数据都在")


@asynccontextmanager
async def serving(app: Starlette, settings: Settings) -> AsyncIterator["asyncio.Task[None]"]:
    """Answers requests from when the block begins; at its end takes no more and finishes those begun."""
    server = make_server(app, settings)
    task = asyncio.create_task(server.serve(), name="http")
    try:
        while not server.started:
            if task.done():
                raise RuntimeError("the HTTP server did not start") from task.exception()
            await asyncio.sleep(0.02)
        yield task
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=LEAVE_SECONDS)
