"""The earliest slot: found in one statement, against the plain search; and the database's own refusal to book twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from chuishao.wiring import put_district
from services.deliberation.domain.openings import Window, parse_opening
from services.deliberation.store import slots
from services.deliberation.store.slots import Search
from shared.db import make_engine, service_url, transaction
from shared.embedded import Endpoints
from shared.ids import new_id
from tests.model.calendar import CHINA
from tests.model.slots import earliest, free
from tests.world import KEYS, new_database

MONDAY = datetime(2026, 11, 30, tzinfo=CHINA)
HOUR, STEP = timedelta(hours=1), timedelta(minutes=15)
DAYS = 5
OPENINGS = ["周一至周日 08:30-20:30", "周二至周四 09:00-12:00", "周五至周二 18:00-21:00", "周三 00:00-23:59"]


async def prepare(conn: Any, count: int) -> list[UUID]:
    """Meetings to hang bookings on: one topic, as many meetings as the test books."""
    await conn.execute(text("SET LOCAL search_path = deliberation, public"))
    await conn.execute(text("TRUNCATE bookings, seats, meetings, topics, tasks, history, cases"))
    await conn.execute(
        text(
            """WITH c AS (INSERT INTO cases (id, number, category, urgency, place, phase, complained)
                     SELECT uuidv7(), '1', 'FAC.light', 'ordinary', uuidv7(), 'assigned', '{}'
                       FROM generate_series(1, :count) RETURNING id),
                    t AS (INSERT INTO topics (case_id, community, title, called, state)
                     SELECT id, uuidv7(), '灯', '{}', 'scheduled' FROM c RETURNING id)
               INSERT INTO meetings (topic, venue, starts, ends, chair, quorum, moves_left)
               SELECT id, uuidv7(), CAST(:at AS timestamptz), CAST(:at AS timestamptz) + interval '1 hour',
                      uuidv7(), 4, 2 FROM t"""
        ),
        {"count": count, "at": MONDAY},
    )
    return list((await conn.execute(text("SELECT id FROM meetings ORDER BY id"))).scalars())


AWAY = text("INSERT INTO directory.absence (person, since, until) VALUES (:who, :since, :until)")
MOVE = text("UPDATE meetings SET starts = :starts, ends = :ends WHERE id = :id")
SEAT = text(
    "INSERT INTO seats (meeting, person, ord, kind, required, reply) VALUES (:meeting, :who, :n, '物业', true, :reply)"
)
BOOK = text("INSERT INTO bookings (meeting, who, during) VALUES (:meeting, :who, tstzrange(:starts, :ends))")


# -- against the plain search -----------------------------------------------------------------------------------
class District:
    """A database with the small district's people, used from synchronous tests."""

    def __init__(self, runner: asyncio.Runner, endpoints: Endpoints) -> None:
        self.run = runner.run
        self.owner = make_engine(self.run(new_database(endpoints)), pool=1)
        self.run(put_district(self.owner, KEYS, "small", lambda _: None))
        self.people: list[UUID] = self.run(self.column("SELECT id FROM directory.person ORDER BY no"))
        self.rooms: list[UUID] = self.run(self.column("SELECT id FROM directory.venue ORDER BY code"))

    async def column(self, statement: str) -> list[UUID]:
        async with transaction(self.owner) as conn:
            return list((await conn.execute(text(statement))).scalars())

    async def found(self, problem: "Problem") -> slots.Slot | None:
        """What the statement finds."""
        async with transaction(self.owner) as conn:
            await conn.execute(text("DELETE FROM directory.absence"))
            meetings = iter(await prepare(conn, len(problem.bookings) + 1))
            for who, (starts, ends) in problem.bookings:
                await conn.execute(BOOK, {"meeting": next(meetings), "who": who, "starts": starts, "ends": ends})
            for who, (since, until) in problem.away.items():
                await conn.execute(AWAY, {"who": who, "since": since, "until": until})
            if problem.moved is None:
                return await slots.earliest(conn, problem.search)
            moved = next(meetings)
            await conn.execute(MOVE, {"id": moved, "starts": problem.moved[0], "ends": problem.moved[1]})
            for n, who in enumerate(problem.search.six):
                reply = "cannot" if who in problem.cannot else None
                await conn.execute(SEAT, {"meeting": moved, "who": who, "n": n, "reply": reply})
            return await slots.earliest(conn, replace(problem.search, meeting=moved))


Times = tuple[datetime, datetime]


