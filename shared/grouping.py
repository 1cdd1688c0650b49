"""Requests of the same moment done together: one transaction for many costs little more than one for one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.db import DatabaseAway

In = TypeVar("In")
Out = TypeVar("Out")


class Grouped(Generic[In, Out]):
    """Hands what is asked to `act`, in order and as many at once as have come while it was busy: whoever comes alone
    is done alone and at once. Two groups are under way at a time, so that one is prepared while the database has the
    other.

    `act` answers each, with a value or with an exception for that one. If it raises, nothing of the group may have
    been done: each is then tried alone, so that what cannot be done fails nobody else. DatabaseAway is for all.
    """

    def __init__(
        self, act: Callable[[Sequence[In]], Awaitable[Sequence[Out | Exception]]], *, most: int = 100, at_once: int = 2
    ) -> None:
        self._act = act
        self._most = most
        self._free = at_once
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, asked: In) -> Out:
        """The answer to one. Who gives up waiting does not stop what is being done."""
        answer: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), self._most)
                await self._do([self._waiting.popleft() for _ in range(count)])
        finally:
            self._free += 1

    async def _do(self, group: Sequence[tuple[In, asyncio.Future[Out]]]) -> None:
        found: Sequence[Out | Exception]
        try:
            found = await self._act([asked for asked, _ in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, DatabaseAway):
                for one in group:
                    await self._do([one])
                return
            found = [error] * len(group)
        except BaseException:
            for _, answer in group:
                answer.cancel()
            raise
        for (_, answer), said in zip(group, found, strict=True):
            if answer.done():  # who asked has hung up
                continue
            if isinstance(said, Exception):
                answer.set_exception(said)
            else:
                answer.set_result(said)
