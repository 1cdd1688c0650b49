"""Addresses in one form: as residents write them, and as a district's workbook calls its grids.

Whatever is not understood without doubt is not guessed at: then a desk reads it.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
# What a Chinese numeral stands before when it is a number and no name (三号楼, but not 三和小区).
COUNTED = "号|#|栋|幢|座|楼|单元|单|门|排|组|网格|期|室|层|户"
NUMERAL = re.compile(f"第?([零〇一二两三四五六七八九十百]+)(?={COUNTED})")
BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+(?=\d)")
SEPARATORS = re.compile(r"(?<!\d)[\s,、。;:·|/()\[\]【】\"'“”]+|[\s,、。;:·|/()\[\]【】\"'“”]+(?!\d)")

# 3号楼 3栋 3幢 3座 3# 3#楼, before a unit also 3号 and 3楼 (which alone may be a door or a floor); A座.
BUILDING = (
    r"(?<![0-9A-Z])(?P<building>[A-Z]?\d{1,3}[A-Z]?|[A-Z])"
    r"(?:号楼|号栋|号幢|号座|栋楼|栋|幢|座|\#楼?|(?:号|楼)(?=-?\d{1,2}(?:单元|单|门)))"
)
ROW = r"(?<![0-9A-Z])(?P<row>\d{1,3})排组?(?:-?(?P<group>\d{1,2})组)?"
# 2单元 2门, or between building and door: 3号楼2-301.
UNIT = (
    r"(?:-?(?P<unit>\d{1,2}|[A-Z])(?:单元|单(?!元)|楼门|门洞|门(?![口牌面市诊卫岗店]))"
    r"|-?(?P<between>\d{1,2})-(?=\d{3,4}(?!\d)))?"
)
WAYS = (
    re.compile(rf"(?P<head>.*?)(?:{BUILDING}{UNIT}|{ROW})(?P<rest>.*)"),
    # 3-2-301, as on a parcel
    re.compile(r"(?P<head>.*?)(?<![\d-])(?P<building>\d{1,3})-(?P<unit>\d{1,2})-\d{3,4}[室号户]?"),
    # a building that has a name and no number
    re.compile(r"(?P<head>.*?\D)(?P<unit>\d{1,2})单元(?P<rest>.*)"),
    # a village has no grids: its groups and houses are its desk's
    re.compile(r"(?P<head>.*?村)(?:\d+(?:组|社|队|号|户))+"),
    re.compile(r"(?P<head>.*?)(?:院?[内里]|里面)?"),
)
# After the place there may be a door and words, but nothing that says "not exactly there" or names another place.
DOUBT = re.compile(
    r"\d(?:号楼|栋|幢|座|#|单元|排)|对面|旁|附近|隔壁|之间|中间|[前后][面边]|背后|[东南西北][侧边面]|小区|社区|[到至和与或及]"
)
ROAD = re.compile(r"(?:路|大街|街|巷|胡同)\d+号(?:大?院)?")
ROAD_NAME = range(1, 5)


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart: `3号楼` and `2单元` (of single-storey rows `3排` and `2组`), and before them the names
    from the largest to the smallest, run together."""

    head: str
    building: str | None = None
    unit: str | None = None

    @property
    def heads(self) -> list[str]:
        """The names, also without a road and its number in the midst of them, which no tree of grids knows.
        How long the road's name is cannot be seen."""
        road = ROAD.search(self.head)
        if road is None:
            return [self.head]
        starts = [road.start() - length for length in ROAD_NAME if road.start() >= length]
        return [self.head, *(self.head[:start] + self.head[road.end() :] for start in starts)]


def parse(text: str) -> Address | None:
    """What an address says; None when it says more than one place, or one near it. Never raises."""
    told = canonical(text)
    for way in WAYS:
        if found := way.fullmatch(told):
            break
    else:
        return None
    parts = found.groupdict()
    if DOUBT.search(parts.get("rest") or ""):
        return None
    if row := parts.get("row"):
        return Address(parts["head"], f"{_number(row)}排", _with(parts.get("group"), "组"))
    unit = parts.get("unit") or parts.get("between")
    return Address(parts["head"], _with(parts.get("building"), "号楼"), _with(unit, "单元"))


def canonical(text: str) -> str:
    """Half-width, capital letters, Arabic numbers, without spaces and punctuation: `第三 号楼` as `3号楼`."""
    told = unicodedata.normalize("NFKC", text).upper()
    told = re.sub("[—–−‐_~]+", "-", told)
    told = NUMERAL.sub(lambda found: str(_value(found[1])), told)
    told = SEPARATORS.sub("", BETWEEN_DIGITS.sub("-", told.strip()))
    return re.sub(r"第(?=\d)", "", told)


def _value(numeral: str) -> int:
    """`二十一` and `二一` are 21."""
    if not re.search("[十百]", numeral):
        return int("".join(str(DIGITS[digit]) for digit in numeral))
    total = 0
    for before, here in pairwise(f"一{numeral}" if numeral[0] in "十百" else f"零{numeral}"):
        if here in "十百":
            total += DIGITS.get(before, 1) * (10 if here == "十" else 100)
    return total + DIGITS.get(numeral[-1], 0)


def _number(digits: str) -> str:
    return digits.lstrip("0") or "0"


def _with(number: str | None, what: str) -> str | None:
    return None if number is None else f"{_number(number)}{what}"
