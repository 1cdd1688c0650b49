"""A load on an HTTP server: keep-alive connections, each with one request on its way. It is to cost little, since it
runs beside what it measures: requests are bytes made ahead, and of an answer only the end is looked for."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools
import orjson

HOST = "127.0.0.1"


def request(path: str, *, body: object = None, token: str = "", key: str = "", method: str = "POST") -> bytes:
    """A whole HTTP/1.1 request; `key` is its Idempotency-Key."""
    content = b"" if body is None else orjson.dumps(body)
    head = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(content)}"]
    if content:
        head.append("Content-Type: application/json")
    if token:
        head.append(f"Authorization: Bearer {token}")
    if key:
        head.append(f"Idempotency-Key: {key}")
    return "\r\n".join((*head, "", "")).encode() + content


@dataclass
class Answers:
    """How often each status came; bodies, if they were to be kept; seconds of the whole."""

    statuses: dict[int, int] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    seconds: float = 0.0

    def only(self, status: int) -> "Answers":
        """The answers, if all had this status."""
        assert set(self.statuses) == {status}, self.statuses
        return self


class Connection(asyncio.Protocol):
    """One connection. `answered` gets each answer's status and body."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []

    @classmethod
    async def to(cls, port: int) -> "Connection":
        _, protocol = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return protocol

    async def ask(self, raw: bytes) -> tuple[int, bytes]:
        """Status and body. Raises ConnectionError when the server hangs up."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._body.clear()
        self._transport.write(raw)
        return await self._answer

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        assert self._answer
        self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server hung up"))


async def load(port: int, requests: Sequence[bytes], connections: int, *, keep: bool = False) -> Answers:
    """Sends all requests over so many connections, each as soon as one is free."""
    found, rest = Answers(), iter(requests)

    async def one(connection: Connection, left: Iterator[bytes]) -> None:
        for raw in left:
            status, body = await connection.ask(raw)
            found.statuses[status] = found.statuses.get(status, 0) + 1
            if keep:
                found.bodies.append(body)
        connection.close()

    opened = [await Connection.to(port) for _ in range(connections)]
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(one(connection, rest))
    found.seconds = time.perf_counter() - began
    return found


async def steadily(
    port: int, requests: Sequence[bytes], rate: float, connections: int
) -> list[tuple[float, int, bytes]]:
    """Sends `rate` requests a second, whether or not earlier ones have been answered. Returns of each the time (Unix)
    when its answer came, its status and its body."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await Connection.to(port))
    began = time.perf_counter()

    async def one(n: int, raw: bytes) -> tuple[float, int, bytes]:
        await asyncio.sleep(began + n / rate - time.perf_counter())
        connection = await free.get()
        status, body = await connection.ask(raw)
        at = time.time()
        free.put_nowait(connection)
        return at, status, body

    found = await asyncio.gather(*(one(n, raw) for n, raw in enumerate(requests)))
    while not free.empty():
        free.get_nowait().close()
    return found
