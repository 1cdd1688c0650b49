"""Requests of the same moment, done together."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.db import DatabaseAway
from shared.grouping import Grouped


class Groups:
    """Doubles numbers; refuses 13 and cannot do 0. Each group waits until it is let go."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.go = asyncio.Event()

    async def act(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.seen.append(list(numbers))
        await self.go.wait()
        if 0 in numbers:
            raise ZeroDivisionError
        if -1 in numbers:
            raise DatabaseAway("away")
        return [ValueError("unlucky") if number == 13 else number * 2 for number in numbers]


async def asked(groups: Groups, *numbers: int) -> list[int | BaseException]:
    grouped = Grouped(groups.act, at_once=1)
    tasks = [asyncio.create_task(grouped(number)) for number in numbers]
    await asyncio.sleep(0)
    groups.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_comes_first_is_done_at_once_and_the_others_together() -> None:
    groups = Groups()
    assert await asked(groups, 1, 2, 3) == [2, 4, 6]
    assert groups.seen in ([[1], [2, 3]], [[1, 2, 3]])


async def test_a_refusal_is_for_one_only() -> None:
    found = await asked(Groups(), 1, 13, 3)
    assert (found[0], found[2]) == (2, 6)
    assert isinstance(found[1], ValueError)


async def test_what_cannot_be_done_is_found_by_doing_each_alone() -> None:
    found = await asked(Groups(), 1, 0, 3)
    assert (found[0], found[2]) == (2, 6)
    assert isinstance(found[1], ZeroDivisionError)


async def test_a_database_that_is_away_is_away_for_all_of_a_group() -> None:
    groups = Groups()
    found = await asked(groups, 1, -1, 3)
    assert sum(isinstance(each, DatabaseAway) for each in found) >= 2
    assert len(groups.seen) <= 2


async def test_who_hangs_up_takes_nobody_along() -> None:
    groups = Groups()
    grouped = Grouped(groups.act, at_once=1)
    tasks = [asyncio.create_task(grouped(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    groups.go.set()
    assert await tasks[1] == 4
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
