"""The generated district has the numbers of the field report, and nobody in it is real."""

from collections import Counter

import pytest

from services.directory.domain.checks import parse
from services.directory.domain.generate import generate
from services.directory.domain.workbook import Workbook, to_sheets
from services.directory.files import mobile, small_district
from services.intake.catalogue import catalogue

SEATS = {"居民自治组织", "业委会", "物业", "社会组织", "志愿服务", "包联单位"}


@pytest.fixture(scope="module")
def seed() -> Workbook:
    return generate()


def level_of(workbook: Workbook) -> dict[str, str]:
    return {grid.code: grid.level for grid in workbook.grids}


def test_the_tree_has_the_numbers_of_the_report(seed: Workbook) -> None:
    urban = Counter(grid.level for grid in seed.grids if not grid.village)
    assert urban == {
        "district": 1,
        "subdistrict": 11,
        "community": 80,
        "large": 502,
        "middle": 1237,
        "small": 3786,
        "micro": 10653,
    }
    assert [(grid.code, grid.label) for grid in seed.grids if grid.level == "district"] == [("150902", "集宁区")]


def test_the_25_villages_have_no_grids(seed: Workbook) -> None:
    villages = {grid.code for grid in seed.grids if grid.village}
    assert len(villages) == 25
    assert not any(grid.parent in villages for grid in seed.grids)


def test_the_posts_have_the_numbers_of_the_report(seed: Workbook) -> None:
    level = level_of(seed)
    posts = Counter((level[post.grid], post.kind) for post in seed.posts)
    assert {key: posts[key] for key in posts if key[1] == "leader"} == {
        ("large", "leader"): 426,
        ("middle", "leader"): 778,
        ("small", "leader"): 3238,
        ("micro", "leader"): 10464,
    }
    assert {key: posts[key] for key in posts if key[1] == "party"} == {
        ("middle", "party"): 766,
        ("small", "party"): 1886,
        ("micro", "party"): 5192,
    }


def test_every_desk_is_manned_and_every_community_and_village_has_a_secretary(seed: Workbook) -> None:
    desks = Counter(post.grid for post in seed.posts if post.kind == "desk")
    secretaries = Counter(post.grid for post in seed.posts if post.kind == "secretary")
    for grid in seed.grids:
        if grid.level in ("district", "subdistrict", "community"):
            assert desks[grid.code] == (1 if grid.village else 2)
        if grid.level == "community":
            assert secretaries[grid.code] == 1


def test_hundreds_hold_two_posts_in_a_grid_and_hundreds_lead_at_two_levels(seed: Workbook) -> None:
    level = level_of(seed)
    leaders = {post.grid: post.person for post in seed.posts if post.kind == "leader"}
    both = sum(leaders.get(post.grid) == post.person for post in seed.posts if post.kind == "party")
    levels: dict[str, set[str]] = {}
    for grid, person in leaders.items():
        levels.setdefault(person, set()).add(level[grid])
    assert both > 300
    assert sum(len(found) > 1 for found in levels.values()) > 300


def test_5081_members_of_over_a_hundred_units_cover_781_compounds(seed: Workbook) -> None:
    kinds = Counter(binding.kind for binding in seed.bindings)
    assert (kinds["member"], kinds["unit"]) == (5081, 781)
    by_kind = {
        kind: [binding for binding in seed.bindings if binding.kind == kind] for kind in ("unit", "section", "member")
    }
    compounds = {binding.grid for binding in by_kind["unit"]}
    assert len(compounds) == 781
    assert len({binding.unit for binding in by_kind["unit"]}) > 100
    assert len({binding.person for binding in by_kind["member"]}) == 5081
    assert {binding.grid.rsplit("-", 1)[0] for binding in by_kind["section"]} == compounds
    assert {binding.grid.rsplit("-", 2)[0] for binding in by_kind["member"]} == compounds
    party = {person.no for person in seed.people if person.party}
    assert all(binding.person in party for binding in by_kind["member"])


def test_there_are_81_rooms_and_37_halls(seed: Workbook) -> None:
    kinds = Counter(venue.kind for venue in seed.venues)
    assert kinds["协商议事室"] == 81
    assert kinds["议事厅"] + kinds["长廊"] == 37


def test_there_are_single_storey_areas_beside_blocks(seed: Workbook) -> None:
    labels = {(grid.level, grid.kind): grid.label for grid in seed.grids if grid.level in ("middle", "small", "micro")}
    assert labels["middle", "courtyard"].endswith("片区")
    assert labels["small", "courtyard"].endswith("排组")
    assert labels["micro", "courtyard"].endswith("组")
    assert labels["middle", "block"].endswith("小区")
    assert labels["small", "block"].endswith("号楼")
    assert labels["micro", "block"].endswith("单元")


def test_every_item_is_some_departments_duty_and_every_department_has_officers(seed: Workbook) -> None:
    duties = {item for department in seed.departments for item in department.duties}
    assert {item.code for item in catalogue().items()} <= duties
    assert len(seed.departments) >= 10
    assert {officer.department for officer in seed.officers} == {d.code for d in seed.departments}
    people = {person.no: person for person in seed.people}
    assert all("wecom" in people[officer.person].channels for officer in seed.officers)


def test_most_communities_have_the_six_seats_and_only_owners_are_ever_missing(seed: Workbook) -> None:
    seats: dict[str, set[str]] = {}
    for seat in seed.seats:
        seats.setdefault(seat.grid, set()).add(seat.kind)
    urban = [grid.code for grid in seed.grids if grid.level == "community" and not grid.village]
    missing = [SEATS - seats[code] for code in urban]
    assert all(absent <= {"业委会"} for absent in missing)
    assert 5 < sum(bool(absent) for absent in missing) < 40


def test_phones_are_fictitious_and_unlike_those_of_the_small_district(seed: Workbook) -> None:
    phones = [person.phone for person in seed.people if person.phone]
    assert len(phones) == len(set(phones))
    assert all(phone.startswith("+861990") and mobile(phone) == phone for phone in phones)
    assert not set(phones) & {person.phone for person in small_district().people}
    assert len({person.no for person in seed.people}) == len(seed.people)
    assert not {p.no for p in seed.people} & {p.no for p in small_district().people}


def test_six_of_ten_are_on_wechat_and_a_few_cannot_be_reached(seed: Workbook) -> None:
    channels = Counter(person.channels for person in seed.people)
    assert 0.55 < channels["wechat", "sms"] / len(seed.people) < 0.65
    assert 0 < channels[()] / len(seed.people) < 0.03


def test_the_same_seed_gives_the_same_district_and_another_one_another(seed: Workbook) -> None:
    assert generate() == seed
    assert generate(2).people != seed.people


def test_the_generated_district_is_a_good_workbook(seed: Workbook) -> None:
    assert parse(to_sheets(seed), mobile) == seed
