"""The HTTP server as part of a process that does other things too."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from chuishao.target import console
from shared.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

LEAVE_SECONDS = 5.0


async def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C and SIGTERM cancel the work; what it began it stops in order."""
    task = asyncio.create_task(work)

    def stop() -> None:
        if not task.cancelling():  # a second Ctrl-C must not disturb the first one's tidying up
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        console.print("\n停好了，数据都在")


@asynccontextmanager
async def serving(app: "Starlette", settings: Settings) -> AsyncIterator["asyncio.Task[None]"]:
    """Answers requests from when the block begins; at its end takes no more and finishes those begun."""
    from chuishao.wiring import make_server

    server = make_server(app, settings)
    # What was imported and built so far stays: the collector need not look at it again every few thousand requests.
    gc.collect()
    gc.freeze()
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
