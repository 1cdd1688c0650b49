"""`slot/earliest`: the earliest slot for a meeting among 10,000 booked ones, against trying slot after slot.

Thirty communities have met back to back, six times a day, for eight weeks: a slot is only free after that. Our side is
the statement that planning runs; the other reads when everybody is booked and tries slot after slot, as the tests do.
Both must find the same, and ours within 100 ms.
"""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.row import Row, medians_of
from bench.servers import Bench
from services.deliberation.domain.openings import CHINA, parse_opening
from services.deliberation.store import slots
from services.deliberation.store.slots import Search
from shared.db import transaction
from shared.ids import new_id
from shared.service import Context
from tests.model.slots import earliest

NAME = "slot/earliest"
MEETINGS, COMMUNITIES, SEARCHES = 10_000, 30, 5
PROMISED = 0.1
"""Seconds."""
MONDAY = datetime(2026, 11, 30, tzinfo=CHINA)
SLOT, RASTER = timedelta(hours=2), timedelta(minutes=30)

# Of each community: a room, a chair and the six; every meeting has a resident of its own.
FILL = text("""
WITH n AS (SELECT generate_series(0, :meetings - 1) AS n),
c AS (INSERT INTO cases (id, number, category, urgency, place, phase, complained)
      SELECT uuidv7(), n::text, 'FAC.light', 'ordinary', uuidv7(), 'accepted', '{}' FROM n RETURNING id, number),
t AS (INSERT INTO topics (case_id, community, title, called, state)
      SELECT id, uuidv7(), number, '{}', 'scheduled' FROM c RETURNING id, title),
m AS (INSERT INTO meetings (topic, venue, starts, ends, chair, quorum, moves_left)
      SELECT t.id, people[1], starts, starts + interval '2 hours', people[2], 4, 2
        FROM t
       CROSS JOIN LATERAL (SELECT t.title::int % :communities AS community, t.title::int / :communities AS k) x
       CROSS JOIN LATERAL (SELECT CAST(:monday AS timestamptz) + k / 6 * interval '1 day' + interval '8 h 30 min'
               + k % 6 * interval '2 hours' AS starts) s
        JOIN community USING (community)
      RETURNING id, venue, starts, ends)
INSERT INTO bookings (meeting, who, during)
SELECT m.id, who, tstzrange(m.starts, m.ends) FROM m JOIN community ON people[1] = m.venue
 CROSS JOIN LATERAL unnest(people || uuidv7()) who
""")
COMMUNITY = text("CREATE TEMPORARY TABLE community (community int, people uuid[]) ON COMMIT DROP")
PEOPLE = text("INSERT INTO community VALUES (:community, :people)")
BUSY = text("""
SELECT who, lower(during) AS starts, upper(during) AS ends FROM bookings
 WHERE who = ANY (:who) AND upper(during) > :since AND lower(during) < :until
""")


async def fill(ctx: Context) -> list[list[UUID]]:
    """Books the meetings; gives room, chair and the six of each community."""
    communities = [[new_id() for _ in range(8)] for _ in range(COMMUNITIES)]
    async with transaction(ctx.engine) as conn:
        await conn.execute(COMMUNITY)
        await conn.execute(PEOPLE, [{"community": n, "people": people} for n, people in enumerate(communities)])
        await conn.execute(FILL, {"meetings": MEETINGS, "communities": COMMUNITIES, "monday": MONDAY})
    async with transaction(ctx.engine) as conn:
        booked = (await conn.execute(text("SELECT count(DISTINCT meeting) FROM bookings"))).scalar_one()
    assert booked == MEETINGS, f"{booked} meetings were booked"
    return communities


def search(people: list[UUID]) -> Search:
    room, chair, *six = people
    windows = parse_opening("周一至周日 08:30-20:30")
    until = MONDAY + timedelta(days=70)
    return Search(MONDAY, until, SLOT, RASTER, [(room, windows)], [chair, new_id()], six, quorum=4)


async def ours(conn: AsyncConnection, wanted: Search) -> datetime:
    found = await slots.earliest(conn, wanted)
    assert found is not None
    return found.starts


async def slot_after_slot(conn: AsyncConnection, wanted: Search) -> datetime:
    who = [*wanted.must, *wanted.six, *(venue for venue, _ in wanted.venues)]
    busy: dict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in await conn.execute(BUSY, {"who": who, "since": wanted.since, "until": wanted.until}):
        busy[row.who].append((row.starts, row.ends))
    found = earliest(wanted, busy)
    assert found is not None
    return found[1]


async def measure(bench: Bench) -> Row:
    async with bench.empty("deliberation") as ctx:
        communities = await fill(ctx)
        bench.say(f"{MEETINGS:,} meetings booked")

        async def seconds(side: Callable[[AsyncConnection, Search], Awaitable[datetime]]) -> float:
            """Of one search, when several communities look in turn."""
            async with transaction(ctx.engine) as conn:
                began = time.perf_counter()
                found = {await side(conn, search(people)) for people in communities[:SEARCHES]}
                taken = (time.perf_counter() - began) / SEARCHES
            assert found == {MONDAY + timedelta(days=55, hours=16, minutes=30)}, found
            return taken

        mine, baseline = await medians_of(bench.runs, lambda: seconds(ours), lambda: seconds(slot_after_slot))
    assert mine <= PROMISED, f"a search took {mine:.3f} s"
    return Row(NAME, "s", mine, bench.runs, baseline, at_most=0.5)
