"""The form of bench/latest.json, and which figure a limit holds for."""

import pytest

from bench.__main__ import ROWS
from bench.row import Row, medians_of

BARE = Row("deadlines/bare", "cases/s", ours=6_000.0, runs=5, baseline=10_000.0, at_least=0.5)
IDLE = Row("memory/idle", "GiB", ours=0.9, runs=5, at_most=1.0)


def test_a_row_with_a_baseline_shows_both_sides_and_their_ratio() -> None:
    assert BARE.as_json() == {
        "name": "deadlines/bare",
        "ours": 6_000.0,
        "baseline": 10_000.0,
        "ratio": 0.6,
        "at_least": 0.5,
        "unit": "cases/s",
        "runs": 5,
    }


def test_a_row_without_a_baseline_has_no_ratio() -> None:
    assert IDLE.as_json() == {
        "name": "memory/idle",
        "ours": 0.9,
        "baseline": None,
        "ratio": None,
        "at_most": 1.0,
        "unit": "GiB",
        "runs": 5,
    }


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (BARE, True),
        (Row("r", "1/s", ours=4_999, runs=1, baseline=10_000, at_least=0.5), False),
        (IDLE, True),
        (Row("r", "GiB", ours=1.1, runs=1, at_most=1.0), False),
    ],
)
def test_a_limit_holds_for_the_ratio_where_there_is_a_baseline_else_for_our_figure(row: Row, kept: bool) -> None:
    assert row.kept is kept


async def test_both_sides_take_turns_and_each_goes_first() -> None:
    turns: list[str] = []

    async def ours() -> float:
        turns.append("ours")
        return float(len(turns))

    async def baseline() -> float:
        turns.append("baseline")
        return float(len(turns))

    assert await medians_of(3, ours, baseline) == (4.0, 3.0)
    assert turns == ["ours", "baseline", "baseline", "ours", "ours", "baseline"]


def test_the_rows_have_their_fixed_names() -> None:
    assert set(ROWS) >= {"deadlines/bare", "deadlines/row-by-row", "up/existing", "memory/idle"}
