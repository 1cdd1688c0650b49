"""Importing a district: all of it or nothing, and what a second workbook does to the first."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from services.directory.domain.generate import generate
from services.directory.domain.workbook import BadWorkbook, Person, Workbook
from services.directory.files import small_district
from shared.embedded import Endpoints
from tests.integration.directory import District, empty_district
from tests.world import KEYS

C = "150902-01-01"
U1 = f"{C}-L1-M1-S1-U1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(instance: Endpoints) -> AsyncIterator[District]:
    async with empty_district(instance) as found:
        yield found


@pytest_asyncio.fixture
async def district(database: District) -> District:
    await database.start_over()
    return database


def without_grids(workbook: Workbook, *codes: str) -> Workbook:
    """The workbook without these grids and what refers to them."""
    return replace(
        workbook,
        grids=tuple(grid for grid in workbook.grids if grid.code not in codes),
        posts=tuple(post for post in workbook.posts if post.grid not in codes),
        bindings=tuple(binding for binding in workbook.bindings if binding.grid not in codes),
        venues=tuple(venue for venue in workbook.venues if venue.grid not in codes),
    )


def without_person(workbook: Workbook, no: str) -> Workbook:
    return replace(
        workbook,
        people=tuple(person for person in workbook.people if person.no != no),
        posts=tuple(post for post in workbook.posts if post.person != no),
    )


def with_person(workbook: Workbook, person: Person) -> Workbook:
    kept = tuple(other for other in workbook.people if other.no != person.no)
    return replace(workbook, people=(*kept, person))


async def snapshot(district: District) -> list[object]:
    """Everything an import could change, without the personal data that is sealed anew each time."""
    tables = ("grid", "path", "person", "post", "department", "duty", "officer", "seat", "venue", "absence")
    content: list[object] = [
        sorted(map(str, await district.rows(f"SELECT * FROM directory.{table}"))) for table in tables
    ]
    content.append(await district.rows("SELECT id, phone_index FROM vault.person ORDER BY id"))
    content.append(await district.rows("SELECT * FROM vault.channel ORDER BY person, channel"))
    content.append(await district.rows("SELECT kind, unit, person, grid FROM directory.binding ORDER BY grid"))
    return content


async def test_the_seed_district_is_in_the_database_in_the_numbers_of_the_report(instance: Endpoints) -> None:
    async with empty_district(instance) as district:
        started = time.monotonic()
        report = await district.load(generate())
        assert time.monotonic() - started < 15
        assert (report.grids, report.venues, report.voided) == (16295, 118, 0)
        grids = await district.rows(
            "SELECT level, village, count(*) FROM directory.v1_grid WHERE void_at IS NULL GROUP BY 1, 2"
        )
        assert {(level, village): count for level, village, count in grids} == {
            ("district", False): 1,
            ("subdistrict", False): 11,
            ("community", False): 80,
            ("community", True): 25,
            ("large", False): 502,
            ("middle", False): 1237,
            ("small", False): 3786,
            ("micro", False): 10653,
        }
        posts = await district.rows(
            "SELECT p.kind, g.rank, count(*) FROM directory.v1_post p JOIN directory.v1_grid g ON g.id = p.grid"
            " WHERE p.kind IN ('leader', 'party') GROUP BY 1, 2"
        )
        assert {(kind, rank): count for kind, rank, count in posts} == {
            ("leader", 4): 426,
            ("leader", 3): 778,
            ("leader", 2): 3238,
            ("leader", 1): 10464,
            ("party", 3): 766,
            ("party", 2): 1886,
            ("party", 1): 5192,
        }
        bindings = dict(await district.rows("SELECT kind, count(DISTINCT person) FROM directory.v1_binding GROUP BY 1"))
        assert bindings["member"] == 5081
        assert await district.scalar("SELECT count(DISTINCT grid) FROM directory.v1_binding WHERE kind = 'unit'") == 781
        assert await district.scalar("SELECT count(*) FROM directory.v1_path WHERE rank = 7") == 16295
        await every_look_up_is_by_index(district)


async def every_look_up_is_by_index(district: District) -> None:
    """A climb asks these for each of 100,000 cases: a scan of a whole table would be the end of it."""
    plan = await district.rows(
        """
        EXPLAIN SELECT n.* FROM (SELECT id FROM directory.v1_grid WHERE level = 'micro' LIMIT 2000) c
        CROSS JOIN LATERAL (
          SELECT k.person FROM directory.v1_path p
            JOIN directory.v1_candidate k ON k.grid = p.up
            LEFT JOIN directory.v1_absence a ON a.person = k.person
           WHERE p.grid = c.id AND p.rank > 1
             AND EXISTS (SELECT FROM directory.v1_reachable r WHERE r.person = k.person)
           ORDER BY p.rank, k.ord LIMIT 1) n
        """
    )
    lines = [line for (line,) in plan]
    scanned = [line for line in lines if "Seq Scan" in line and " on grid" not in line]
    assert not scanned, "\n".join(lines)


async def test_a_path_holds_every_grid_above_and_the_grid_itself(district: District) -> None:
    rows = await district.rows(
        "SELECT p.rank, up.code FROM directory.v1_path p JOIN directory.v1_grid up ON up.id = p.up"
        " WHERE p.grid = :grid ORDER BY p.rank",
        grid=await district.grid(U1),
    )
    assert [tuple(row) for row in rows] == [
        (1, U1),
        (2, f"{C}-L1-M1-S1"),
        (3, f"{C}-L1-M1"),
        (4, f"{C}-L1"),
        (5, C),
        (6, "150902-01"),
        (7, "150902"),
    ]


@pytest.mark.parametrize(
    ("code", "candidates"),
    [
        (U1, [(1, "person", "P016"), (2, "person", "P017")]),
        (f"{C}-L1-M1-S1-U3", []),
        (f"{C}-L2", [(2, "person", "P011")]),
        (C, [(3, "desk", None)]),
        ("150902-01-02", [(3, "desk", None)]),
    ],
)
async def test_candidates_are_the_leader_then_the_party_post_then_the_desk(
    district: District, code: str, candidates: list[tuple[int, str, str | None]]
) -> None:
    rows = await district.rows(
        "SELECT c.ord, c.kind, p.no FROM directory.v1_candidate c"
        " LEFT JOIN directory.v1_person p ON p.id = c.person WHERE c.grid = :grid ORDER BY c.ord",
        grid=await district.grid(code),
    )
    assert [tuple(row) for row in rows] == candidates


async def test_a_community_without_anybody_at_its_desk_still_has_the_desk(district: District) -> None:
    await district.rows("DELETE FROM directory.post WHERE kind = 'desk'")
    assert await district.scalar("SELECT count(*) FROM directory.v1_candidate WHERE kind = 'desk'") == 4


async def test_a_desk_below_community_counts_only_where_somebody_sits(district: District) -> None:
    grid, person = await district.grid(f"{C}-L1"), await district.person("P003")
    await district.rows("INSERT INTO directory.post VALUES (:grid, 'desk', :person)", grid=grid, person=person)
    rows = await district.rows(
        "SELECT c.ord, c.kind, c.person FROM directory.v1_candidate c WHERE c.grid = :grid ORDER BY 1", grid=grid
    )
    assert [tuple(row) for row in rows] == [(1, "person", await district.person("P010")), (3, "desk", None)]


async def test_who_has_no_channel_is_not_reachable(district: District) -> None:
    unreachable = await district.rows(
        "SELECT no FROM directory.v1_person p"
        " WHERE NOT EXISTS (SELECT FROM directory.v1_reachable r WHERE r.person = p.id)"
    )
    assert [row.no for row in unreachable] == ["P021"]


async def test_an_import_tells_one_event_about_the_district(district: District) -> None:
    root = await district.grid("150902")
    assert await district.events("district.imported") == [(root, 1, {"district": str(root), "grids_voided": 0})]


async def test_the_same_workbook_again_changes_nothing(district: District) -> None:
    before = await snapshot(district)
    report = await district.load(small_district())
    assert report.voided == 0
    assert await snapshot(district) == before


async def test_a_grid_missing_from_a_later_workbook_is_voided_and_the_way_up_from_it_stays(
    district: District,
) -> None:
    gone = (f"{C}-L1-M1-S2", f"{C}-L1-M1-S2-U1", f"{C}-L1-M1-S2-U2")
    ids = [await district.grid(code) for code in gone]
    report = await district.load(without_grids(small_district(), *gone))
    assert report.voided == 3
    (*_, (_, seq, data)) = await district.events("district.imported")
    assert (seq, data["grids_voided"]) == (2, 3)
    way = await district.rows("SELECT rank FROM directory.v1_path WHERE grid = :grid ORDER BY rank", grid=ids[1])
    assert [row.rank for row in way] == [3, 4, 5, 6, 7]
    assert not await district.rows("SELECT 1 FROM directory.v1_path WHERE up = ANY(:ids)", ids=ids)
    assert not await district.rows("SELECT 1 FROM directory.v1_candidate WHERE grid = ANY(:ids)", ids=ids)
    assert await district.scalar("SELECT count(*) FROM directory.v1_grid WHERE void_at IS NOT NULL") == 3


async def test_a_voided_code_in_a_later_workbook_is_refused_and_nothing_changes(district: District) -> None:
    await district.load(without_grids(small_district(), U1))
    before = await snapshot(district)
    with pytest.raises(BadWorkbook) as refused:
        await district.load(with_person(small_district(), Person("P099", "新来的", "+8619900000099")))
    assert [(fault.sheet, fault.row, fault.column) for fault in refused.value.rows] == [("网格", 10, "编码")]
    assert await snapshot(district) == before
    assert len(await district.events("district.imported")) == 2


async def test_people_are_matched_by_number_and_keep_their_id(district: District) -> None:
    person = await district.person("P016")
    moved = Person("P016", "一单元长", "+8619900000077", channels=("sms",))
    await district.load(with_person(small_district(), moved))
    assert await district.person("P016") == person
    assert await find(district, "+8619900000077") == person
    assert await find(district, "+8619900000016") is None


async def test_a_new_number_with_the_phone_of_a_known_resident_is_that_resident(district: District) -> None:
    resident = await report_as(district, "+8619900000088")
    await district.load(with_person(small_district(), Person("P088", "新邻居", "+8619900000088", channels=("sms",))))
    assert await district.person("P088") == resident


async def test_two_people_may_swap_their_phones(district: District) -> None:
    one, two = await district.person("P001"), await district.person("P002")
    workbook = with_person(small_district(), Person("P001", "总值班", "+8619900000002", channels=("sms",)))
    await district.load(with_person(workbook, Person("P002", "街道值班", "+8619900000001", channels=("sms",))))
    assert (await find(district, "+8619900000002"), await find(district, "+8619900000001")) == (one, two)


async def test_a_phone_that_a_resident_had_goes_to_whom_the_workbook_says(district: District) -> None:
    resident = await report_as(district, "+8619900000066")
    leader = await district.person("P016")
    await district.load(with_person(small_district(), Person("P016", "一单元长", "+8619900000066", channels=("sms",))))
    assert await find(district, "+8619900000066") == leader
    assert await district.rows("SELECT 1 FROM vault.person WHERE id = :id", id=resident)


async def test_who_is_not_in_the_workbook_any_more_is_gone_but_still_has_a_name(district: District) -> None:
    person = await district.person("P016")
    await district.rows(
        "INSERT INTO directory.absence VALUES (:one, now(), now() + interval '1 day', NULL),"
        " (:two, now(), now() + interval '1 day', :one)",
        one=person,
        two=await district.person("P018"),
    )
    await district.load(without_person(small_district(), "P016"))
    assert await district.person("P016") == person
    assert await district.scalar("SELECT gone_at IS NOT NULL FROM directory.v1_person WHERE no = 'P016'")
    assert not await district.rows("SELECT 1 FROM directory.v1_post WHERE person = :person", person=person)
    left = await district.rows("SELECT person, stand_in FROM directory.v1_absence")
    assert [tuple(row) for row in left] == [(await district.person("P018"), None)]
    await district.load(small_district())
    assert await district.person("P016") == person
    assert await district.scalar("SELECT gone_at IS NULL FROM directory.v1_person WHERE no = 'P016'")


async def test_a_dead_address_stays_dead_until_it_changes(district: District) -> None:
    person = await district.person("P016")
    await district.rows("SELECT vault.v1_drop_address(:person, 'sms', 'MOBILE_NUMBER_ILLEGAL')", person=person)
    await district.load(small_district())
    working = "SELECT channel FROM vault.channel WHERE person = :person AND dead_at IS NULL ORDER BY ord"
    assert [row.channel for row in await district.rows(working, person=person)] == ["wechat"]
    await district.load(
        with_person(
            small_district(),
            Person("P016", "一单元长", "+8619900000078", openid="oTEST0016", channels=("wechat", "sms")),
        )
    )
    assert [row.channel for row in await district.rows(working, person=person)] == ["wechat", "sms"]


async def test_a_venue_keeps_its_id_and_one_that_is_missing_is_void(district: District) -> None:
    venues = dict(await district.rows("SELECT code, id FROM directory.v1_venue"))
    await district.load(replace(small_district(), venues=small_district().venues[:1]))
    rows = await district.rows("SELECT code, id, void_at IS NULL FROM directory.v1_venue ORDER BY code")
    assert [tuple(row) for row in rows] == [("V1", venues["V1"], True), ("V2", venues["V2"], False)]


async def find(district: District, phone: str) -> object:
    return await district.scalar("SELECT vault.v1_find_phone(:index)", index=KEYS.phone_index(phone))


async def report_as(district: District, phone: str) -> object:
    """The id of a resident who reports for the first time."""
    return await district.scalar(
        "SELECT vault.v1_person_by_phone(:index, 'key', 'sealed')", index=KEYS.phone_index(phone)
    )
