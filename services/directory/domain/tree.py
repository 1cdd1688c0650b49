"""A generated district's grid tree, in the numbers of the field report: 11 subdistricts, 80 communities,
25 villages, 502 large, 1,237 middle, 3,786 small and 10,653 micro grids."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from services.directory.domain import names
from services.directory.domain.workbook import Grid

ROOT = "150902"
CENTRE = (113.11, 41.03)
COUNTS = {"large": 502, "middle": 1237, "small": 3786, "micro": 10653}
COURTYARDS = 300
"""Middle grids that are single-storey areas (平房片区); the others are compounds."""

SPREAD = {
    "subdistrict": 0.03,
    "community": 0.008,
    "large": 0.003,
    "middle": 0.0015,
    "small": 0.0006,
    "micro": 0.0002,
}
"""How far a grid lies from its parent, as the standard deviation in degrees."""

# (label, communities, villages) of each subdistrict
SUBDISTRICTS = (
    *((f"{name}街道", 9, 0) for name in names.STREETS),
    *((f"{name}镇", 2, 11) for name in names.TOWNS),
    (names.PARK, 4, 3),
)


def share(rng: Random, total: int, parts: int) -> list[int]:
    """`total` things to `parts` places, at least one each, unevenly."""
    extra = Counter(rng.choices(range(parts), k=total - parts))
    return [1 + extra[part] for part in range(parts)]


class Tree:
    """The grids in depth-first order, and each one's children."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._grids: list[Grid] = []
        self._counts = {
            "large": iter(share(rng, COUNTS["large"], 80)),
            "middle": iter(share(rng, COUNTS["middle"], COUNTS["large"])),
            "small": iter(share(rng, COUNTS["small"], COUNTS["middle"])),
            "micro": iter(share(rng, COUNTS["micro"], COUNTS["small"])),
        }
        courtyards = set(rng.sample(range(COUNTS["middle"]), COURTYARDS))
        self._kinds = iter("courtyard" if n in courtyards else "block" for n in range(COUNTS["middle"]))
        self._grow()
        self.grids = self._with_households()
        self.children: dict[str, list[Grid]] = {grid.code: [] for grid in self.grids}
        for grid in self.grids:
            if grid.parent:
                self.children[grid.parent].append(grid)

    def of(self, level: str) -> list[Grid]:
        return [grid for grid in self.grids if grid.level == level]

    def under(self, grid: Grid, level: str) -> Iterator[Grid]:
        """The grids of a level below another."""
        for child in self.children[grid.code]:
            if child.level == level:
                yield child
            else:
                yield from self.under(child, level)

    def _add(self, parent: Grid | None, level: str, code: str, label: str, kind: str | None = None) -> Grid:
        lng, lat = (parent.lng, parent.lat) if parent and parent.lng and parent.lat else CENTRE
        far = SPREAD.get(level, 0.0)
        grid = Grid(
            code=f"{parent.code}-{code}" if parent else code,
            level=level,
            label=label,
            parent=parent.code if parent else None,
            kind=kind,
            lng=round(self._rng.gauss(lng, far), 6),
            lat=round(self._rng.gauss(lat, far), 6),
        )
        self._grids.append(grid)
        return grid

    def _grow(self) -> None:
        root = self._add(None, "district", ROOT, "集宁区")
        communities, villages = iter(names.COMMUNITIES), iter(names.VILLAGES)
        for number, (label, urban, rural) in enumerate(SUBDISTRICTS, 1):
            subdistrict = self._add(root, "subdistrict", f"{number:02}", label)
            for place in range(1, urban + 1):
                name = next(communities)
                self._grow_large(self._add(subdistrict, "community", f"{place:02}", f"{name}社区"), name)
            for place in range(urban + 1, urban + rural + 1):
                village = self._add(subdistrict, "community", f"{place:02}", f"{next(villages)}村")
                self._grids[-1] = replace(village, village=True, households=self._rng.randint(80, 300))

    def _grow_large(self, community: Grid, name: str) -> None:
        taken: set[str] = set()
        for number in range(1, next(self._counts["large"]) + 1):
            large = self._add(community, "large", f"L{number}", f"{name}第{number}网格")
            for place in range(1, next(self._counts["middle"]) + 1):
                kind = next(self._kinds)
                area = "小区" if kind == "block" else "片区"
                label = self._compound(name, area, taken)
                self._grow_small(self._add(large, "middle", f"M{place}", label, kind))

    def _compound(self, name: str, area: str, taken: set[str]) -> str:
        """A name that no other has in the community: an address has to tell them apart."""
        first = names.COMPOUNDS.index(self._rng.choice(names.COMPOUNDS))
        turned = names.COMPOUNDS[first:] + names.COMPOUNDS[:first]
        phases = (f"{name}{each}{phase}{area}" for phase in ("", "二期", "三期") for each in turned)
        label = next(label for label in phases if label not in taken)
        taken.add(label)
        return label

    def _grow_small(self, middle: Grid) -> None:
        building, door = ("号楼", "单元") if middle.kind == "block" else ("排", "组")
        for number in range(1, next(self._counts["small"]) + 1):
            label = f"{middle.label}{number}{building}" + ("组" if middle.kind == "courtyard" else "")
            small = self._add(middle, "small", f"S{number}", label, middle.kind)
            for place in range(1, next(self._counts["micro"]) + 1):
                self._add(small, "micro", f"U{place}", f"{number}{building}{place}{door}", middle.kind)

    def _with_households(self) -> tuple[Grid, ...]:
        """Micro grids of about ten households; every grid above has the sum of those below."""
        households: Counter[str] = Counter()
        for grid in self._grids:
            if grid.level == "micro":
                households[grid.code] = self._rng.randint(7, 13)
            elif grid.households:
                households[grid.code] = grid.households
        for grid in reversed(self._grids):
            if grid.parent:
                households[grid.parent] += households[grid.code]
        return tuple(replace(grid, households=households[grid.code]) for grid in self._grids)
