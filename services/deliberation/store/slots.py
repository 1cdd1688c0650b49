"""Finding the earliest slot and booking it: the search is one statement, and the database refuses to book anybody or
any room twice, whoever asks."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.deliberation.domain.openings import Window
from services.deliberation.domain.seats import Seat

EARLIEST = text((Path(__file__).parent / "earliest.sql").read_text()).bindparams(bindparam("windows", type_=JSONB))
# A topic keeps its meeting over every move: same id, next number of the .ics.
PUT_MEETING = text("""
INSERT INTO meetings (topic, venue, starts, ends, chair, quorum, moves_left, remind_at)
SELECT :topic, :venue, :starts, :ends, :chair, :quorum, :moves, remind.at
  FROM (SELECT nullif(greatest(CAST(:starts AS timestamptz) - CAST(:reminder AS interval), public.clock_now()),
                      public.clock_now()) AS at) remind
ON CONFLICT (topic) DO UPDATE SET venue = excluded.venue, starts = excluded.starts, ends = excluded.ends,
       chair = excluded.chair, quorum = excluded.quorum, remind_at = excluded.remind_at,
       sequence = meetings.sequence + 1
RETURNING id
""")
CLEAR = (text("DELETE FROM bookings WHERE meeting = :meeting"), text("DELETE FROM seats WHERE meeting = :meeting"))
# Whoever is not free then has a seat all the same, and may send somebody.
SEAT = text("""
INSERT INTO seats (meeting, person, ord, kind, required, filled_by, reply)
SELECT :meeting, person, ord, kind, required, filled_by, CASE WHEN person <> ALL (:free) THEN 'cannot' END
  FROM jsonb_to_recordset(:seats) AS r(person uuid, ord int, kind text, required boolean, filled_by text)
""").bindparams(bindparam("seats", type_=JSONB))
# DO NOTHING waits for whoever is booking the same at this moment, and inserts speculatively: two plain inserts that
# exclude each other would wait for each other. In order, so that two who want the same persons meet at the first.
BOOK = text("""
INSERT INTO bookings (meeting, who, during)
SELECT :meeting, who, tstzrange(:starts, :ends) FROM unnest(CAST(:who AS uuid[])) AS w(who) ORDER BY who
ON CONFLICT DO NOTHING
""")
SCHEDULED = text("UPDATE topics SET state = 'scheduled', version = version + 1 WHERE id = :topic")
UNBOOK = text("DELETE FROM bookings WHERE meeting = :meeting AND who = ANY(:who)")
_DEADLOCK = "40P01"
T = TypeVar("T")


@dataclass(frozen=True)
class Search:
    """What is looked for: when, where, and who has to be free. `meeting` is the one to be moved, if there is one."""

    since: datetime
    until: datetime
    slot: timedelta
    raster: timedelta
    venues: Sequence[tuple[UUID, Sequence[Window]]]
    """In the order in which they are taken when both are free."""
    must: Sequence[UUID]
    six: Sequence[UUID]
    quorum: int
    others: Sequence[UUID] = ()
    meeting: UUID | None = None


@dataclass(frozen=True)
class Slot:
    """A slot found; `free` holds everybody of the search, venues included, who is free then."""

    venue: UUID
    starts: datetime
    ends: datetime
    free: frozenset[UUID]


@dataclass(frozen=True)
class Plan:
    """A meeting to be booked for a topic."""

    topic: UUID
    chair: UUID
    quorum: int
    seats: Sequence[Seat]
    slot: Slot
    reminder: timedelta
    moves: int
    """How often it may be postponed, when it is the topic's first."""


class _Lost(Exception):
    """Somebody else was faster."""


async def earliest(conn: AsyncConnection, search: Search) -> Slot | None:
    """The earliest slot, or None when there is none."""
    windows = [
        {"venue": str(venue), "ord": ord_, "day": w.day, "opens": w.opens, "closes": w.closes}
        for ord_, (venue, opening) in enumerate(search.venues)
        for w in opening
    ]
    values: dict[str, Any] = {
        **{name: getattr(search, name) for name in ("since", "until", "slot", "raster", "quorum", "meeting")},
        "must": list(search.must),
        "six": list(search.six),
        "everybody": [*search.must, *search.six, *search.others, *(venue for venue, _ in search.venues)],
        "windows": windows,
    }
    row = (await conn.execute(EARLIEST, values)).one_or_none()
    return Slot(row.venue, row.starts, row.ends, frozenset(row.free)) if row else None


async def book(conn: AsyncConnection, plan: Plan) -> UUID | None:
    """Books a meeting, or moves the topic's; its id, or None when somebody else was faster: then nothing is changed.
    The topic is locked."""
    return await _unless_lost(conn, lambda: _put(conn, plan))


async def book_person(conn: AsyncConnection, meeting: UUID, who: UUID, starts: datetime, ends: datetime) -> bool:
    """Books a person for a meeting that stands; False when they are somewhere else then."""

    async def again() -> bool:
        await unbook(conn, meeting, [who])
        await _book(conn, meeting, [who], starts, ends)
        return True

    return bool(await _unless_lost(conn, again))


async def _unless_lost(conn: AsyncConnection, work: Callable[[], Awaitable[T]]) -> T | None:
    """Does `work`, or undoes all of it and gives None when somebody has booked before, or when two who wait for each
    other have to be parted and it is this one that gives way."""
    try:
        async with conn.begin_nested():
            return await work()
    except _Lost:
        return None
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") == _DEADLOCK:
            return None
        raise


async def _put(conn: AsyncConnection, plan: Plan) -> UUID:
    slot = plan.slot
    facts = {name: getattr(plan, name) for name in ("topic", "chair", "quorum", "reminder", "moves")}
    place = {"venue": slot.venue, "starts": slot.starts, "ends": slot.ends}
    meeting: UUID = (await conn.execute(PUT_MEETING, {**facts, **place})).scalar_one()
    for statement in CLEAR:
        await conn.execute(statement, {"meeting": meeting})
    people = [seat.person for seat in plan.seats if seat.person in slot.free]
    seats = [
        {"person": str(s.person), "ord": n, "kind": s.kind, "required": s.required, "filled_by": s.filled_by}
        for n, s in enumerate(plan.seats)
    ]
    await conn.execute(SEAT, {"meeting": meeting, "free": people, "seats": seats})
    await _book(conn, meeting, [slot.venue, *people], slot.starts, slot.ends)
    await conn.execute(SCHEDULED, {"topic": plan.topic})
    return meeting


async def _book(conn: AsyncConnection, meeting: UUID, who: Sequence[UUID], starts: datetime, ends: datetime) -> None:
    done = await conn.execute(BOOK, {"meeting": meeting, "who": list(who), "starts": starts, "ends": ends})
    if done.rowcount < len(who):
        raise _Lost


async def unbook(conn: AsyncConnection, meeting: UUID, who: Sequence[UUID]) -> None:
    await conn.execute(UNBOOK, {"meeting": meeting, "who": list(who)})
