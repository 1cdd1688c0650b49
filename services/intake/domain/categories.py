"""Categories (事项目录): what can be reported, how urgent it is and where its case starts.

A catalogue is policy, so it is data; this module only says what a sound one looks like.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

URGENCIES = ("emergency", "urgent", "ordinary", "complex")
START_LEVELS = ("micro", "small", "middle", "large", "community")
VISIBILITIES = ("public", "parties", "restricted")

_CLASS_CODE = re.compile(r"[A-Z]{3,4}")
_ITEM_CODE = re.compile(r"[a-z]{2,20}")
_DEPARTMENT_CODE = re.compile(r"[A-Z]{2,20}")


class BadCatalogueError(ValueError):
    """The catalogue cannot be used; the message names the class or item and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be reported; `code` is the full one, as `HEAT.cold`."""

    code: str
    label: str
    urgency: str
    start: str
    departments: tuple[str, ...]
    visibility: str
    mergeable: bool
    deliberable: bool
    first_step: str


@dataclass(frozen=True, slots=True)
class ItemClass:
    """A class of items, as 供暖 (`HEAT`)."""

    code: str
    label: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Catalogue:
    """All classes, in the order in which a page shows them."""

    classes: tuple[ItemClass, ...]

    def items(self) -> Iterator[Item]:
        """Every item of every class."""
        for each in self.classes:
            yield from each.items

    def find(self, code: str) -> Item | None:
        """The item with this full code, or None."""
        return self._by_code.get(code)

    @cached_property
    def _by_code(self) -> dict[str, Item]:
        return {item.code: item for item in self.items()}


def parse_catalogue(document: object) -> Catalogue:
    """Build a catalogue from a parsed document; raises BadCatalogueError at the first fault."""
    top = _mapping(document, "catalogue", {"defaults", "classes"})
    defaults = _mapping(top.get("defaults", {}), "defaults", {"urgency", "start", *_OPTIONAL})
    classes = tuple(_class(entry, defaults) for entry in _list(top.get("classes"), "classes"))
    catalogue = Catalogue(classes)
    _no_twins([each.code for each in classes])
    _no_twins([item.code for item in catalogue.items()])
    return catalogue


_OPTIONAL = {"departments", "visibility", "mergeable", "deliberable"}
_ITEM_FIELDS = {"code", "label", "urgency", "start", "first_step", *_OPTIONAL}


def _class(entry: object, defaults: Mapping[str, object]) -> ItemClass:
    fields = _mapping(entry, "class", {"code", "label", "items"})
    code = _matching(_CLASS_CODE, fields.get("code"), "class code")
    items = tuple(_item(code, each, defaults) for each in _list(fields.get("items"), code))
    return ItemClass(code, _text(fields.get("label"), f"{code}: label"), items)


def _item(class_code: str, entry: object, defaults: Mapping[str, object]) -> Item:
    fields = {**defaults, **_mapping(entry, class_code, _ITEM_FIELDS)}
    code = f"{class_code}.{_matching(_ITEM_CODE, fields.get('code'), f'{class_code}: item code')}"
    urgency = _one_of(URGENCIES, fields.get("urgency"), f"{code}: urgency")
    start = _one_of(START_LEVELS, fields.get("start"), f"{code}: start")
    if urgency == "emergency" and start != "large":
        raise BadCatalogueError(f"{code}: an emergency starts at large")
    departments = _list(fields.get("departments", []), f"{code}: departments")
    return Item(
        code=code,
        label=_text(fields.get("label"), f"{code}: label"),
        urgency=urgency,
        start=start,
        departments=tuple(_matching(_DEPARTMENT_CODE, each, f"{code}: department") for each in departments),
        visibility=_one_of(VISIBILITIES, fields.get("visibility"), f"{code}: visibility"),
        mergeable=_flag(fields.get("mergeable"), f"{code}: mergeable"),
        deliberable=_flag(fields.get("deliberable"), f"{code}: deliberable"),
        first_step=_text(fields.get("first_step"), f"{code}: first_step"),
    )


def _mapping(value: object, where: str, known: set[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise BadCatalogueError(f"{where}: not a mapping")
    unknown = sorted(str(key) for key in value if key not in known)
    if unknown:
        raise BadCatalogueError(f"{where}: unknown field {unknown[0]}")
    return cast(Mapping[str, object], value)


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise BadCatalogueError(f"{where}: not a list")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadCatalogueError(f"{where}: a text is needed")
    return value


def _matching(pattern: re.Pattern[str], value: object, where: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadCatalogueError(f"{where}: {value!r} is not a code")
    return value


def _one_of(known: tuple[str, ...], value: object, where: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise BadCatalogueError(f"{where}: {value!r} is not one of {', '.join(known)}")
    return value


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise BadCatalogueError(f"{where}: true or false is needed")
    return value


def _no_twins(codes: list[str]) -> None:
    twins = sorted({code for code in codes if codes.count(code) > 1})
    if twins:
        raise BadCatalogueError(f"{twins[0]}: listed twice")
