"""What routing hears: issues become cases; a changed directory moves the cases of whoever has left."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import deliberating, opening, replies
from shared.contracts.directory import DistrictImported, PostChanged
from shared.contracts.issue import IssuePlaced, IssueReported
from shared.contracts.meeting import TaskMade, TopicEnded, TopicScreened
from shared.contracts.message import MessageReplied
from shared.messaging.events import Event
from shared.service import Context
from shared.telemetry import continued


async def issues_reported(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    traces = {event.subject: event.traceparent for event in events}
    await opening.open_cases(conn, [(event.subject, event.data) for event in events], traces)


async def issues_placed(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    await opening.place_cases(conn, [(event.subject, event.data.place) for event in events])


async def posts_changed(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for grid in {event.data.grid for event in events}:
        await opening.move_displaced(conn, grid)


async def district_imported(conn: AsyncConnection, _: Context, __: Sequence[Event]) -> None:
    await opening.move_displaced(conn, None)


async def topics_screened(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        with continued(event.traceparent):
            await deliberating.hold(conn, event.data.case, event.subject)


async def topics_ended(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        with continued(event.traceparent):
            await deliberating.release(conn, event.data.case, event.subject)


async def tasks_made(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        with continued(event.traceparent):
            await deliberating.take_task(conn, event.data)


async def messages_replied(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        with continued(event.traceparent):
            await replies.act(conn, event.data.case, event.data)


handlers: dict[Any, Any] = {
    IssueReported: issues_reported,
    IssuePlaced: issues_placed,
    PostChanged: posts_changed,
    DistrictImported: district_imported,
    TopicScreened: topics_screened,
    TopicEnded: topics_ended,
    TaskMade: tasks_made,
    MessageReplied: messages_replied,
}
