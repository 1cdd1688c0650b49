"""Lengths of time as people type them: `90s`, `30m`, `2h`, `1d12h`."""

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PART = re.compile(r"(\d{1,6})([smhd])")
_WHOLE = re.compile(r"(?:\d{1,6}[smhd])+")


def parse_duration(typed: str) -> timedelta | None:
    """None for what is no length of time, or none at all (`0s`)."""
    if not _WHOLE.fullmatch(typed):
        return None
    parts = _PART.findall(typed)
    total = sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
    return total or None
