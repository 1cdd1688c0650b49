"""Addresses as people write them, in one form."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.directory.domain.naming import Named, names_of
from shared.addresses import Address, canonical, parse

ROOM = Address("和平小区", "3号楼", "2单元")


@pytest.mark.parametrize(
    "text",
    [
        "和平小区3号楼2单元",
        "和平小区三号楼二单元",
        "和平小区第3栋第2单元",
        "和平小区 3 幢 2 单元 301",
        "和平小区３＃楼２单元３０１室",
        "和平小区3#2门",
        "和平小区3#-2-301",
        "和平小区3号楼2-301",
        "和平小区3-2-301",
        "和平小区3 2 301室",
        "和平小区03号楼02单元三楼左手",
        "和平小区3楼2单元",
        "和平小区，3号2单元，王家",
    ],
)
def test_usual_ways_to_write_a_unit_are_one(text: str) -> None:
    assert parse(text) == ROOM


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("和平小区十二号楼", Address("和平小区", "12号楼")),
        ("和平小区二十一栋301室", Address("和平小区", "21号楼")),
        ("和平小区a座1单元", Address("和平小区", "A号楼", "1单元")),
        ("河东片区一排二组", Address("河东片区", "1排", "2组")),
        ("河东片区第1排 12号", Address("河东片区", "1排")),
        ("东河村三组12号", Address("东河村")),
        ("和平小区院内", Address("和平小区")),
        ("和平小区东楼2单元", Address("和平小区东楼", None, "2单元")),
    ],
)
def test_what_is_less_than_a_unit_is_read_as_far_as_it_goes(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "和平小区3号楼2单元对面",
        "和平小区3号楼旁边的垃圾桶",
        "和平小区3号楼1、2单元",
        "和平小区3号楼1-2单元",
        "和平小区3号楼、4号楼",
        "和平小区3号楼到团结小区",
    ],
)
def test_what_is_near_or_more_than_one_place_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_floor_is_no_building_and_numerals_in_names_stay() -> None:
    assert parse("和平小区3楼301") == Address("和平小区3楼301")
    assert canonical("三和小区百合苑") == "三和小区百合苑"
    assert canonical("和平第一百零三网格") == "和平103网格"


def test_a_road_with_its_number_may_stand_before_the_compound() -> None:
    address = parse("新华街道解放路12号和平小区3号楼")
    assert address
    assert "新华街道和平小区" in address.heads


@given(st.text(max_size=200))
def test_whatever_is_written_is_read_without_an_error(text: str) -> None:
    address = parse(text)
    assert address is None or all(len(head) <= len(canonical(text)) for head in address.heads)


def test_a_grid_has_the_names_people_use() -> None:
    ids = [UUID(int=n) for n in range(5)]
    labels = [
        ("subdistrict", "前进街道"),
        ("community", "和平社区"),
        ("middle", "和平万和小区"),
        ("small", "和平万和小区三号楼"),
    ]
    grids = [Named(ids[n], level, False, label, ids[n - 1] if n else None) for n, (level, label) in enumerate(labels)]
    names: dict[UUID, dict[str, bool]] = {}
    for name in names_of(grids):
        names.setdefault(name.grid, {})[name.key] = name.short
    assert names[ids[0]] | {"前进街": True, "前进": True, "前进街道办事处": False} == names[ids[0]]
    assert names[ids[1]] | {"和平居委会": False, "和平": True} == names[ids[1]]
    assert names[ids[2]] == {"和平万和小区": False, "和平万和": True, "万和小区": False, "万和": True}
    assert names[ids[3]] == {"3号楼": False}
