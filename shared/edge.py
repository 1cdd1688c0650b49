"""The edge of every app: headers that make browsers careful, and an end to whatever takes too long or too much."""

import asyncio
import socket
from collections.abc import Mapping

import httptools
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared import problems

BODY_SECONDS = 20.0
"""A body has to be there by then, however slowly it comes …"""
SLOWEST = 64 * 1024
"""… or, if it says how large it is, at so many bytes a second."""
HANDLER_SECONDS = 30.0
"""An answer has to begin so long after the body is there."""
SEND_SECONDS = 60
"""A client that takes nothing for so long is let go, by the kernel."""
HEAD_SECONDS = 10.0
"""A request's line and headers have to be there by then."""
MAX_HEAD = 64 * 1024
"""Bytes of a request's line and headers."""

COMMON: Mapping[str, str] = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # A resident's page carries the code that opens her issue in its address: it must not travel.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer, of pages and of interfaces."""
INTERFACE: Mapping[str, str] = {
    **COMMON,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer of an interface: nothing in it is to be run or framed."""


class Careful:
    """Puts `headers` on every answer. What does not say how long it may be kept is kept nowhere: most of it is
    somebody's business. `hsts`: seconds of Strict-Transport-Security, 0 for none."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] = INTERFACE, hsts: int = 0) -> None:
        self._app = app
        self._headers = dict(headers)
        if hsts:
            self._headers["Strict-Transport-Security"] = f"max-age={hsts}; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, careful if scope["type"] == "http" else send)


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The app of every address that is nobody's."""
    if scope["type"] == "http":
        await Careful(problems.respond(problems.not_found(), scope["path"]))(scope, receive, send)


class InTime:
    """Ends a request whose body does not come, or whose answer does not begin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now = asyncio.get_running_loop().time
        size = dict(scope["headers"]).get(b"content-length", b"0")
        late = now() + max(BODY_SECONDS, int(size) / SLOWEST if size.isdigit() else 0)
        whole = begun = False

        async def prompt() -> Message:
            nonlocal whole
            if whole:  # what is waited for now is that the client hangs up
                return await receive()
            try:
                async with asyncio.timeout_at(late):
                    message = await receive()
            except TimeoutError:
                raise problems.too_slow() from None
            whole = not message.get("more_body", False)
            if whole and not begun:
                limit.reschedule(now() + HANDLER_SECONDS)
            return message

        async def beginning(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                limit.reschedule(None)  # a stream may last
            await send(message)

        try:
            async with asyncio.timeout_at(late + HANDLER_SECONDS) as limit:
                await self._app(scope, prompt, beginning)
        except TimeoutError:
            if begun:
                raise
            await problems.respond(problems.not_in_time(), scope["path"])(scope, receive, send)


class Protocol(HttpToolsProtocol):
    """uvicorn's, with an end to heads that come too slowly or never end."""

    _head: asyncio.TimerHandle | None = None
    _size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SEND_SECONDS * 1000)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        if self._head is None:
            self._expect_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._take(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._take(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_is_there()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._size = 0
        self._head = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _head_is_there(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self.transport.close()

    def _take(self, more: int) -> None:
        self._size += more
        if self._size > MAX_HEAD:
            raise httptools.HttpParserError("the head is too large")
