"""A whole district of invented people in the numbers of the field report, the same for the same seed.

Phones are taken from 199 0010 0001 on, openids begin with `oTEST`: nobody real is ever named or called.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

from services.directory.domain import names
from services.directory.domain.tree import ROOT, Tree, share
from services.directory.domain.workbook import (
    SEATS,
    Binding,
    Department,
    Grid,
    Officer,
    Person,
    Post,
    Seat,
    Venue,
    Workbook,
)

LEADERS = {"large": 426, "middle": 778, "small": 3238, "micro": 10464}
PARTY = {"middle": 766, "small": 1886, "micro": 5192}
COMPOUNDS = 781
MEMBERS = 5081
ROOMS, HALLS, GALLERIES = 81, 25, 12

BOTH_POSTS = 0.12
"""一肩挑: how often the party post of a grid is its leader's as well."""
TWO_LEVELS = {"large": 0.15, "middle": 0.2, "small": 0.25}
"""How often a leader leads one of the grids below as well, by the upper level."""
NO_OWNERS = 0.25
"""Share of communities of old compounds only, without an owners' committee (业委会)."""

DAILY, WEEKDAYS = "周一至周日 08:30-20:30", "周一至周五 08:30-17:30"


def generate(seed: int = 1) -> Workbook:
    """The district of a seed."""
    rng = Random(seed)
    tree = Tree(rng)
    register = Register(rng)
    posts = [*_desks(tree, register), *_autonomy_and_party(rng, tree, register)]
    departments, officers = _departments(rng, register)
    bindings = _bindings(rng, tree, register)
    return Workbook(
        grids=tree.grids,
        posts=tuple(posts),
        departments=departments,
        officers=officers,
        seats=tuple(_seats(rng, tree, register, bindings)),
        venues=tuple(_venues(rng, tree, bindings)),
        bindings=bindings,
        people=register.people(),  # last: the other steps enter people
    )


class Register:
    """Everybody who was given something to do."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._people: dict[str, Person] = {}

    def people(self) -> tuple[Person, ...]:
        return tuple(self._people.values())

    def volunteer(self, *, party: bool = False) -> str:
        """A neighbour: six of ten on WeChat, most others by text message only, a few not reachable at all."""
        luck = self._rng.random()
        if luck < 0.6:
            return self._enter(party, ("wechat", "sms"))
        return self._enter(party, ("sms",) if luck < 0.985 else (), phone=luck < 0.993)

    def staff(self, *, party: bool = False, wecom: bool = False) -> str:
        """Somebody whose work it is: always reachable."""
        return self._enter(party, ("wecom", "sms") if wecom else ("sms",))

    def join_party(self, no: str) -> None:
        self._people[no] = replace(self._people[no], party=True)

    def _enter(self, party: bool, channels: tuple[str, ...], *, phone: bool = True) -> str:
        number = len(self._people) + 1
        no = f"J{number:05}"
        self._people[no] = Person(
            no=no,
            name=self._name(),
            phone=f"+86199{100_000 + number:08}" if phone else None,
            party=party or self._rng.random() < 0.1,
            openid=f"oTEST{number:06}" if "wechat" in channels else None,
            wecom=f"wecom{number:06}" if "wecom" in channels else None,
            channels=channels,
        )
        return no

    def _name(self) -> str:
        if self._rng.random() < 0.06:
            return self._rng.choice(names.MONGOLIAN)
        given = "".join(self._rng.sample(names.GIVEN, self._rng.choice((1, 2, 2))))
        return self._rng.choice(names.SURNAMES) + given


# -- 岗位 -----------------------------------------------------------------------------------------------
def _desks(tree: Tree, register: Register) -> Iterable[Post]:
    """A desk of two everywhere but in villages, where one person sits; secretaries where people live."""
    for grid in tree.grids:
        if grid.level in ("district", "subdistrict", "community"):
            for _ in range(1 if grid.village else 2):
                yield Post(grid.code, "desk", register.staff())
        if grid.level == "community":
            yield Post(grid.code, "secretary", register.staff(party=True))


def _autonomy_and_party(rng: Random, tree: Tree, register: Register) -> Iterable[Post]:
    """三户四长, as many as the report counts; some are one person's at two levels or twice in a grid."""
    led = _drawn(rng, tree, LEADERS)
    party = _drawn(rng, tree, PARTY)
    inherited: dict[str, str] = {}
    for grid in tree.grids:
        leader = None
        if grid.code in led:
            leader = inherited.pop(grid.code, None) or register.volunteer()
            yield Post(grid.code, "leader", leader)
            below = [child.code for child in tree.children[grid.code] if child.code in led]
            if below and rng.random() < TWO_LEVELS[grid.level]:
                inherited[rng.choice(below)] = leader
        if grid.code in party:
            if leader and rng.random() < BOTH_POSTS:
                register.join_party(leader)
                yield Post(grid.code, "party", leader)
            else:
                yield Post(grid.code, "party", register.volunteer(party=True))


