"""Hints of personal data in the words of a report: names, phones, door numbers.

A grid of ten households has no anonymity, so the page points such words out before they are sent.
Hints are guesses for a person to judge; nothing is ever refused or changed because of one.
"""

import re
from dataclasses import dataclass
from typing import Literal

HintKind = Literal["name", "phone", "door"]

# The hundred commonest family names cover about 85 % of people; the compound ones are unmistakable.
_COMPOUND = "欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|令狐|慕容|司徒|夏侯"
_SINGLE = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
    "姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
    "包巴乌赛萨那云"
)
_FAMILY = f"(?:{_COMPOUND}|[{_SINGLE}])"
_TITLE = "(?:先生|女士|小姐|师傅|大爷|大妈|大娘|奶奶|爷爷|阿姨|叔叔|大哥|大姐|嫂子|老师|医生)"
_INTRODUCED = r"(?:我叫|我是|本人|名叫|姓名(?:是|为|[:：])?|联系人(?:是|[:：])?|户主(?:是|叫|[:：])?)\s*"

_NAMES = (
    re.compile(rf"{_INTRODUCED}({_FAMILY}[\u4e00-\u9fff]{{1,2}})(?![\u4e00-\u9fff])"),
    re.compile(rf"{_INTRODUCED}({_FAMILY}[\u4e00-\u9fff]{{1,2}}?)(?=住|家|的|在|是|，|。)"),
    re.compile(rf"({_FAMILY}[\u4e00-\u9fff]{{0,2}}?{_TITLE})"),
    re.compile(rf"((?:老|小)[{_SINGLE}])(?=家|头|师|他|她|天天|总|又|把|在)"),
)
_PHONES = (
    re.compile(r"(?<!\d)((?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2})(?!\d)"),
    re.compile(r"(?<!\d)(0\d{2,3}[ -]?\d{7,8})(?!\d)"),
)
_DOORS = (
    re.compile(r"(?<![\d-])(\d{1,3}[-—－]\d{1,2}[-—－]\d{2,4})(?![\d-])"),
    re.compile(r"((?:\d{1,3}(?:号楼|栋|幢|座|楼|排))?\s*(?:\d{1,2}单元)?\s*\d{1,4}(?:室|户(?!数)|号(?:房|门)|房间))"),
    re.compile(r"((?:\d{1,3}(?:号楼|栋|幢|座|楼)\s*)?\d{1,2}单元\s*\d{3,4})(?!\d)"),
    re.compile(r"(\d{1,3}排\s*\d{1,3}号)"),
)
# Same length on both sides, so that a position in the normalised words is one in the words themselves.
_DIGITS = str.maketrans("０１２３４５６７８９零〇一二三四五六七八九幺", "0123456789001234567891")


@dataclass(frozen=True, slots=True)
class Hint:
    """Characters `start` (included) to `end` (excluded) of the words, counted in code points."""

    kind: HintKind
    start: int
    end: int


def find_hints(words: str) -> list[Hint]:
    """What in the words looks like a person's name, a phone or a door number; in order, without overlaps."""
    plain = words.translate(_DIGITS)
    found = [
        *_matches("phone", _PHONES, plain),
        *_matches("door", _DOORS, plain),
        *_matches("name", _NAMES, words),
    ]
    kept: list[Hint] = []
    for hint in sorted(found, key=lambda each: (each.start, -each.end)):
        if not kept or hint.start >= kept[-1].end:
            kept.append(hint)
    return kept


def _matches(kind: HintKind, patterns: tuple[re.Pattern[str], ...], words: str) -> list[Hint]:
    return [Hint(kind, *match.span(1)) for pattern in patterns for match in pattern.finditer(words)]
