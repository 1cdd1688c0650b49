"""Exporting a district: the workbook that was imported comes back, and everybody who was opened is in the log."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.directory.domain.generate import generate
from services.directory.domain.workbook import SHEETS, Workbook, to_sheets
from services.directory.exporting import export_workbook
from services.directory.files import read_workbook, small_district, write_workbook
from shared.embedded import Endpoints
from tests.integration.directory import District, empty_district
from tests.world import KEYS, U1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def district(instance: Endpoints) -> AsyncIterator[District]:
    async with empty_district(instance) as found:
        yield found


def rows(workbook: Workbook) -> dict[str, Sequence[Any]]:
    """Sheet -> its rows; neither the order of rows nor that of a department's duties means anything."""
    departments = tuple(replace(each, duties=tuple(sorted(each.duties))) for each in workbook.departments)
    sheets = to_sheets(replace(workbook, departments=departments))
    return {name: sorted(sheets[name][1:], key=repr) for name in SHEETS}


@pytest.mark.parametrize("book", [small_district(), generate()], ids=["small", "seed"])
async def test_what_was_imported_comes_back_row_for_row_through_a_file(
    district: District, book: Workbook, tmp_path: Path
) -> None:
    await district.rows("TRUNCATE directory.grid, directory.person, vault.person, directory.department CASCADE")
    await district.load(book)
    file = tmp_path / "out.xlsx"
    write_workbook(await export_workbook(district.owner, KEYS), file)
    found, wanted = rows(read_workbook(file)), rows(book)
    for sheet in SHEETS:
        assert found[sheet] == wanted[sheet], sheet


async def test_an_export_is_the_district_as_it_is_now_and_imports_as_no_change(district: District) -> None:
    await district.start_over()
    answer = await district.call("PUT", f"/grids/{U1}/posts/leader", "admin", json={"person": "P026"})
    assert answer.status_code == 200
    book = await export_workbook(district.owner, KEYS)
    assert tuple(post.person for post in book.posts if (post.grid, post.kind) == (U1, "leader")) == ("P026",)
    report = await district.load(book)
    assert report.voided == 0
    assert rows(await export_workbook(district.owner, KEYS)) == rows(book)


async def test_what_is_void_or_gone_is_in_no_export(district: District) -> None:
    await district.start_over()
    book = small_district()
    gone = "P026"
    smaller = replace(
        book,
        people=tuple(each for each in book.people if each.no != gone),
        posts=tuple(each for each in book.posts if each.person != gone),
        venues=book.venues[:1],
    )
    await district.load(smaller)
    assert rows(await export_workbook(district.owner, KEYS)) == rows(smaller)


async def test_everybody_who_was_opened_is_in_the_log(district: District) -> None:
    await district.start_over()
    await export_workbook(district.owner, KEYS)
    logged = await district.rows("SELECT person, by_role FROM vault.opening WHERE purpose = 'directory.export'")
    assert len({row.person for row in logged}) == len(logged) == len(small_district().people)
    assert {row.by_role for row in logged} == {"chuishao"}
