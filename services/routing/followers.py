"""Cases that follow another: whoever reported one of them hears what became of the one they follow."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.store import merging, writing
from shared.contracts.levels import LEVEL


async def ended(conn: AsyncConnection, leads: Sequence[UUID], how: str) -> None:
    """Locked cases were resolved, or closed without that: tells everything that follows them. Tells CaseLeadEnded."""
    rows = [
        {"id": str(id_), "event": "lead-ended", "detail": {"how": how, "lead": str(lead["id"]), **hand(lead)}}
        for id_, lead in await merging.followers(conn, leads)
    ]
    await writing.tell(conn, rows)


def hand(lead: RowMapping) -> dict[str, Any]:
    """The lead's level and holder, for an event of a case that follows it."""
    person = lead["holder_person"]
    return {
        "level": LEVEL[lead["rank"]],
        "grid": str(lead["grid"]),
        "holder_kind": lead["holder_kind"],
        "holder_person": str(person) if person else None,
    }
