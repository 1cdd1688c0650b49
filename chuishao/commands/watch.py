"""`chuishao watch [ISSUE]`: an issue's climb, or everything, live.

Reads Kafka without a group, from now on: nobody's reading is disturbed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import RenderableType
from rich.live import Live

from chuishao import store
from chuishao.client import Client, RefusedError, connected
from chuishao.climb import draw
from chuishao.store import Rung
from chuishao.target import DataDir, Target, as_owner, console, fail, find, run
from chuishao.telling import Teller
from shared.auth import Principal
from shared.messaging.listening import listening

TOPICS = ("issue", "case", "message", "directory")
LINES = 12
COMMAND = Principal(role="command")


def watch(
    issue: Annotated[str | None, typer.Argument(help="编号（261124-00001）或 id；不写就看全部")] = None,
    data: DataDir = Path("data"),
) -> None:
    """现场看一件事怎么往上走，或者看全部，Ctrl-C 结束 · an issue's climb, or everything, live."""
    target = find(data)
    run(_watch_one(target, issue) if issue else _watch_all(target))


async def _watch_all(target: Target) -> None:
    teller = Teller(target)
    console.print("[dim]等着看新的事……Ctrl-C 结束[/]")
    async with listening(target.kafka, TOPICS, target.settings.topic_prefix) as events:
        async for event in events:
            console.print(await teller.tell(event), markup=False, soft_wrap=True)


class _View:
    """One issue on the screen: what has been is read once, what comes is heard."""

    def __init__(self, client: Client, issue: UUID, ladder: Sequence[Rung]) -> None:
        self._client = client
        self._issue = issue
        self._ladder = ladder
        self._case: dict[str, Any] | None = None
        self.lines: deque[str] = deque(maxlen=LINES)

    async def draw(self) -> RenderableType:
        try:
            self._case = await self._client.get(f"/api/routing/cases/{self._issue}")
        except RefusedError:
            return "收到了，还在送"
        return draw(self._case, self._ladder, self.lines)

    @property
    def closed(self) -> bool:
        return self._case is not None and self._case["phase"] == "closed"


async def _watch_one(target: Target, issue: str) -> None:
    """Listening begins before the case is read, so that nothing falls between the two."""
    id_ = await _find_issue(target, issue)
    async with as_owner(target) as conn:
        ladder = await store.ladder(conn, id_)
    teller = Teller(target)
    async with (
        connected(target) as client,
        listening(target.kafka, TOPICS, target.settings.topic_prefix) as events,
    ):
        view = _View(client.acting_as(COMMAND), id_, ladder)
        lines = (await teller.tell(event) async for event in events if event.subject == id_)
        await (_on_screen(view, lines) if console.is_terminal else _in_lines(view, lines))


async def _on_screen(view: _View, lines: AsyncIterator[str]) -> None:
    """Drawn again with every event, and every second for the time that is left."""
    with Live(await view.draw(), console=console, auto_refresh=False) as live:
        live.refresh()
        ticking = asyncio.create_task(_tick(view, live))
        try:
            while not view.closed:
                view.lines.append(await anext(lines))
                live.update(await view.draw(), refresh=True)
        finally:
            ticking.cancel()


async def _in_lines(view: _View, lines: AsyncIterator[str]) -> None:
    """For a pipe: the ladder as it is, then a line per event."""
    console.print(await view.draw())
    while not view.closed:
        console.print(await anext(lines), markup=False, soft_wrap=True)
        await view.draw()


async def _tick(view: _View, live: Live) -> None:
    """The time left runs down though nothing happens."""
    while True:
        await asyncio.sleep(1)
        live.update(await view.draw(), refresh=True)


async def _find_issue(target: Target, typed: str) -> UUID:
    try:
        return UUID(typed)
    except ValueError:
        pass
    async with as_owner(target) as conn:
        found = await store.find_issue(conn, typed)
    if found is None:
        fail(f"没有编号是 {typed} 的事", f"there is no issue {typed}")
    return found
