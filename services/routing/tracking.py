"""What a resident can follow of her issue."""

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import present
from services.routing.domain.states import REPORTER, can
from services.routing.store import merging, reading, whistles
from shared.attaching import photos_of


async def show_track(conn: AsyncConnection, id_: UUID) -> dict[str, Any]:
    """The case for its resident. One that follows another shows what becomes of that one, but never who told it."""
    row = await reading.case(conn, id_)
    assert row is not None
    state = present.state(row, await reading.policy(conn, row["policy"]))
    told = present.track(row, can(state, {REPORTER}))
    lines = present.lines(await reading.history(conn, id_)) + await _departments(conn, id_)
    spoken_for = row
    if row["merged_into"] is not None:
        spoken_for = await _lead(conn, id_)
        told |= present.track_lead(spoken_for)
        lines += present.lines(await reading.history(conn, spoken_for["id"]), shared=True)
        lines += await _departments(conn, spoken_for["id"])
    told["history"] = sorted(lines, key=lambda line: line["at"])
    return present.plain({**told, "attachments": await photos_of(conn, spoken_for["id"], "resolve")})


async def _lead(conn: AsyncConnection, id_: UUID) -> RowMapping:
    lead = await reading.case(conn, await merging.lead_of(conn, id_))
    assert lead is not None
    return lead


async def _departments(conn: AsyncConnection, id_: UUID) -> list[dict[str, Any]]:
    rows = (await conn.execute(whistles.STORY_OF_CASE, {"case": id_})).mappings().all()
    return present.whistle_lines(rows)
