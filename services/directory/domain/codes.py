"""Codes of grids, venues and departments, and the numbers of people: what can stand in an address."""

import re

_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,47}")


def is_code(text: str) -> bool:
    """Letters, digits and `-_.`, at most 48 of them."""
    return _CODE.fullmatch(text) is not None


def code_of(text: str) -> str:
    """The code that the text is. Raises ValueError."""
    if not is_code(text):
        raise ValueError("not a code")
    return text