@dataclass(frozen=True)
class Problem:
    """A search, what is booked, who is away, and the time of a meeting to be moved with those who cannot come to it."""

    search: Search
    bookings: list[tuple[UUID, Times]]
    away: dict[UUID, Times]
    moved: Times | None
    cannot: set[UUID]

    def busy(self) -> dict[UUID, list[Times]]:
        found: dict[UUID, list[Times]] = {}
        cannot = [(who, self.moved) for who in self.cannot if self.moved]
        for who, times in (*self.bookings, *self.away.items(), *cannot):
            found.setdefault(who, []).append(times)
        return found


def some_times(longest: int) -> st.SearchStrategy[Times]:
    """A span of up to `longest` quarters of an hour within the days looked at."""
    spans = st.tuples(st.integers(0, DAYS * 24 * 4), st.integers(1, longest))
    return spans.map(lambda span: (MONDAY + span[0] * STEP, MONDAY + (span[0] + span[1]) * STEP))


@st.composite
def problems(draw: Any, people: list[UUID], rooms: list[UUID]) -> Problem:
    openings = draw(st.lists(st.sampled_from(OPENINGS), min_size=1, max_size=2))
    musts, sixes = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    search = Search(
        since=MONDAY + draw(st.integers(0, DAYS * 24 * 4)) * STEP,
        until=MONDAY + timedelta(days=DAYS + 2),
        slot=draw(st.integers(1, 8)) * STEP,
        raster=draw(st.sampled_from([1, 2, 4])) * STEP,
        venues=[(room, parse_opening(opening)) for room, opening in zip(rooms, openings, strict=False)],
        must=people[:musts],
        six=people[musts : musts + sixes],
        quorum=draw(st.integers(1, 5)),
        others=people[musts + sixes : musts + sixes + 1],
    )
    persons = st.sampled_from([*search.must, *search.six, *search.others])
    who = persons | st.sampled_from([room for room, _ in search.venues])
    bookings: list[tuple[UUID, Times]] = []
    for each, times in draw(st.lists(st.tuples(who, some_times(40)), max_size=25)):
        if free([taken for other, taken in bookings if other == each], *times):
            bookings.append((each, times))
    still = Problem(search, bookings, draw(st.dictionaries(persons, some_times(200), max_size=3)), None, set())
    best = earliest(search, still.busy())
    now = st.just((best[1], best[1] + search.slot)) if best else some_times(8)
    moved = draw(st.none() | some_times(8) | now)
    return replace(still, moved=moved, cannot=draw(st.sets(st.sampled_from(search.six), max_size=4)))


def test_the_statement_finds_the_slot_that_the_plain_search_finds(instance: Endpoints) -> None:
    with asyncio.Runner() as runner:
        district = District(runner, instance)

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(problem=problems(district.people, district.rooms))
        def compare(problem: Problem) -> None:
            found = runner.run(district.found(problem))
            expected = earliest(problem.search, problem.busy())
            assert (found and (found.venue, found.starts, found.free)) == expected

        try:
            compare()
        finally:
            runner.run(district.owner.dispose())


# -- one behaviour each -------------------------------------------------------------------------------------------
@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(instance: Endpoints) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(await new_database(instance))
    yield engine
    await engine.dispose()


def wanted(**more: Any) -> Search:
    """From Monday morning, two hours on every half hour, in one room, with a chair and four of six."""
    defaults: dict[str, Any] = {
        "since": MONDAY,
        "until": MONDAY + timedelta(days=60),
        "slot": 2 * HOUR,
        "raster": HOUR / 2,
        "venues": [(new_id(), parse_opening("周一至周日 08:30-20:30"))],
        "must": [new_id()],
        "six": [new_id() for _ in range(6)],
        "quorum": 4,
    }
    return Search(**{**defaults, **more})


async def look(owner: AsyncEngine, search: Search, *busy: tuple[UUID, datetime, datetime]) -> slots.Slot | None:
    async with transaction(owner) as conn:
        meetings = await prepare(conn, max(len(busy), 1))
        for meeting, (who, starts, ends) in zip(meetings, busy, strict=False):
            await conn.execute(BOOK, {"meeting": meeting, "who": who, "starts": starts, "ends": ends})
        return await slots.earliest(conn, search)


async def test_the_first_slot_begins_when_the_room_opens(owner: AsyncEngine) -> None:
    search = wanted()
    found = await look(owner, search)
    assert found is not None
    assert (found.starts, found.ends) == (MONDAY + 8.5 * HOUR, MONDAY + 10.5 * HOUR)
    assert found.free == {*search.must, *search.six, search.venues[0][0]}


