"""Two digits for a person and a case: a mark never means two things."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.notify import store
from shared.db import transaction
from shared.embedded import Endpoints
from shared.ids import new_id
from tests.integration.notifying import Notifying, notifying

WEEK = timedelta(days=7)
CASES = st.sets(st.integers(0, 3), max_size=2)
STEPS = st.lists(st.tuples(CASES, st.sampled_from([1, 6, 8]), CASES), min_size=3, max_size=8)
"""Cases that are settled, the days that pass, cases that are asked about."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def n(instance: Endpoints) -> AsyncIterator[Notifying]:
    async with notifying(instance) as found:
        yield found


@dataclass
class Telephone:
    """One person, the messages that ask them, and what their marks stand for: the case, and when it was settled."""

    n: Notifying
    message: UUID
    person: UUID = field(default_factory=new_id)
    meanings: dict[int, tuple[UUID, datetime | None]] = field(default_factory=dict)

    async def ask(self, *cases: UUID, message: UUID | None = None) -> dict[UUID, int]:
        rows = [self._row(case, message or self.message) for case in cases]
        async with transaction(self.n.notify.engine) as conn:
            given = await store.allot(conn, rows)
        return {case: mark for (_, case, _), mark in given.items()}

    def _row(self, case: UUID, message: UUID) -> dict[str, Any]:
        told = {"person": self.person, "issue": case, "message": message}
        return {name: str(value) for name, value in told.items()} | {"asks": "leader", "facts": {}}

    async def settle(self, case: UUID) -> None:
        row = {"issue": str(case), "facts": {}, "closes": ["leader"]}
        async with transaction(self.n.notify.engine) as conn:
            await conn.execute(store.STANDING, {"rows": [row]})

    async def note_settled(self, cases: set[UUID]) -> None:
        """Keeps when the cases' marks were settled first."""
        now = await self.now()
        for mark, (case, since) in self.meanings.items():
            if case in cases:
                self.meanings[mark] = (case, since or now)

    async def now(self) -> datetime:
        (row,) = await self.n.rows("SELECT public.clock_now() AS now")
        now: datetime = row["now"]
        return now


async def telephone(n: Notifying) -> Telephone:
    case = await n.assign("P018")
    message = await n.message(case)
    await n.rows("UPDATE notify.message SET state = 'expired', next_attempt_at = NULL WHERE issue = :case", case=case)
    return Telephone(n, UUID(str(message["id"])))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_a_mark_never_means_two_things(n: Notifying, steps: list[tuple[set[int], int, set[int]]]) -> None:
    """Four cases and two marks: the others mean something else, all the time."""
    phone, cases = await telephone(n), [new_id() for _ in range(4)]
    await phone.ask(*(new_id() for _ in range(88)))
    for settled, days, asked in steps:
        for case in settled:
            await phone.settle(cases[case])
        await phone.note_settled({cases[case] for case in settled})
        await n.advance(days=days)
        now, other = await phone.now(), await telephone(n)
        for case, mark in (await phone.ask(*(cases[i] for i in asked), message=other.message)).items():
            meant, since = phone.meanings.get(mark, (case, None))
            assert meant == case or (since is not None and now - since > WEEK)
            phone.meanings[mark] = (case, None)
            assert [meaning for meaning, _ in phone.meanings.values()].count(case) == 1, "and a case has one mark"


async def test_a_question_asked_again_keeps_its_mark_and_is_open_again(n: Notifying) -> None:
    phone, case = await telephone(n), new_id()
    first = await phone.ask(case)
    await phone.settle(case)
    await n.advance(days=30)
    assert await phone.ask(case, message=(await telephone(n)).message) == first
    assert await n.rows("SELECT 1 FROM notify.question WHERE person = :p AND closed_at IS NULL", p=phone.person)


async def test_the_same_message_by_another_channel_opens_nothing_again(n: Notifying) -> None:
    phone, case = await telephone(n), new_id()
    await phone.ask(case)
    await phone.settle(case)
    await phone.ask(case)
    assert not await n.rows("SELECT 1 FROM notify.question WHERE person = :p AND closed_at IS NULL", p=phone.person)


async def test_who_has_no_mark_left_gets_none_until_a_week_after_one_is_settled(n: Notifying) -> None:
    phone, cases, late = await telephone(n), [new_id() for _ in range(90)], new_id()
    marks = await phone.ask(*cases)
    assert sorted(marks.values()) == list(range(10, 100))
    assert await phone.ask(late) == {}
    await phone.settle(cases[0])
    await n.advance(days=6, hours=23)
    assert await phone.ask(late) == {}
    await n.advance(hours=2)
    assert await phone.ask(late) == {late: marks[cases[0]]}


async def test_marks_given_at_once_are_different(n: Notifying) -> None:
    phone, cases = await telephone(n), [new_id() for _ in range(12)]
    given = await asyncio.gather(*(phone.ask(case) for case in cases))
    assert len({mark for each in given for mark in each.values()}) == 12


async def test_one_slip_of_the_finger_hits_no_neighbour(n: Notifying) -> None:
    phone = await telephone(n)
    marks = [mark for _ in range(4) for mark in (await phone.ask(new_id())).values()]
    assert all(abs(a - b) > 1 and a % 10 != b % 10 and a // 10 != b // 10 for a in marks for b in marks if a != b)
