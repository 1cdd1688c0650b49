"""Where a report belongs: by an address, by a point; and what fits nowhere goes to the desk."""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.directory.domain.generate import generate
from services.directory.domain.workbook import Grid
from services.directory.importing import import_workbook
from services.intake.domain.issues import ToldPlace
from services.intake.store import find_places
from shared.db import make_engine, service_url, transaction
from shared.embedded import Endpoints
from tests.world import KEYS, U1, C, Issue, World, new_database

CHINESE = "零一二三四五六七八九十"


# -- the seed district --------------------------------------------------------------------------------------
@dataclass
class Seed:
    """The generated district, as intake may read it."""

    grids: dict[str, Grid]
    intake: AsyncEngine

    def up(self, grid: Grid, level: str) -> Grid:
        while grid.level != level:
            assert grid.parent
            grid = self.grids[grid.parent]
        return grid

    async def find(self, **told: Any) -> str | None:
        async with transaction(self.intake) as conn:
            found = (await find_places(conn, [(ToldPlace(**told), None)])).get(0)
        return found.code if found else None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seed(instance: Endpoints) -> AsyncIterator[Seed]:
    url, book = await new_database(instance), generate()
    owner = make_engine(url)
    await import_workbook(owner, KEYS, book, lambda _: None)
    intake = make_engine(service_url(url, "intake", KEYS))
    yield Seed({grid.code: grid for grid in book.grids}, intake)
    await intake.dispose()
    await owner.dispose()


@dataclass(frozen=True)
class Words:
    """The names of a unit in a block of flats."""

    street: str
    community: str
    compound: str
    building: int
    unit: int

    @property
    def stem(self) -> str:
        return self.community.removesuffix("社区")

    @property
    def own(self) -> str:
        return self.compound.removeprefix(self.stem)


def chinese(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens < 2 else CHINESE[tens]) + ("十" if tens else "") + (CHINESE[ones] if ones or not tens else "")


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


WAYS: tuple[Callable[[Words], str], ...] = (
    lambda w: f"内蒙古自治区乌兰察布市集宁区{w.street}{w.community}{w.compound}{w.building}号楼{w.unit}单元301室",
    lambda w: f"集宁区{w.street}办事处{w.stem}居委会{w.compound}{chinese(w.building)}号楼{chinese(w.unit)}单元",
    lambda w: f"{w.street.removesuffix('道')}{w.community} {w.own} {w.building}栋{w.unit}单元 502",
    lambda w: f"{w.street.removesuffix('街道')}{w.stem}{w.own}{w.building}幢{w.unit}门",
    lambda w: wide(f"{w.compound}{w.building}#楼{w.unit}单元401室"),
    lambda w: f"{w.compound} 第{chinese(w.building)}栋 第{chinese(w.unit)}单元 三楼",
    lambda w: f"{w.community}，{w.own}，{w.building}#-{w.unit}-201",
    lambda w: f"{w.compound}{w.building}-{w.unit}-602",
    lambda w: f"{w.community}{w.own.removesuffix('小区')}{w.building}号{w.unit}单元",
    lambda w: f"集宁{w.street}解放路18号{w.compound}0{w.building}号楼0{w.unit}单元 王家",
)


async def test_hundreds_of_addresses_in_ten_ways_of_writing_find_their_unit_and_none_a_wrong_one(seed: Seed) -> None:
    units = [grid for grid in seed.grids.values() if grid.level == "micro" and grid.kind == "block"]
    right = wrong = 0
    missed: list[str] = []
    chosen = random.Random(6).sample(units, 600)
    for number, unit in enumerate(chosen):
        building = seed.up(unit, "small").label.removesuffix("号楼")
        compound = seed.up(unit, "middle").label
        words = Words(
            street=seed.up(unit, "subdistrict").label,
            community=seed.up(unit, "community").label,
            compound=compound,
            building=int(building.removeprefix(compound)),
            unit=int(unit.label.removesuffix("单元").partition("号楼")[2]),
        )
        address = WAYS[number % len(WAYS)](words)
        found = await seed.find(address=address)
        right += found == unit.code
        wrong += found not in (unit.code, None)
        if found != unit.code:
            missed.append(address)
    assert wrong == 0, missed
    assert right >= 0.95 * len(chosen), missed


async def test_rows_of_single_storey_houses_are_found_as_well(seed: Seed) -> None:
    groups = [grid for grid in seed.grids.values() if grid.level == "micro" and grid.kind == "courtyard"]
    chosen = random.Random(8).sample(groups, 100)
    for grid in chosen:
        row, _, group = grid.label.removesuffix("组").partition("排")
        area, community = seed.up(grid, "middle").label, seed.up(grid, "community").label
        assert await seed.find(address=f"{community}{area}{row}排{group}组12号") == grid.code
        assert await seed.find(address=f"{area} 第{chinese(int(row))}排 {chinese(int(group))}组") == grid.code


async def test_a_name_that_is_found_in_many_communities_is_not_guessed(seed: Seed) -> None:
    assert await seed.find(address="清华小区1号楼1单元") is None