async def test_a_slot_begins_on_the_raster_at_or_after_the_earliest_time(owner: AsyncEngine) -> None:
    for since, starts in ((9.1, 9.5), (9.5, 9.5), (18.5, 18.5), (18.6, 24 + 8.5)):
        found = await look(owner, wanted(since=MONDAY + since * HOUR))
        assert found is not None
        assert found.starts == MONDAY + starts * HOUR


async def test_a_booked_chair_or_room_moves_the_slot_on_and_two_of_the_six_do_not(owner: AsyncEngine) -> None:
    search = wanted()
    room, chair = search.venues[0][0], search.must[0]
    all_day = (MONDAY, MONDAY + 24 * HOUR)
    for who in (room, chair):
        found = await look(owner, search, (who, *all_day))
        assert found is not None
        assert found.starts == MONDAY + 32.5 * HOUR
    two = await look(owner, search, *((who, *all_day) for who in search.six[:2]))
    assert two is not None
    assert two.starts == MONDAY + 8.5 * HOUR
    assert two.free == {*search.six[2:], chair, room}
    three = await look(owner, search, *((who, *all_day) for who in search.six[:3]))
    assert three is not None
    assert three.starts == MONDAY + 32.5 * HOUR


async def test_meetings_may_follow_each_other_without_a_gap(owner: AsyncEngine) -> None:
    search = wanted()
    found = await look(owner, search, (search.must[0], MONDAY + 8.5 * HOUR, MONDAY + 10.5 * HOUR))
    assert found is not None
    assert found.starts == MONDAY + 10.5 * HOUR


async def test_of_two_free_rooms_the_first_named_is_taken(owner: AsyncEngine) -> None:
    opening = parse_opening("周一至周日 08:30-20:30")
    first, second = new_id(), new_id()
    found = await look(owner, wanted(venues=[(first, opening), (second, opening)]))
    assert found is not None
    assert found.venue == first
    busy = (first, MONDAY, MONDAY + 24 * HOUR)
    found = await look(owner, wanted(venues=[(first, opening), (second, opening)]), busy)
    assert found is not None
    assert (found.venue, found.starts) == (second, MONDAY + 8.5 * HOUR)


async def test_where_nothing_is_free_there_is_no_slot(owner: AsyncEngine) -> None:
    search = wanted(until=MONDAY + timedelta(days=7))
    assert await look(owner, search, (search.must[0], MONDAY, MONDAY + timedelta(days=8))) is None
    assert await look(owner, wanted(venues=[(new_id(), [Window(1, 600, 660)])])) is None
    assert await look(owner, wanted(quorum=7)) is None


async def test_the_database_itself_refuses_to_book_anybody_twice_at_one_time(owner: AsyncEngine) -> None:
    who = new_id()
    async with transaction(owner) as conn:
        meetings = await prepare(conn, 3)
        times = [(0, 2), (2, 4), (1, 3)]
        rows = [
            {"meeting": m, "who": who, "starts": MONDAY + a * HOUR, "ends": MONDAY + b * HOUR}
            for m, (a, b) in zip(meetings, times, strict=True)
        ]
        await conn.execute(BOOK, rows[:2])
        await conn.execute(BOOK, {**rows[2], "who": new_id()})
        with pytest.raises(IntegrityError, match="bookings_nobody_twice"):
            async with conn.begin_nested():
                await conn.execute(BOOK, rows[2])


async def test_of_two_who_wait_for_each_other_one_gives_way_and_nobody_fails(
    instance: Endpoints, owner: AsyncEngine
) -> None:
    """Each has booked whom the other wants next, as two who plan whole weeks may."""
    async with transaction(owner) as conn:
        meetings = await prepare(conn, 4)
    anna, boris, times = new_id(), new_id(), (MONDAY, MONDAY + HOUR)
    engine = make_engine(service_url(str(owner.url), "deliberation", KEYS), pool=2)
    async with transaction(engine) as one, transaction(engine) as other:
        assert await slots.book_person(one, meetings[0], anna, *times)
        assert await slots.book_person(other, meetings[1], boris, *times)
        first = asyncio.create_task(slots.book_person(one, meetings[2], boris, *times))
        second = asyncio.create_task(slots.book_person(other, meetings[3], anna, *times))
        done, _ = await asyncio.wait({first, second}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [False]
        await (one if first in done else other).rollback()
        assert await (second if first in done else first)
    await engine.dispose()
