"""What notify does about the events of others."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from services.notify.telling import tell_people
from shared.contracts import Contract
from shared.contracts.case import CaseEvent
from shared.contracts.issue import IssueReported
from shared.contracts.meeting import MeetingEvent
from shared.contracts.whistle import WhistleEvent
from shared.messaging.events import Event
from shared.service import Context, Handler


async def on_event(conn: AsyncConnection, context: Context, events: Sequence[Event]) -> None:
    await tell_people(conn, events)


async def on_reported(conn: AsyncConnection, context: Context, events: Sequence[Event]) -> None:
    """The resident has just spoken: what answers that is not held at night."""
    await store.note_spoken(conn, [(event.subject, event.time) for event in events])


TOLD = (CaseEvent, WhistleEvent, MeetingEvent)
HANDLERS: Mapping[type[Contract], Handler] = {
    IssueReported: on_reported,
    **{kind: on_event for base in TOLD for kind in base.__subclasses__()},
}