async def test_names_that_contradict_each_other_are_not_guessed(seed: Seed) -> None:
    unit = next(grid for grid in seed.grids.values() if grid.level == "micro" and grid.kind == "block")
    compound, community = seed.up(unit, "middle").label, seed.up(unit, "community")
    streets = [g.label for g in seed.grids.values() if g.level == "subdistrict" and g.code != community.parent]
    assert await seed.find(address=f"{compound}1号楼1单元") == unit.code
    assert [await seed.find(address=f"{street}{compound}1号楼1单元") for street in streets] == [None] * len(streets)
    assert await seed.find(address=f"北京市朝阳区{compound}1号楼1单元") is None
    assert await seed.find(address=f"{compound}北院1号楼1单元") is None


async def test_a_unit_or_building_that_does_not_exist_is_not_guessed(seed: Seed) -> None:
    unit = next(grid for grid in seed.grids.values() if grid.level == "micro" and grid.kind == "block")
    compound = seed.up(unit, "middle").label
    assert await seed.find(address=f"{compound}99号楼1单元") is None
    assert await seed.find(address=f"{compound}1号楼29单元") is None


async def test_a_point_is_at_the_nearest_micro_grid(seed: Seed) -> None:
    micro = [grid for grid in seed.grids.values() if grid.level == "micro"]
    for grid in random.Random(7).sample(micro, 100):
        assert await seed.find(lng=grid.lng, lat=grid.lat) == grid.code
    for lng, lat in ((116.4, 39.9), (113.11, 42.0), (-113.11, 41.03), (0.0, 90.0), (180.0, -90.0)):
        assert await seed.find(lng=lng, lat=lat) is None


# -- the small district, through the interface --------------------------------------------------------------
async def told(world: World, **place: Any) -> Issue:
    body = {"category": "FAC.light", "text": "灯坏了", "place": place, "phone": "13912360501"}
    answer = await world.call("POST", "/api/intake/issues", json=body)
    assert answer.status_code == 201, answer.text
    await world.settle()
    return Issue(world, **answer.json())


@pytest.mark.parametrize(
    ("place", "grid", "holder"),
    [
        ({"address": "和平小区一号楼一单元301"}, U1, "P016"),
        ({"lng": 113.1156, "lat": 41.03401}, U1, "P016"),
        ({"address": "前进街和平社区和平小区1号楼"}, f"{C}-L1-M1-S1", "P014"),  # no unit: who has the whole building
        ({"address": "和平小区"}, f"{C}-L1-M1", "P012"),
        ({"address": "河东片区一排一组12号"}, f"{C}-L1-M2-S1-U1", "P023"),
        ({"address": "前进街道和平社区居委会"}, C, C),
        ({"address": "东河村二组5号"}, f"{C[:-1]}2", f"{C[:-1]}2"),
        ({"lng": 113.1122, "lat": 41.0315}, f"{C[:-1]}2", f"{C[:-1]}2"),  # a village has no grids below it
    ],
)
async def test_a_place_that_is_known_opens_there_at_once(
    world: World, place: dict[str, Any], grid: str, holder: str
) -> None:
    issue = await told(world, **place)
    case = await issue.case()
    assert (case["place"]["grid"], case["holder"]["id"]) == (grid, holder)
    told_by_phone = (await world.call("GET", f"/api/intake/issues/{issue.id}?code={issue.code}")).json()
    assert (told_by_phone["place"]["grid"], told_by_phone["told"]) == (grid, place)


@pytest.mark.parametrize(
    "place",
    [
        {"address": "和平"},
        {"address": "和平小区南门"},
        {"address": "和平小区9号楼1单元"},
        {"address": "和平小区1号楼对面"},
        {"address": "前进街道"},
        {"address": "集宁区"},
        {"address": "1号楼1单元"},
        {"lng": 113.3, "lat": 41.03},
    ],
)
async def test_a_place_that_fits_none_or_several_waits_at_the_district_desk(
    world: World, place: dict[str, Any]
) -> None:
    issue = await told(world, **place)
    case = await issue.case()
    assert (case["place"]["grid"], case["holder"]["id"]) == (None, "150902")


async def test_units_on_one_point_are_their_building(world: World) -> None:
    await world.sql(
        "UPDATE directory.grid SET lng = 113.1149, lat = 41.0335 WHERE code LIKE :units", units=f"{C}-L1-M1-S1-U_"
    )
    issue = await told(world, lng=113.1149, lat=41.0336)
    assert (await issue.case())["place"]["grid"] == f"{C}-L1-M1-S1"


async def test_an_emergency_told_by_address_rings_at_once(world: World) -> None:
    body = {
        "category": "SAF.gas",
        "text": "煤气味很大",
        "place": {"address": "和平小区1号楼2单元"},
        "phone": "13912360502",
    }
    answer = await world.call("POST", "/api/intake/issues", json=body)
    await world.settle()
    issue = Issue(world, **answer.json())
    assert await issue.holder() == "P010"
    assert {person for reason, person in await issue.told() if reason == "emergency"} >= {
        "P018",
        "P014",
        "P012",
    }
