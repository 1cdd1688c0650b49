"""Everything that keeps a workbook from being a district is named by sheet, row, column and reason."""

from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from services.directory.domain.checks import parse
from services.directory.domain.workbook import SHEETS, BadWorkbook, Fault, to_sheets
from services.directory.files import mobile, read_workbook, small_district, write_workbook

Cells = dict[str, list[list[object]]]

C = "150902-01-01"


def sheets() -> Cells:
    return {sheet: [list(row) for row in rows] for sheet, rows in to_sheets(small_district()).items()}


def faults(cells: Cells) -> list[Fault]:
    with pytest.raises(BadWorkbook) as refused:
        parse(cells, mobile)
    return list(refused.value.rows)


def changed(sheet: str, row: int, column: str, value: object) -> Cells:
    cells = sheets()
    cells[sheet][row - 1][SHEETS[sheet].index(column)] = value
    return cells


def test_the_small_district_is_a_good_workbook() -> None:
    workbook = small_district()
    assert (len(workbook.grids), len(workbook.people), len(workbook.posts)) == (20, 33, 23)
    assert parse(sheets(), mobile) == workbook


def test_a_workbook_comes_back_from_excel_as_it_was(tmp_path: Path) -> None:
    write_workbook(small_district(), tmp_path / "small.xlsx")
    assert read_workbook(tmp_path / "small.xlsx") == small_district()


def test_numbers_typed_as_numbers_are_the_same_codes_and_phones() -> None:
    cells = changed("网格", 2, "编码", 150902.0)
    cells["人员"][1][2] = 19900000001.0
    assert parse(cells, mobile) == small_district()


@pytest.mark.parametrize("written", ["199 0000 0001", "+86 19900000001", "199-0000-0001"])
def test_a_phone_may_be_written_as_people_do(written: str) -> None:
    assert parse(changed("人员", 2, "手机", written), mobile) == small_district()


