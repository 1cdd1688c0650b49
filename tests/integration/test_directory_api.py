"""The directory's HTTP: the tree, posts, absences, departments, and who may do what."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.directory.files import small_district
from shared.db import LADDER_SHARED, transaction
from shared.embedded import Endpoints
from tests.integration.directory import District, empty_district

C = "150902-01-01"
U1, U2, U3 = (f"{C}-L1-M1-S1-U{number}" for number in (1, 2, 3))
RESIDENT = UUID("01a20c71-dece-728a-934a-4d1a8bc47d2b")
AWAY = {"from": "2026-11-24T08:00:00+08:00", "to": "2026-11-30T18:00:00+08:00"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(instance: Endpoints) -> AsyncIterator[District]:
    async with empty_district(instance) as found:
        yield found


@pytest_asyncio.fixture
async def district(database: District) -> District:
    await database.start_over()
    return database


async def codes(district: District, query: str) -> list[str]:
    answer = await district.call("GET", f"/grids?{query}", "P003")
    assert answer.status_code == 200, answer.text
    return [grid["code"] for grid in answer.json()["items"]]


# -- the tree -------------------------------------------------------------------------------------------
async def test_a_grid_tells_its_place_in_the_tree_and_who_holds_its_posts(district: District) -> None:
    answer = await district.call("GET", f"/grids/{C}-L1-M1-S1-U1", "P003")
    assert answer.status_code == 200
    assert answer.json() == {
        "code": U1,
        "level": "micro",
        "village": False,
        "label": "1号楼1单元",
        "kind": "block",
        "path": f"150902/150902-01/{C}/{C}-L1/{C}-L1-M1/{C}-L1-M1-S1/{U1}",
        "parent": f"{C}-L1-M1-S1",
        "posts": [{"kind": "leader", "person": "P016"}, {"kind": "party", "person": "P017"}],
    }


@pytest.mark.parametrize(
    ("code", "posts"),
    [
        (U2, [("leader", "P018"), ("party", None)]),
        (C, [("desk", "P003"), ("desk", "P004"), ("secretary", "P005")]),
        ("150902-01-02", [("desk", "P006"), ("secretary", None)]),
    ],
)
async def test_a_post_that_nobody_holds_is_null(
    district: District, code: str, posts: list[tuple[str, str | None]]
) -> None:
    answer = (await district.call("GET", f"/grids/{code}", "P003")).json()
    assert [(post["kind"], post["person"]) for post in answer["posts"]] == posts


async def test_a_resident_reads_a_grid_without_the_persons(district: District) -> None:
    answer = await district.call("GET", f"/grids/{U1}", RESIDENT)
    assert (answer.status_code, answer.json()["label"], answer.json()["posts"]) == (200, "1号楼1单元", [])


@pytest.mark.parametrize("code", ["150902-99", "%00", "..", "1" * 500])
async def test_an_unknown_grid_is_404(district: District, code: str) -> None:
    assert (await district.call("GET", f"/grids/{code}", "P003")).status_code == 404


async def test_a_void_grid_is_404(district: District) -> None:
    await district.rows("UPDATE directory.grid SET void_at = clock_now() WHERE code = :code", code=U3)
    assert (await district.call("GET", f"/grids/{U3}", "P003")).status_code == 404
    assert U3 not in await codes(district, "level=micro")


async def test_grids_are_listed_by_parent_and_level(district: District) -> None:
    assert await codes(district, f"parent={C}") == [f"{C}-L1", f"{C}-L2"]
    assert await codes(district, f"parent={C}-L1&level=middle") == [f"{C}-L1-M1", f"{C}-L1-M2"]
    assert len(await codes(district, "")) == 20


async def test_vacant_grids_are_those_with_nobody_who_could_take_a_case(district: District) -> None:
    assert await codes(district, "vacant=true") == [U3, f"{C}-L1-M2"]
    assert len(await codes(district, "vacant=false")) == 18


async def test_a_list_goes_on_where_the_last_page_ended(district: District) -> None:
    found: list[str] = []
    query = "?limit=7"
    while query:
        body = (await district.call("GET", f"/grids{query}", "P003")).json()
        assert len(body["items"]) <= 7
        found += [grid["code"] for grid in body["items"]]
        query = f"?limit=7&cursor={body['next']}" if body["next"] else ""
    assert found == [grid.code for grid in small_district().grids]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("parent=150902-99", "parent"),
        ("level=室", "level"),
        ("vacant=maybe", "vacant"),
        ("cursor=!!", "cursor"),
        ("cursor=WzFd", "cursor"),
        ("limit=0", "limit"),
    ],
)
async def test_an_unknown_value_of_a_filter_is_422(district: District, query: str, field: str) -> None:
    answer = await district.call("GET", f"/grids?{query}", "P003")
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [["query", field]]


async def test_departments_are_listed_with_their_load(district: District) -> None:
    answer = (await district.call("GET", "/departments?limit=2", "command")).json()
    assert answer["items"] == [
        {"code": "CITY", "label": "城市管理综合执法局", "load": 0},
        {"code": "HOUSING", "label": "住房和城乡建设局", "load": 0},
    ]
    rest = (await district.call("GET", f"/departments?cursor={answer['next']}", "P003")).json()
    assert ([item["code"] for item in rest["items"]], rest["next"]) == (["WATER"], None)


# -- absences -------------------------------------------------------------------------------------------
async def absence(district: District, who: str | UUID | None, no: str = "P016", **changes: Any) -> Any:
    return await district.call("PUT", f"/people/{no}/absence", who, json={**AWAY, **changes})


@pytest.mark.parametrize("who", ["P016", "P003", "P004", "P002", "P001", "admin"])
async def test_an_absence_is_set_by_the_person_the_desks_above_and_the_administrator(
    district: District, who: str
) -> None:
    answer = await absence(district, who, stand_in="P018")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "person": "P016",
        "from": "2026-11-24T00:00:00+00:00",
        "to": "2026-11-30T10:00:00+00:00",
        "stand_in": "P018",
    }
    person, stand_in = await district.person("P016"), await district.person("P018")
    rows = await district.rows("SELECT person, stand_in FROM directory.v1_absence")
    assert [tuple(row) for row in rows] == [(person, stand_in)]
    assert await district.events("absence.changed") == [(person, 1, {"person": str(person)})]


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (None, 401),
        (RESIDENT, 404),
        ("P006", 404),  # the desk of another village
        ("P030", 404),  # an officer of a department
        ("P018", 404),  # the leader next door
        ("P014", 403),  # the leader above, who is no desk
        ("P017", 403),  # the party post of the same grid
        ("P005", 403),  # the secretary of the community
        ("command", 403),
        ("auditor", 403),
        ("arbiter", 403),
    ],
)
async def test_nobody_else_sets_an_absence(district: District, who: str | UUID | None, status: int) -> None:
    assert (await absence(district, who)).status_code == status
    assert (await district.call("DELETE", "/people/P016/absence", who)).status_code == status
    assert (await absence(district, who, to="rubbish", more="x")).status_code == status
    assert not await district.rows("SELECT 1 FROM directory.v1_absence")


async def test_the_absence_of_nobody_is_404(district: District) -> None:
    assert (await absence(district, "admin", no="P999")).status_code == 404
    assert (await absence(district, "admin", no=str(RESIDENT))).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": AWAY["from"]}, "to"),
        ({"to": "2026-11-30T18:00:00"}, "to"),
        ({"from": "tomorrow"}, "from"),
        ({"from": None}, "from"),
        ({"stand_in": "P999"}, "stand_in"),
        ({"stand_in": "P016"}, "stand_in"),
        ({"stand_in": "P0\x0016"}, "stand_in"),
        ({"stand_in": ""}, "stand_in"),
        ({"why": "holiday"}, "why"),
    ],
)
async def test_a_bad_absence_is_422_and_names_the_field(
    district: District, changes: dict[str, Any], field: str
) -> None:
    answer = await absence(district, "P016", **changes)
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [["body", field]]
    assert not await district.rows("SELECT 1 FROM directory.v1_absence")


async def test_an_absence_is_replaced_and_lifted(district: District) -> None:
    await absence(district, "P016", stand_in="P018")
    await absence(district, "P016")
    rows = await district.rows("SELECT stand_in FROM directory.v1_absence")
    assert [row.stand_in for row in rows] == [None]
    for _ in range(2):
        assert (await district.call("DELETE", "/people/P016/absence", "P016")).status_code == 200
    assert not await district.rows("SELECT 1 FROM directory.v1_absence")
    assert [seq for _, seq, _ in await district.events("absence.changed")] == [1, 2, 3]


async def test_the_same_key_gives_the_first_answer_and_does_it_once(district: District) -> None:
    for _ in range(2):
        answer = await district.call("PUT", "/people/P016/absence", "P016", key="k1", json=AWAY)
        assert answer.status_code == 200
    assert len(await district.events("absence.changed")) == 1
    other = {**AWAY, "stand_in": "P018"}
    assert (await district.call("PUT", "/people/P016/absence", "P016", key="k1", json=other)).status_code == 422


# -- posts ----------------------------------------------------------------------------------------------
async def put_post(district: District, who: str | UUID | None, code: str, kind: str, no: str | None) -> Any:
    return await district.call("PUT", f"/grids/{code}/posts/{kind}", who, json={"person": no})


@pytest.mark.parametrize("who", ["admin", "command"])
async def test_a_post_is_given_to_somebody_else_and_the_former_holder_leaves_it(district: District, who: str) -> None:
    grid, old, new = await district.grid(U1), await district.person("P016"), await district.person("P018")
    answer = await put_post(district, who, U1, "leader", "P018")
    assert answer.status_code == 200, answer.text
    assert answer.json()["posts"][0] == {"kind": "leader", "person": "P018"}
    assert await district.events("post.changed") == [
        (grid, 1, {"grid": str(grid), "kind": "leader", "person": str(old), "now": str(new)})
    ]


async def test_a_post_becomes_vacant_and_is_filled_again(district: District) -> None:
    assert (await put_post(district, "admin", U1, "leader", None)).json()["posts"][0]["person"] is None
    assert (await put_post(district, "admin", U1, "leader", None)).status_code == 200
    assert (await put_post(district, "admin", U1, "leader", "P016")).status_code == 200
    assert (await put_post(district, "admin", U1, "leader", "P016")).status_code == 200
    person = str(await district.person("P016"))
    changes = [(seq, data["person"], data["now"]) for _, seq, data in await district.events("post.changed")]
    assert changes == [(1, person, None), (2, None, person)]


async def test_a_desk_given_to_one_person_is_left_by_the_others(district: District) -> None:
    answer = await put_post(district, "command", C, "desk", "P004")
    assert [post for post in answer.json()["posts"] if post["kind"] == "desk"] == [{"kind": "desk", "person": "P004"}]
    assert [data["person"] for _, _, data in await district.events("post.changed")] == [
        str(await district.person("P003"))
    ]


@pytest.mark.parametrize(
    ("who", "status"),
    [(None, 401), (RESIDENT, 403), ("P003", 403), ("P010", 403), ("auditor", 403), ("arbiter", 403)],
)
async def test_nobody_else_gives_posts(district: District, who: str | UUID | None, status: int) -> None:
    assert (await put_post(district, who, U1, "leader", "P018")).status_code == status
    assert (await put_post(district, who, U1, "king", "P999")).status_code == status
    assert not await district.events("post.changed")


async def test_refusals_come_in_order(district: District) -> None:
    assert (await put_post(district, None, "150902-99", "leader", "P999")).status_code == 401
    assert (await put_post(district, "P003", "150902-99", "leader", "P999")).status_code == 404
    assert (await put_post(district, "P003", U1, "leader", "P999")).status_code == 403
    assert (await put_post(district, "admin", U1, "leader", "P999")).status_code == 422


@pytest.mark.parametrize(
    ("kind", "body", "loc"),
    [
        ("king", {"person": "P016"}, ["path", "kind"]),
        ("secretary", {"person": "P016"}, ["path", "kind"]),
        ("leader", {"person": "P999"}, ["body", "person"]),
        ("leader", {"person": 16}, ["body", "person"]),
        ("leader", {}, ["body", "person"]),
        ("leader", {"person": None, "note": "x"}, ["body", "note"]),
    ],
)
async def test_a_bad_post_is_422_and_names_the_field(
    district: District, kind: str, body: dict[str, Any], loc: list[str]
) -> None:
    answer = await district.call("PUT", f"/grids/{U1}/posts/{kind}", "admin", json=body)
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [loc]


async def test_a_change_of_posts_waits_for_whoever_opens_a_hop(district: District) -> None:
    """Otherwise the hop would go to someone who has just left."""
    async with transaction(district.owner) as opening:
        await opening.execute(LADDER_SHARED)
        change = asyncio.create_task(put_post(district, "admin", U1, "leader", "P018"))
        done, _ = await asyncio.wait({change}, timeout=0.5)
        assert not done
    assert (await change).status_code == 200
