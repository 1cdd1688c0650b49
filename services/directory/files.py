"""District workbooks as files: Excel in and out, and the small district that comes with the program."""

from io import BytesIO
from pathlib import Path

import phonenumbers
import python_calamine
import xlsxwriter
import yaml

from services.directory.domain.checks import parse
from services.directory.domain.workbook import BadWorkbook, Fault, Workbook, to_sheets
from shared.phones import e164

_MOBILE = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
PLAIN = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
"""A cell holds what it says, also if that begins with `=` or `http:`."""
SMALL = Path(__file__).with_name("small.yaml")


def mobile(typed: str) -> str | None:
    """A mobile number in E.164 form, or None: a landline takes no text message."""
    number = e164(typed)
    kind = phonenumbers.number_type(phonenumbers.parse(number)) if number else None
    return number if kind in _MOBILE else None


def read_workbook(path: Path) -> Workbook:
    """Raises BadWorkbook with every fault, also for what is no Excel file, or OSError."""
    content = BytesIO(path.read_bytes())
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(content)
        # Not the default: leading empty rows would shift the numbers by which faults are named.
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (python_calamine.CalamineError, ValueError) as error:
        raise BadWorkbook([Fault("", 0, "", "不是 Excel 工作簿", "is not an Excel workbook")]) from error
    return parse(sheets, mobile)


def write_workbook(workbook: Workbook, path: Path) -> None:
    """Writes the workbook as .xlsx, codes and phones as text. Raises OSError."""
    try:
        with xlsxwriter.Workbook(
            path, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        ) as book:
            for sheet, rows in to_sheets(workbook).items():
                page = book.add_worksheet(sheet)
                page.freeze_panes(1, 0)
                for number, row in enumerate(rows):
                    page.write_row(number, 0, row)
    except xlsxwriter.exceptions.FileCreateError as error:
        raise error.args[0] from None  # what the system said


def small_district() -> Workbook:
    """The district of fixed codes with one of every difficulty."""
    return parse(yaml.safe_load(SMALL.read_text(encoding="utf-8")), mobile)
