"""What intake hears: a department that is called by a whistle may read the words."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake import store
from shared.contracts import Contract
from shared.contracts.whistle import WhistleAdded, WhistleBlown, WhistleDecided
from shared.messaging.events import Event
from shared.service import Context, Handler


async def whistled(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        await store.whistle(conn, event.subject, [event.data.lead, *event.data.assisting])


async def added(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    for event in events:
        await store.whistle(conn, event.data.added or event.subject, [event.data.lead, *event.data.assisting])


handlers: dict[type[Contract], Handler] = {WhistleBlown: whistled, WhistleDecided: whistled, WhistleAdded: added}
