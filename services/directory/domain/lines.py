"""Rows of a sheet, read cell by cell; what is wrong is noted with its place and reading goes on."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from services.directory.domain.codes import is_code
from services.directory.domain.workbook import SHEETS, Fault, Sheets

T = TypeVar("T")

LONGEST = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_COMMA = re.compile(r"[,，、]")


def cell_text(value: object) -> str:
    """A cell as text: Excel keeps every number as a float, so 150902 comes as 150902.0."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


class Line:
    """One row. The methods give the cell's value, or None after noting a fault."""

    def __init__(self, sheet: str, row: int, cells: Mapping[str, str], faults: list[Fault]) -> None:
        self.sheet, self.row, self._cells, self._faults = sheet, row, cells, faults
        self.good = True

    def __getitem__(self, column: str) -> str:
        return self._cells[column]

    def fault(self, column: str, zh: str, en: str) -> None:
        self.good = False
        self._faults.append(Fault(self.sheet, self.row, column, zh, en))

    def required(self, column: str) -> bool:
        if not self[column]:
            self.fault(column, "必须填写", "is required")
        return bool(self[column])

    def text(self, column: str) -> str:
        """Any words of at most 60 characters, required."""
        if self.required(column) and (len(self[column]) > LONGEST or _CONTROL.search(self[column])):
            self.fault(column, f"超过 {LONGEST} 字或有控制字符", f"is over {LONGEST} characters or not plain")
        return self[column]

    def code(self, column: str) -> str:
        """A code that can stand in an address: letters, digits, `-_.`, at most 48."""
        if self.required(column) and not is_code(self[column]):
            self.fault(column, "只能是最多 48 个字母、数字、-_.", "takes letters, digits and -_. (up to 48)")
        return self[column]

    def choice(self, column: str, choices: Mapping[str, T], *, optional: bool = False) -> T | None:
        if optional and not self[column]:
            return None
        if self.required(column) and self[column] not in choices:
            words = "、".join(choices)
            self.fault(column, f"不认识，只能是 {words}", f"is unknown, must be one of {words}")
        return choices.get(self[column])

    def known(self, column: str, names: Collection[str], zh: str, en: str, *, optional: bool = False) -> str | None:
        """A reference to something declared elsewhere in the workbook."""
        if optional and not self[column]:
            return None
        if self.required(column) and self[column] not in names:
            self.fault(column, f"没有这个{zh}", f"names an unknown {en}")
        return self[column]

    def whole(self, column: str, least: int, *, optional: bool = False) -> int | None:
        if optional and not self[column]:
            return None
        if not self.required(column):
            return None
        if not re.fullmatch(r"[0-9]{1,9}", self[column]) or int(self[column]) < least:
            self.fault(column, f"要是不小于 {least} 的整数", f"must be a whole number of at least {least}")
            return None
        return int(self[column])

    def degrees(self, column: str, limit: int) -> float | None:
        if not self[column]:
            return None
        try:
            value = float(self[column])
        except ValueError:
            value = float("nan")
        if not -limit <= value <= limit:
            self.fault(column, f"要是 -{limit} 到 {limit} 的度数", f"must be degrees up to ±{limit}")
            return None
        return value

    def items(self, column: str) -> list[str]:
        """A list with commas; the fault of a part is the caller's to note."""
        return [part.strip() for part in _COMMA.split(self[column])] if self[column] else []


def refuse_repeats(lines: Sequence[Line], *columns: str) -> None:
    """Notes every row whose `columns` together stand in an earlier row already."""
    first: dict[tuple[str, ...], int] = {}
    for line in lines:
        key = tuple(line[column] for column in columns)
        if not all(key):
            continue
        row = first.setdefault(key, line.row)
        if row != line.row:
            line.fault(columns[-1], f"与第 {row} 行重复", f"repeats row {row}")


def lines_of(sheets: Sheets, faults: list[Fault]) -> dict[str, list[Line]]:
    """The rows of every sheet without the blank ones. Notes missing and unknown sheets and columns."""
    for sheet in sheets:
        if sheet not in SHEETS:
            faults.append(Fault(sheet, 0, "", "没有这种工作表", "is not a sheet of a district workbook"))
    result = {}
    for sheet, columns in SHEETS.items():
        rows = [[cell_text(cell) for cell in row] for row in sheets.get(sheet, ())]
        if sheet not in sheets:
            faults.append(Fault(sheet, 0, "", "缺少这张工作表", "the sheet is missing"))
        elif _header(sheet, columns, rows, faults):
            result[sheet] = [
                Line(sheet, number, dict(zip(rows[0], row, strict=False)), faults)
                for number, row in enumerate(rows[1:], start=2)
                if any(row)
            ]
    return result


def _header(sheet: str, columns: tuple[str, ...], rows: list[list[str]], faults: list[Fault]) -> bool:
    """Whether row 1 names exactly the sheet's columns, in any order."""
    header = rows[0] if rows else []
    filled = [any(row[place] for row in rows if place < len(row)) for place in range(len(header))]
    used = [name for name, fill in zip(header, filled, strict=True) if fill]
    missing = (name for name in columns if name not in used)
    bad = [Fault(sheet, 1, name, "缺少这一列", "the column is missing") for name in missing]
    for place, name in enumerate(used):
        if name not in columns:
            bad.append(Fault(sheet, 1, name, "没有这一列", "is not a column of this sheet"))
        elif name in used[:place]:
            bad.append(Fault(sheet, 1, name, "这一列重复", "the column stands twice"))
    faults += bad
    return not bad
