"""What notify does about the events of others."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from services.notify.commands import tell_people
from shared.contracts import Contract
from shared.contracts import case as c
from shared.contracts.issue import IssueReported
from shared.messaging.events import Event
from shared.service import Context, Handler


async def on_case(conn: AsyncConnection, context: Context, events: Sequence[Event]) -> None:
    await tell_people(conn, events)


async def on_reported(conn: AsyncConnection, context: Context, events: Sequence[Event]) -> None:
    """The resident has just spoken: what answers that is not held at night."""
    await store.note_spoken(conn, [(event.subject, event.time) for event in events])


HANDLERS: Mapping[type[Contract], Handler] = {
    IssueReported: on_reported,
    **dict.fromkeys(
        (
            c.CaseOpened,
            c.CaseAccepted,
            c.CaseClaimed,
            c.CaseEscalated,
            c.CaseMoved,
            c.CaseAsked,
            c.CaseAskReminded,
            c.CaseReplied,
            c.CaseResolved,
            c.CaseStillAsking,
            c.CaseReopened,
            c.CaseClosed,
            c.CaseReminded,
            c.CaseSupervised,
        ),
        on_case,
    ),
}
