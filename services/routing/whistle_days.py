"""Deadlines of whistles in working days follow an edited calendar: what is left by the old days is left by the new."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing.domain.terms import WORKDAY
from services.routing.policy import Policy
from services.routing.store import reading, whistles


async def left(conn: AsyncConnection) -> list[dict[str, Any]]:
    """The whistles whose lead, whistler or arbiter has working days, each with its open time left by deadline
    (microseconds). The caller holds the ladder: no whistle changes meanwhile."""
    found = []
    for row in (await conn.execute(whistles.RUNNING_WHISTLES)).mappings().all():
        limits = _in_working_days(row, await reading.policy(conn, row["policy"]))
        if limits:
            found.append({"id": row["id"], "limits": limits})
    if not found:
        return []
    return [dict(row) for row in (await conn.execute(whistles.DAYS_LEFT, {"rows": found})).mappings()]


async def go_on(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Sets the deadlines anew, by the calendar as it is now."""
    if rows:
        await conn.execute(whistles.GIVE_DAYS, {"rows": rows})


def _in_working_days(row: RowMapping, policy: Policy) -> list[str]:
    """Which deadlines of a whistle run on the calendar of working days; an agreed one does not."""
    occasion = policy.whistle.occasions[row["occasion"]]
    runs = {
        "report_in_by": occasion.report_in,
        "result_by": None if row["extended"] else occasion.result,
        "confirm_by": policy.whistle.confirm,
        "decide_by": policy.whistle.decide,
    }
    found = [name for name, term in runs.items() if term and policy.clock(term).calendar == WORKDAY]
    if ("result_by" if row["state"] == "reported_in" else "report_in_by") in found:
        found += ["red_at", "supervise_at"]
    return found
