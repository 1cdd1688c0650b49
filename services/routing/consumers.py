"""What routing hears: issues become cases; a changed directory moves the cases of whoever has left."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import opening
from shared.contracts.directory import DistrictImported, PostChanged
from shared.contracts.issue import IssuePlaced, IssueReported
from shared.messaging.events import Event
from shared.service import Context


async def issues_reported(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    await opening.open_cases(conn, [(event.subject, event.data) for event in events])


async def issues_placed(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    await opening.place_cases(conn, [(event.subject, event.data.place) for event in events])


async def posts_changed(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for grid in {event.data.grid for event in events}:
        await opening.move_displaced(conn, grid)


async def district_imported(conn: AsyncConnection, _: Context, __: Sequence[Event]) -> None:
    await opening.move_displaced(conn, None)


handlers: dict[Any, Any] = {
    IssueReported: issues_reported,
    IssuePlaced: issues_placed,
    PostChanged: posts_changed,
    DistrictImported: district_imported,
}