def _drawn(rng: Random, tree: Tree, counts: dict[str, int]) -> set[str]:
    return {grid.code for level, count in counts.items() for grid in rng.sample(tree.of(level), count)}


# -- 部门 -----------------------------------------------------------------------------------------------
def _departments(rng: Random, register: Register) -> tuple[tuple[Department, ...], tuple[Officer, ...]]:
    departments = tuple(Department(code, label, tuple(items.split())) for code, label, items in names.DEPARTMENTS)
    officers = tuple(
        Officer(department.code, register.staff(wecom=True))
        for department in departments
        for _ in range(rng.choice((2, 3)))
    )
    return departments, officers


# -- 包联 -----------------------------------------------------------------------------------------------
def _units() -> list[str]:
    schools = [f"第{number}{kind}" for kind in ("中学", "小学", "幼儿园") for number in names.NUMERALS]
    stations = [f"{street}{kind}" for kind in ("派出所", "卫生服务中心") for street in names.STREETS]
    return [f"{whose}{name}" for whose in "区市" for name in names.UNITS] + schools + stations


def _bindings(rng: Random, tree: Tree, register: Register) -> tuple[Binding, ...]:
    """单位包小区, 股室包楼栋, 党员包单元: units take turns with the compounds and send members there."""
    units = _units()
    speakers = [register.staff(party=True) for _ in units]
    blocks = [grid for grid in tree.of("middle") if grid.kind == "block"]
    compounds = rng.sample(blocks, COMPOUNDS)
    bindings: list[Binding] = []
    for turn, (compound, count) in enumerate(zip(compounds, share(rng, MEMBERS, COMPOUNDS), strict=True)):
        unit, speaker = units[turn % len(units)], speakers[turn % len(units)]
        members = [register.volunteer(party=True) for _ in range(count)]
        buildings, doors = list(tree.under(compound, "small")), list(tree.under(compound, "micro"))
        bindings.append(Binding("unit", unit, speaker, compound.code))
        bindings += [
            Binding("section", f"{unit}{rng.choice(names.SECTIONS)}", rng.choice(members), building.code)
            for building in buildings
        ]
        bindings += [Binding("member", unit, member, rng.choice(doors).code) for member in members]
    return tuple(bindings)


# -- 席位 场所 ------------------------------------------------------------------------------------------
def _seats(rng: Random, tree: Tree, register: Register, bindings: Sequence[Binding]) -> Iterable[Seat]:
    """The six standing kinds in every urban community; some have no owners' committee."""
    speakers = {binding.grid.rsplit("-", 2)[0]: binding.person for binding in bindings if binding.kind == "unit"}
    for community in _urban(tree):
        for kind in SEATS[:6]:
            if kind == "业委会" and rng.random() < NO_OWNERS:
                continue
            bound = speakers.get(community.code) if kind == "包联单位" else None
            yield Seat(community.code, kind, bound or register.volunteer())
    yield Seat(ROOT, "法律援助", register.staff())


def _venues(rng: Random, tree: Tree, bindings: Sequence[Binding]) -> Iterable[Venue]:
    """协商议事室 in every urban community and one street office; 议事厅 and 长廊 in compounds."""
    street = tree.of("subdistrict")[0]
    hosts = [*_urban(tree), street]
    for number, host in enumerate(hosts[:ROOMS], 1):
        opening = WEEKDAYS if host is street else DAILY
        label, seats = f"{host.label}协商议事室", rng.choice((20, 30, 40, 60))
        yield Venue(f"R{number:03}", host.code, label, "协商议事室", seats, opening)
    labels = {grid.code: grid.label for grid in tree.grids}
    compounds = [binding.grid for binding in bindings if binding.kind == "unit"]
    kinds = ["议事厅"] * HALLS + ["长廊"] * GALLERIES
    for number, (code, kind) in enumerate(zip(rng.sample(compounds, len(kinds)), kinds, strict=True), 1):
        yield Venue(f"H{number:03}", code, f"{labels[code]}{kind}", kind, rng.choice((12, 16, 20, 30)), DAILY)


def _urban(tree: Tree) -> list[Grid]:
    return [grid for grid in tree.of("community") if not grid.village]