@pytest.mark.parametrize(
    ("sheet", "row", "column", "value", "reason"),
    [
        ("网格", 10, "层级", "楼", "unknown"),
        ("网格", 10, "层级", "", "is required"),
        ("网格", 10, "编码", "", "is required"),
        ("网格", 10, "编码", "150902/01", "letters, digits"),
        ("网格", 11, "编码", f"{C}-L1-M1-S1-U1", "repeats row 10"),
        ("网格", 10, "名称", "", "is required"),
        ("网格", 10, "名称", "一\x07单元", "not plain"),
        ("网格", 10, "名称", "元" * 61, "over 60"),
        ("网格", 10, "上级编码", "150902-99", "unknown grid"),
        ("网格", 10, "上级编码", "", "is required"),
        ("网格", 10, "上级编码", f"{C}-L1-M1-S1-U2", "cannot lie directly under"),
        ("网格", 10, "上级编码", "150902-01", "cannot lie directly under"),
        ("网格", 4, "上级编码", "150902", "cannot lie directly under"),
        ("网格", 2, "上级编码", "150902-01", "has no parent"),
        ("网格", 3, "层级", "区", "row 2 is the district already"),
        ("网格", 10, "类型", "帐篷", "unknown"),
        ("网格", 10, "户数", -1, "whole number"),
        ("网格", 10, "户数", 1.5, "whole number"),
        ("网格", 10, "经度", "东", "degrees"),
        ("网格", 10, "纬度", 91, "degrees"),
        ("网格", 10, "纬度", "", "beside the other"),
        ("人员", 2, "编号", "", "is required"),
        ("人员", 2, "编号", "王 一", "letters, digits"),
        ("人员", 3, "编号", "P001", "repeats row 2"),
        ("人员", 2, "姓名", " ", "is required"),
        ("人员", 3, "手机", "19900000001", "is the phone of row 2"),
        ("人员", 3, "手机", "+86 199 0000 0001", "is the phone of row 2"),
        ("人员", 2, "手机", "1234", "not a mobile number"),
        ("人员", 2, "手机", "0474-8312345", "not a mobile number"),
        ("人员", 2, "手机", "19900000001转5", "not a mobile number"),
        ("人员", 2, "党员", "也许", "unknown"),
        ("人员", 2, "党员", "", "is required"),
        ("人员", 2, "渠道", "传真", "is none of"),
        ("人员", 2, "渠道", "短信,短信", "stands twice"),
        ("人员", 2, "渠道", "微信,短信", "needs 微信openid"),
        ("人员", 2, "渠道", "企业微信", "needs 企业微信userid"),
        ("人员", 2, "手机", "", "needs 手机"),
        ("人员", 10, "微信openid", "oTEST0010", "repeats row 8"),
        ("人员", 25, "企业微信userid", "wecom030", "repeats row 24"),
        ("岗位", 2, "网格编码", "150902-99", "unknown grid"),
        ("岗位", 2, "岗位", "站长", "unknown"),
        ("岗位", 2, "人员编号", "P999", "unknown person"),
        ("岗位", 2, "人员编号", "", "is required"),
        ("岗位", 5, "人员编号", "P003", "repeats row 4"),
        ("岗位", 11, "岗位", "长", "repeats row 10"),
        ("岗位", 6, "岗位", "长", "has no such post"),
        ("岗位", 9, "岗位", "书记", "has no such post"),
        ("部门", 3, "编码", "WATER", "repeats row 2"),
        ("部门", 2, "名称", "", "is required"),
        ("部门", 2, "职责", "WAT.leak,漏水", "not an item code"),
        ("部门", 2, "职责", "WAT.leak、WAT.leak", "stands twice"),
        ("部门人员", 2, "部门编码", "FIRE", "unknown department"),
        ("部门人员", 2, "人员编号", "P999", "unknown person"),
        ("部门人员", 3, "人员编号", "P030", "repeats row 2"),
        ("席位", 2, "网格编码", "150902-99", "unknown grid"),
        ("席位", 2, "类别", "老年协会", "unknown"),
        ("席位", 2, "人员编号", "P999", "unknown person"),
        ("场所", 3, "编码", "V1", "repeats row 2"),
        ("场所", 2, "网格编码", "150902-99", "unknown grid"),
        ("场所", 2, "座位", 0, "whole number"),
        ("场所", 2, "座位", "很多", "whole number"),
        ("场所", 2, "类型", "", "is required"),
        ("场所", 2, "开放时间", "每天", "must look like"),
        ("场所", 2, "开放时间", "周一至周日 20:30-08:30", "must look like"),
        ("包联", 2, "类型", "街坊", "unknown"),
        ("包联", 2, "单位", "", "is required"),
        ("包联", 2, "网格编码", "150902-99", "unknown grid"),
        ("包联", 2, "网格编码", f"{C}-L1", "covers middle grids"),
        ("包联", 3, "人员编号", "", "is required"),
        ("包联", 3, "人员编号", "P999", "unknown person"),
    ],
)
def test_a_bad_cell_is_named(sheet: str, row: int, column: str, value: object, reason: str) -> None:
    found = faults(changed(sheet, row, column, value))
    place = [fault for fault in found if (fault.sheet, fault.row) == (sheet, row)]
    assert any(reason in fault.en for fault in place), [str(fault) for fault in found]
    assert all(fault.zh for fault in found)
    assert all(fault.column in SHEETS[fault.sheet] for fault in found)


def test_the_column_named_is_the_one_that_is_wrong() -> None:
    assert [(f.row, f.column) for f in faults(changed("岗位", 2, "人员编号", "P999"))] == [(2, "人员编号")]


def test_a_circle_of_parents_is_named_once_for_each_grid_in_it() -> None:
    cells = changed("网格", 6, "上级编码", f"{C}-L1-M1")
    cells["网格"][7][3] = f"{C}-L1"
    found = faults(cells)
    assert {(f.row, f.column, f.en) for f in found} == {
        (6, "上级编码", "the parents form a circle"),
        (8, "上级编码", "the parents form a circle"),
    }


def test_a_level_between_community_and_micro_may_be_missing() -> None:
    cells = changed("网格", 10, "上级编码", f"{C}-L1")
    assert parse(cells, mobile).grids[8].parent == f"{C}-L1"


def test_a_workbook_without_a_district_is_refused() -> None:
    cells = sheets()
    cells["网格"] = [cells["网格"][0], *cells["网格"][2:]]
    assert any("no grid is a district" in fault.en for fault in faults(cells))


