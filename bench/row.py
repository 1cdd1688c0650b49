"""A measured row: its figures, its limit, and the order in which two sides take turns."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

RUNS = 5
Side = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Row:
    """One row of the table. The limit holds for the ratio where there is a baseline, else for `ours`."""

    name: str
    unit: str
    ours: float
    runs: int
    baseline: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as much as the baseline."""
        return None if self.baseline is None else self.ours / self.baseline

    @property
    def kept(self) -> bool:
        """Whether the limit is kept."""
        value = self.ours if self.ratio is None else self.ratio
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def as_json(self) -> dict[str, Any]:
        limits = {"at_least": self.at_least, "at_most": self.at_most}
        return {
            "name": self.name,
            "ours": round(self.ours, 3),
            "baseline": None if self.baseline is None else round(self.baseline, 3),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            **{name: limit for name, limit in limits.items() if limit is not None},
            "unit": self.unit,
            "runs": self.runs,
        }


async def median_of(runs: int, side: Side) -> float:
    return median([await side() for _ in range(runs)])


async def medians_of(runs: int, ours: Side, baseline: Side) -> tuple[float, float]:
    """Both sides in turn, so that a slow minute of the machine meets both; each run first for the other once."""
    found: tuple[list[float], list[float]] = ([], [])
    for run in range(runs):
        for side in (0, 1) if run % 2 == 0 else (1, 0):
            found[side].append(await (ours, baseline)[side]())
    return median(found[0]), median(found[1])
