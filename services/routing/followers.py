"""Cases that follow another: whoever reported one of them hears what became of the one they follow."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import holding
from services.routing.present import plain
from services.routing.store import merging, writing
from shared.contracts.levels import COMMUNITY, LEVEL


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


async def join(conn: AsyncConnection, lead: RowMapping, joined: Sequence[RowMapping]) -> None:
    """A locked case speaks for others from now on: it belongs where all of them do, and moves there if it stands below.
    One with an open whistle stays where it was blown. Tells CaseJoined and CaseMoved."""
    places = [case["place"] for case in joined if case["placed"]]
    common = await merging.common_place(conn, [lead["place"], *places])
    stays = lead["on_hold"] == "whistle"
    await conn.execute(merging.JOIN, {"id": lead["id"], "place": lead["place"] if stays else common["grid"]})
    told = {"id": str(lead["id"]), "event": "joined", "detail": {"joined": [str(case["id"]) for case in joined]}}
    await writing.tell(conn, [told])
    if lead["rank"] < common["rank"] and not stays:
        target = {"first": common["rank"], "top": max(common["rank"], COMMUNITY)}
        await writing.move(conn, [plain({"id": lead["id"], "event": "moved", "why": "merged", **target})])
        await holding.hold_again(conn, [lead])
