"""What the directory hears: the open whistles of departments, which are their load."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.directory import store
from shared.contracts import Contract
from shared.contracts.whistle import WhistleBlown, WhistleConfirmed, WhistleDecided, WhistleWithdrawn
from shared.messaging.events import Event
from shared.service import Context, Handler


async def opened(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        await store.open_whistle(conn, event.data.whistle, event.data.lead)


async def ended(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        await store.end_whistle(conn, event.data.whistle)


handlers: dict[type[Contract], Handler] = {
    WhistleBlown: opened,
    WhistleDecided: opened,
    WhistleConfirmed: ended,
    WhistleWithdrawn: ended,
}
