"""What the grids of a district are called in addresses: 前进街道 is 前进街 and 前进 as well."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from shared.addresses import canonical, parse
from shared.contracts.levels import RANK

# By level: how the type may be left out or written. (endings, whole names made from the stem, short names from it)
TYPES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "district": (("区", "县", "旗", "市"), (), ("",)),
    "subdistrict": (
        ("街道办事处", "街道办", "街道", "镇", "乡"),
        ("街道", "街道办", "街道办事处", "办事处"),
        ("街", ""),
    ),
    "community": (
        ("社区居民委员会", "社区居委会", "居民委员会", "居委会", "社区"),
        ("社区", "社区居委会", "社区居民委员会", "居委会", "居民委员会"),
        ("",),
    ),
    "village": (("村村民委员会", "村委会", "村"), ("村", "村委会", "村村民委员会"), ("",)),
    "large": ((), (), ()),
    "middle": (("小区", "片区"), (), ("",)),
}
TOWNS = ("镇", "乡")
SHORTEST = 2
"""A shorter stem (河村: 河) would be found in too many words."""


@dataclass(frozen=True, slots=True)
class Named:
    """A grid as the naming needs it."""

    id: UUID
    level: str
    village: bool
    label: str
    parent: UUID | None


@dataclass(frozen=True, slots=True)
class Name:
    """One way to call a grid. A short one helps to say where it is, but does not say it alone."""

    grid: UUID
    rank: int
    key: str
    short: bool


def names_of(grids: Iterable[Named]) -> Iterator[Name]:
    """Every way to call each grid; many grids may share one."""
    known = {grid.id: grid for grid in grids}
    for grid in known.values():
        above = list(_above(known, grid))
        if grid.level in ("small", "micro"):
            keys = _numbered(grid, above)
        else:
            keys = _called(grid.level, grid.label, village=grid.village)
            community = next((up for up in above if up.level == "community"), None)
            if community and grid.level in ("large", "middle"):
                keys |= _without(keys, community)
        yield from (Name(grid.id, RANK[grid.level], key, short) for key, short in keys.items())


def _above(known: Mapping[UUID, Named], grid: Named) -> Iterator[Named]:
    while grid.parent is not None and grid.parent in known:
        grid = known[grid.parent]
        yield grid


def _called(level: str, label: str, *, village: bool = False) -> dict[str, bool]:
    """Ways to call a grid -> whether it is a short one."""
    name = canonical(label)
    endings, whole, short = TYPES["village" if village else level]
    ending = next((each for each in endings if name.endswith(each)), None)
    keys = {name: False}
    if ending is None:
        return keys | ({f"{name}小区": False} if level == "middle" else {})
    stem = name.removesuffix(ending)
    if ending not in TOWNS:
        keys |= {stem + end: False for end in whole}
    if len(stem) >= SHORTEST:
        keys |= {stem + end: True for end in short if ending not in TOWNS or not end}
    return keys


def _without(keys: Mapping[str, bool], community: Named) -> dict[str, bool]:
    """和平万和小区 in 和平社区 is 万和小区 there."""
    stem = min(_called("community", community.label, village=community.village), key=len)
    ends = {key.removeprefix(stem): short for key, short in keys.items() if key.startswith(stem)}
    return {key: short for key, short in ends.items() if len(key) >= SHORTEST and key not in ("小区", "片区")}


def _numbered(grid: Named, above: list[Named]) -> dict[str, bool]:
    """Buildings and units go by their number (3号楼, 2单元); a building without one by its name in the compound."""
    address = parse(grid.label)
    middle = next((up for up in above if up.level == "middle"), None)
    compound = _called("middle", middle.label) if middle else {}
    number = address and (address.unit if grid.level == "micro" else address.building)
    if number and address and address.head in ("", *compound):
        return {number: False}
    name = canonical(grid.label)
    for prefix in sorted(compound, key=len, reverse=True):
        name = name.removeprefix(prefix)
    return {name: False} if len(name) >= SHORTEST else {}
