"""What deliberation hears: cases as they are now. The topic of a case that came to its end is withdrawn."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.deliberation import telling
from services.deliberation.domain.states import WITHDRAWN
from services.deliberation.store import writing
from shared.contracts.case import CaseClosed, CaseEvent
from shared.messaging.events import Event
from shared.service import Context

KNOWN = {"number", "category", "urgency", "place", "phase", "reporter", "recused", "promised_by"}


async def cases_changed(conn: AsyncConnection, _: Context, events: Sequence[Event]) -> None:
    rows = [{"id": each.subject, **each.data.model_dump(mode="json", include=KNOWN)} for each in events]
    await writing.learn_cases(conn, rows)


async def cases_closed(conn: AsyncConnection, ctx: Context, events: Sequence[Event]) -> None:
    await cases_changed(conn, ctx, events)
    for id_ in await writing.lock_of_cases(conn, [event.subject for event in events]):
        await telling.end(conn, id_, WITHDRAWN, WITHDRAWN, kind="case-closed", actor=None, words=None)


handlers: dict[Any, Any] = {
    **dict.fromkeys(CaseEvent.__subclasses__(), cases_changed),
    CaseClosed: cases_closed,
}
