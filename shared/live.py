"""`/api/NAME/live`: server-sent events, read by pages with a fetch stream (EventSource sends no bearer)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from fastapi import Request
from fastapi.responses import StreamingResponse

from shared.messaging.events import Event
from shared.messaging.listening import Live

HEARTBEAT = 15.0
"""Seconds after which a comment is sent, so that proxies keep the line open and a lost one is noticed."""

MaySee = Callable[[Event], Awaitable[bool]]


def live_of(request: Request) -> Live:
    live: Live = request.app.state.live
    return live


def stream(live: Live, may_see: MaySee) -> StreamingResponse:
    """Tells of each event the caller may see: `{"type", "id", "seq"}`. What happened is fetched from its owner."""
    return StreamingResponse(
        _lines(live, may_see),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(live: Live, may_see: MaySee) -> AsyncIterator[bytes]:
    async with live.listen() as queue:
        yield b": here\n\n"
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    event = await queue.get()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if await may_see(event):
                told = {"type": event.type, "id": str(event.subject), "seq": event.seq}
                yield b"data: " + orjson.dumps(told) + b"\n\n"