def test_an_empty_workbook_is_refused() -> None:
    found = faults({sheet: [list(columns)] for sheet, columns in SHEETS.items()})
    assert [(f.sheet, f.row, f.column) for f in found] == [("网格", 1, "层级")]


def _without_sheet(cells: Cells) -> None:
    del cells["席位"]


def _with_sheet(cells: Cells) -> None:
    cells["说明"] = [["请填写"]]


def _without_column(cells: Cells) -> None:
    for row in cells["席位"]:
        del row[1]


def _with_column(cells: Cells) -> None:
    for row in cells["席位"]:
        row.append("备注")


def _with_unnamed_column(cells: Cells) -> None:
    for number, row in enumerate(cells["席位"]):
        row.append("" if number == 0 else "随手写的")


def _with_column_twice(cells: Cells) -> None:
    for row in cells["席位"]:
        row.append(row[1])


def _without_header(cells: Cells) -> None:
    cells["席位"] = []


@pytest.mark.parametrize(
    ("change", "sheet", "reason"),
    [
        (_without_sheet, "席位", "the sheet is missing"),
        (_with_sheet, "说明", "not a sheet"),
        (_without_column, "席位", "the column is missing"),
        (_with_column, "席位", "not a column"),
        (_with_unnamed_column, "席位", "not a column"),
        (_with_column_twice, "席位", "stands twice"),
        (_without_header, "席位", "the column is missing"),
    ],
)
def test_a_missing_or_unknown_sheet_or_column_is_named(
    change: Callable[[Cells], None], sheet: str, reason: str
) -> None:
    cells = sheets()
    change(cells)
    found = faults(cells)
    assert {fault.sheet for fault in found} == {sheet}
    assert any(reason in fault.en for fault in found)


def test_columns_may_stand_in_any_order_and_blank_rows_are_passed_over() -> None:
    cells = sheets()
    cells["席位"] = [list(reversed(row)) for row in cells["席位"]]
    cells["席位"].insert(3, ["", None, " "])
    assert parse(cells, mobile) == small_district()


def test_every_fault_is_named_at_once_in_the_order_of_the_workbook() -> None:
    cells = changed("岗位", 3, "人员编号", "P999")
    cells["网格"][9][1] = "楼"
    cells["人员"][5][2] = "1"
    assert [(f.sheet, f.row) for f in faults(cells)] == [("网格", 10), ("人员", 6), ("岗位", 3)]


def test_rows_are_counted_as_excel_counts_them(tmp_path: Path) -> None:
    """Also below empty rows at the top, where a reader that skips them would be off."""
    path = tmp_path / "shifted.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for sheet, rows in changed("人员", 4, "手机", "1").items():
            page = book.add_worksheet(sheet)
            for number, row in enumerate(rows):
                # A blank line before the people whose phone is wrong.
                page.write_row(number + (1 if sheet == "人员" and number >= 2 else 0), 0, row)
    with pytest.raises(BadWorkbook) as refused:
        read_workbook(path)
    assert [(f.sheet, f.row, f.column) for f in refused.value.rows] == [("人员", 5, "手机")]


def test_what_is_no_excel_file_is_a_bad_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_text("not Excel")
    with pytest.raises(BadWorkbook) as refused:
        read_workbook(tmp_path / "a.xlsx")
    assert [fault.en for fault in refused.value.rows] == ["is not an Excel workbook"]


ANYTHING = st.one_of(st.text(max_size=8), st.floats(), st.booleans(), st.none(), st.sampled_from(["P001", C]))


@given(sheet=st.sampled_from(list(SHEETS)), data=st.data())
def test_whatever_is_in_a_cell_the_answer_is_a_district_or_the_list_of_faults(sheet: str, data: st.DataObject) -> None:
    cells = sheets()
    row = data.draw(st.integers(1, len(cells[sheet]) - 1))
    column = data.draw(st.integers(0, len(cells[sheet][0]) - 1))
    cells[sheet][row][column] = data.draw(ANYTHING)
    try:
        result = parse(cells, mobile)
    except BadWorkbook:
        return
    assert parse(to_sheets(result), mobile) == result
