"""Changes to the tree, one grid at a time: split, moved, merged, voided; and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.directory.exporting import export_workbook
from services.directory.files import small_district
from services.directory.importing import import_workbook
from shared.embedded import Endpoints
from tests.integration.directory import District, empty_district
from tests.world import KEYS

C = "150902-01-01"
M1, M2, S1, S2 = f"{C}-L1-M1", f"{C}-L1-M2", f"{C}-L1-M1-S1", f"{C}-L1-M1-S2"
U1, U2, U3 = (f"{S1}-U{n}" for n in (1, 2, 3))
NEW = {"code": f"{C}-L1-M1-S3", "level": "small", "label": "3号楼", "parent": M1}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(instance: Endpoints) -> AsyncIterator[District]:
    async with empty_district(instance) as found:
        yield found


@pytest_asyncio.fixture
async def district(database: District) -> District:
    await database.start_over()
    return database


async def add(district: District, who: str | None = "admin", **changes: Any) -> Any:
    return await district.call("POST", "/grids", who, json={**NEW, **changes})


async def move(district: District, code: str, parent: str, who: str | None = "command", **more: Any) -> Any:
    return await district.call("PUT", f"/grids/{code}", who, json={"parent": parent, **more})


async def void(district: District, code: str, into: str | None = None, who: str | None = "admin") -> Any:
    return await district.call("POST", f"/grids/{code}/void", who, json={"into": into} if into else {})


async def up(district: District, code: str) -> list[str]:
    """What lies on the way up from a grid, itself included, lowest first."""
    rows = await district.rows(
        "SELECT u.code FROM directory.v1_path p JOIN directory.v1_grid g ON g.id = p.grid"
        " JOIN directory.v1_grid u ON u.id = p.up WHERE g.code = :code ORDER BY p.rank",
        code=code,
    )
    return [row.code for row in rows]


async def changes(district: District) -> list[tuple[str, str]]:
    told = await district.events("grid.changed")
    codes = {row.id: row.code for row in await district.rows("SELECT id, code FROM directory.v1_grid")}
    return [(codes[subject], data["how"]) for subject, _, data in told]


async def state(district: District) -> list[Any]:
    """Everything a change of the tree could have touched."""
    found: list[Any] = []
    for table in ("grid", "path", "post", "seat", "venue", "binding", "name"):
        found += sorted(map(repr, await district.rows(f"SELECT * FROM directory.{table}")))
    return found


# -- what is done -----------------------------------------------------------------------------------------
async def test_a_grid_is_split_the_new_one_takes_some_of_its_children(district: District) -> None:
    answer = await add(district, takes=[U2, U3])
    assert answer.status_code == 201, answer.text
    assert (answer.json()["code"], answer.json()["parent"]) == (NEW["code"], M1)
    assert await up(district, U2) == [U2, NEW["code"], M1, f"{C}-L1", C, "150902-01", "150902"]
    assert await up(district, U1) == [U1, S1, M1, f"{C}-L1", C, "150902-01", "150902"]
    assert await changes(district) == [(NEW["code"], "added"), (U2, "moved"), (U3, "moved")]
    shown = (await district.call("GET", f"/grids/{U2}", "P003")).json()
    assert shown["path"].endswith(f"{M1}/{NEW['code']}/{U2}")


async def test_a_grid_moves_with_all_that_lies_below_it(district: District) -> None:
    answer = await move(district, S1, M2, label="7号楼")
    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "7号楼"
    assert (await up(district, U1))[:4] == [U1, S1, M2, f"{C}-L1"]
    assert await changes(district) == [(S1, "moved")]


async def test_a_merged_grid_s_place_climbs_along_the_other_s_path(district: District) -> None:
    assert (await void(district, S1, S2)).status_code == 200
    assert await up(district, S1) == [S2, M1, f"{C}-L1", C, "150902-01", "150902"]
    assert (await up(district, U1))[:3] == [U1, S2, M1]
    assert (await district.call("GET", f"/grids/{S1}", "P003")).status_code == 404
    assert not await district.rows("SELECT 1 FROM directory.v1_post WHERE grid = :id", id=await district.grid(S1))
    # And follows it wherever it goes from there.
    assert (await move(district, S2, M2)).status_code == 200
    assert (await up(district, S1))[:2] == [S2, M2]


async def test_a_merged_grid_s_bindings_seats_and_rooms_go_along(district: District) -> None:
    assert (await void(district, U1, U2)).status_code == 200
    rows = await district.rows("SELECT g.code FROM directory.v1_binding b JOIN directory.v1_grid g ON g.id = b.grid")
    assert U2 in [row.code for row in rows]
    assert U1 not in [row.code for row in rows]


async def test_a_voided_grid_s_place_climbs_on(district: District) -> None:
    assert (await void(district, U1)).status_code == 200
    assert (await up(district, U1))[:2] == [S1, M1]
    assert await changes(district) == [(U1, "voided")]


async def test_an_address_names_what_the_tree_is_now(district: District) -> None:
    assert (await add(district, label="9号楼", takes=[U2])).status_code == 201
    rows = await district.rows("SELECT key FROM directory.name WHERE grid = :id", id=await district.grid(NEW["code"]))
    alike = await district.rows("SELECT key FROM directory.name WHERE grid = :id", id=await district.grid(S1))
    assert len(rows) == len(alike) == 1
    assert (await void(district, U3)).status_code == 200
    assert not await district.rows("SELECT 1 FROM directory.name WHERE grid = :id", id=await district.grid(U3))


async def test_the_district_after_all_that_is_exported_and_imports_as_no_change(district: District) -> None:
    for answer in (await add(district, takes=[U2]), await void(district, U1, U3), await move(district, S2, M2)):
        assert answer.status_code in (200, 201), answer.text
    before = await state(district)
    report = await import_workbook(district.owner, KEYS, await export_workbook(district.owner, KEYS), lambda _: None)
    assert report.voided == 0

    def plain(rows: list[Any]) -> list[Any]:  # rows of bindings are numbered anew
        return sorted(row for row in rows if "'member'" not in row and "'unit'" not in row and "'section'" not in row)

    assert plain(await state(district)) == plain(before)


async def test_what_was_merged_stays_merged_when_a_workbook_voids_the_other(district: District) -> None:
    assert (await void(district, U1, U2)).status_code == 200
    book = await export_workbook(district.owner, KEYS)
    kept = {
        name: tuple(row for row in getattr(book, name) if row.grid != U2)
        for name in ("posts", "seats", "venues", "bindings")
    }
    grids = tuple(grid for grid in book.grids if grid.code != U2)
    await import_workbook(district.owner, KEYS, type(book)(**{**vars_of(book), **kept, "grids": grids}), lambda _: None)
    assert (await up(district, U1))[:2] == [S1, M1]


def vars_of(book: Any) -> dict[str, Any]:
    return {name: getattr(book, name) for name in book.__dataclass_fields__}


async def test_a_code_that_a_workbook_brings_back_is_refused_after_a_void(district: District) -> None:
    assert (await void(district, U1)).status_code == 200
    with pytest.raises(Exception, match="faults"):
        await district.load(small_district())


# -- what is refused --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"code": S1}, ["body", "code"]),  # exists
        ({"code": U3}, ["body", "code"]),  # was voided
        ({"code": "3号楼"}, ["body", "code"]),
        ({"parent": "150902-99"}, ["body", "parent"]),
        ({"parent": U3}, ["body", "parent"]),  # was voided
        ({"parent": U1}, ["body", "parent"]),  # a building in a stairway
        ({"parent": "150902-01-02", "level": "large"}, ["body", "parent"]),  # a village has no grids
        ({"level": "district"}, ["body", "level"]),
        ({"level": "hamlet"}, ["body", "level"]),
        ({"label": " "}, ["body", "label"]),
        ({"label": "楼" * 61}, ["body", "label"]),
        ({"village": True}, ["body", "village"]),
        ({"lng": 113.1}, ["body", "lat"]),
        ({"lng": 181, "lat": 41}, ["body", "lng"]),
        ({"households": -1}, ["body", "households"]),
        ({"takes": [U2, "150902-99"]}, ["body", "takes", 1]),
        ({"takes": [M1]}, ["body", "takes", 0]),
        ({"takes": [U3]}, ["body", "takes", 0]),  # was voided
        ({"size": 3}, ["body", "size"]),
    ],
)
async def test_a_bad_grid_is_422_names_the_field_and_changes_nothing(
    district: District, body: dict[str, Any], loc: list[Any]
) -> None:
    assert (await void(district, U3)).status_code == 200
    before = await state(district)
    answer = await add(district, **body)
    assert answer.status_code == 422, answer.text
    assert [error["loc"] for error in answer.json()["errors"]] == [loc]
    assert await state(district) == before
    assert len(await changes(district)) == 1


@pytest.mark.parametrize(
    ("code", "parent", "loc"),
    [
        (M1, S1, ["body", "parent"]),  # a circle
        (M1, M1, ["body", "parent"]),
        (S1, U1, ["body", "parent"]),
        (S1, "150902-99", ["body", "parent"]),
        (S1, U3, ["body", "parent"]),
        (S1, "150902-01", ["body", "parent"]),  # not directly under a subdistrict
        ("150902", "150902-01", ["path", "code"]),
        (U3, S2, ["path", "code"]),
    ],
)
async def test_a_circle_or_another_bad_parent_is_422_and_changes_nothing(
    district: District, code: str, parent: str, loc: list[str]
) -> None:
    assert (await void(district, U3)).status_code == 200
    before = await state(district)
    answer = await move(district, code, parent)
    assert answer.status_code == 422, answer.text
    assert [error["loc"] for error in answer.json()["errors"]] == [loc]
    assert await state(district) == before


async def test_a_circle_is_called_one(district: District) -> None:
    answer = await move(district, f"{C}-L1", U1)
    assert "成环" in answer.json()["errors"][0]["msg"]


@pytest.mark.parametrize(
    ("code", "into", "loc"),
    [
        (S1, None, ["body", "into"]),  # what lies below would hang in the air
        (S1, S1, ["body", "into"]),
        (S1, U1, ["body", "into"]),
        (U1, U3, ["body", "into"]),  # was voided
        (U1, "150902-99", ["body", "into"]),
        (C, "150902-01-02", ["body", "into"]),  # a village
        ("150902", None, ["path", "code"]),
        (U3, None, ["path", "code"]),  # again
    ],
)
async def test_a_grid_that_cannot_be_voided_is_422_and_stays(
    district: District, code: str, into: str | None, loc: list[str]
) -> None:
    assert (await void(district, U3)).status_code == 200
    before = await state(district)
    answer = await void(district, code, into)
    assert answer.status_code == 422, answer.text
    assert [error["loc"] for error in answer.json()["errors"]] == [loc]
    assert await state(district) == before


@pytest.mark.parametrize("who", ["admin", "command"])
async def test_a_post_of_a_voided_grid_is_422_and_names_the_grid(district: District, who: str) -> None:
    assert (await void(district, U3)).status_code == 200
    answer = await district.call("PUT", f"/grids/{U3}/posts/leader", who, json={"person": "P018"})
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [["path", "code"]]
    assert not await district.events("post.changed")


@pytest.mark.parametrize(("who", "status"), [(None, 401), ("P003", 403), ("P010", 403), ("auditor", 403)])
async def test_nobody_else_changes_the_tree(district: District, who: str | None, status: int) -> None:
    before = await state(district)
    for answer in (await add(district, who), await move(district, S1, M2, who), await void(district, U1, who=who)):
        assert answer.status_code == status
    assert (await add(district, who, code="rubbish code", more=1)).status_code == status
    assert await state(district) == before


async def test_a_grid_there_never_was_is_404(district: District) -> None:
    for code in ("150902-99", "%00", "1" * 500):
        assert (await move(district, code, M1, "admin")).status_code == 404
        assert (await void(district, code, who="P003")).status_code == 404


async def test_the_same_key_adds_one_grid(district: District) -> None:
    for _ in range(2):
        answer = await district.call("POST", "/grids", "admin", key="g1", json=NEW)
        assert answer.status_code == 201
    assert await changes(district) == [(NEW["code"], "added")]
