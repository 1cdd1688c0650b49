"""The HTTP server as part of a process that does other things too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from chuishao.wiring import make_server
from shared.settings import Settings

LEAVE_SECONDS = 5.0


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
