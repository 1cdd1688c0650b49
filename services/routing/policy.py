"""A policy: a YAML file a district may edit, validated as a whole before it is saved, never half applied."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import orjson
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from services.intake.catalogue import catalogue
from services.routing.domain.terms import NATURAL, Clock, Pace, Term, clock
from services.routing.policy_rules import Item, faults
from services.routing.policy_text import read
from shared.calendar.spans import Hours
from shared.contracts.levels import COMMUNITY, RANK, SUBDISTRICT
from shared.problems import FieldError, words

HERE = Path(__file__).parent / "policies"
ZONE = ZoneInfo("Asia/Shanghai")
BASES = ("default", "demo")
Level = Literal["micro", "small", "middle", "large", "community"]
_LENGTH = re.compile(r"\d{1,6}(\.\d{1,6})?(/\d{1,6})?", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d(:00)?", re.ASCII)


def _refuse(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{en}", {"en": en, "messages": (zh, en)})


def _term(value: object) -> Term:
    try:
        return value if isinstance(value, Term) else Term.parse(str(value))
    except ValueError:
        raise _refuse("要写成 30min、4h、1wd 或 7d", "must be like 30min, 4h, 1wd or 7d") from None


def _seconds(value: object) -> Fraction:
    """Longer numbers would cost more than any policy needs."""
    try:
        if not _LENGTH.fullmatch(str(value)) or (seconds := Fraction(str(value))) <= 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise _refuse("要是大于零的秒数，如 2 或 1/60", "must be seconds above zero, like 2 or 1/60") from None
    return seconds


def _time(value: object) -> object:
    """YAML reads an unquoted 22:00 as the number 1320."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _refuse('要带引号，写成 "22:00"', 'must be quoted, like "22:00"')
    return value


TermField = Annotated[Term, BeforeValidator(_term), PlainSerializer(str)]
Seconds = Annotated[Fraction, BeforeValidator(_seconds), PlainSerializer(str)]
Time = Annotated[time, BeforeValidator(_time)]


class BadPolicy(ValueError):
    """A policy that is refused; `errors` names each field, why, in Chinese and English, and its line."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = errors
        super().__init__("; ".join(map(said, errors)))


def said(error: FieldError) -> str:
    """A line for people: where it is and why it is refused."""
    where = ".".join(map(str, error.loc)) or "YAML"
    line = f"第 {error.line} 行 " if error.line else ""
    return f"{line}{where}: {error.zh} / {error.en}"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class CalendarHours(_Model):
    """When a calendar is open: `HH:MM-HH:MM` on all days or on working days."""

    hours: str
    days: Literal["all", "working"]

    @model_validator(mode="after")
    def _sometimes_open(self) -> "CalendarHours":
        try:
            self.parsed()
        except ValueError:
            raise _refuse(
                "要在一天里开一段时间，写成 09:00-17:00", "must be open for some time of a day, like 09:00-17:00"
            ) from None
        return self

    def parsed(self) -> Hours:
        return Hours.parse(self.hours, self.days)


class Terms(_Model):
    """Terms of an urgency or of one category: `accept by` and `resolve by` per level, both from dispatch."""

    start: Level | None = None
    """Such a case starts at this level at least."""
    lower: str = NATURAL
    """Calendar up to large."""
    upper: str = NATURAL
    """Calendar from community on."""
    accept: dict[Level, TermField] = Field(default_factory=dict)
    resolve: dict[Level, TermField] = Field(default_factory=dict)
    total: TermField
    """What the resident is promised, natural time from opening."""


class Wait(_Model):
    """How long the resident is waited for, and when she is reminded before."""

    after: TermField
    reminders: list[TermField] = Field(default_factory=list)


class PaceUnits(_Model):
    """Seconds a unit lasts; `floor`: no term is shorter."""

    s: Seconds
    min: Seconds
    h: Seconds
    d: Seconds
    wd: Seconds
    floor: Seconds

    def parsed(self) -> Pace:
        units = self.model_dump(exclude={"floor"})
        return Pace({u: Fraction(v) * 1_000_000 for u, v in units.items()}, round(self.floor * 1_000_000))


class Night(_Model):
    """Between two local times these urgencies go straight to the duty desk."""

    start: Time = Field(alias="from")
    until: Time
    urgencies: list[str]


class Occasion(_Model):
    """Terms of the lead department, from blowing and from reporting in."""

    report_in: TermField
    result: TermField


class Whistle(_Model):
    """Who may blow, and how long each side has."""

    by: list[Literal["community", "subdistrict"]] = Field(min_length=1)
    occasions: dict[Literal["emergency", "enforcement", "demand", "key_work"], Occasion]
    confirm: TermField
    decide: TermField
    rest: TermField
    addition: TermField


class Supervision(_Model):
    """What is on the supervision list is looked at again when nobody wrote a note for `review`."""

    review: TermField = Field(default_factory=lambda: Term.parse("3wd"))


class Storm(_Model):
    """So many reports of one item within the time, under one grid of the level, are one case."""

    reports: int = Field(ge=2, le=1000)
    level: Level
    within: TermField


class Recurrence(_Model):
    """The same item at the same place for the so-manieth time within the time starts one level higher."""

    times: int = Field(ge=2, le=100)
    within: TermField


def _default_whistle() -> Whistle:
    return Whistle.model_validate(yaml.safe_load((HERE / "default.yaml").read_text())["whistle"])


class Policy(_Model):
    """Everything a district may decide about cases."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    calendars: dict[str, CalendarHours]
    urgencies: dict[str, Terms]
    categories: dict[str, Terms] = Field(default_factory=dict)
    silence: Wait
    question: Wait
    reopen: TermField
    night: Night | None = None
    whistle: Whistle = Field(default_factory=lambda: _default_whistle())
    """Policies saved before there were whistles have the default's."""
    supervision: Supervision = Field(default_factory=Supervision)
    load: Annotated[int, Field(ge=1, le=1000)] = 20
    """Open cases in one person's hands that are still not too many."""
    storm: Storm | None = None
    recurrence: Recurrence | None = None
    pace: PaceUnits | None = None

    @property
    def id(self) -> str:
        """Name and content hash: an edited policy is another policy."""
        body = orjson.dumps(self.body(), option=orjson.OPT_SORT_KEYS)
        return f"{self.name}@{hashlib.sha256(body).hexdigest()[:12]}"

    def body(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)

    def microseconds(self, term: Term) -> int:
        """A term outside the ladder (silence, question, total): natural time."""
        return clock(term, NATURAL, self.pace.parsed() if self.pace else None).microseconds

    def clock(self, term: Term, calendar: str = NATURAL) -> Clock:
        """A term on a level's calendar; a department's runs on natural time. Working days have their own."""
        return clock(term, calendar, self.pace.parsed() if self.pace else None)

    def is_night(self, urgency: str, at: datetime) -> bool:
        """Whether such a case goes to nobody but a desk at this time."""
        if self.night is None or urgency not in self.night.urgencies:
            return False
        start, until, local = self.night.start, self.night.until, at.astimezone(ZONE).time()
        return start <= local < until if start <= until else local >= start or local < until

    def waits(self, wait: Wait) -> tuple[int, list[int]]:
        """Microseconds until the end and until each reminder."""
        return self.microseconds(wait.after), [self.microseconds(term) for term in wait.reminders]

    def term_of(self, category: str, urgency: str) -> str:
        """The class of a case: its category if that has terms of its own, else its urgency."""
        return category if category in self.categories else urgency

    def terms(self, class_: str) -> Terms:
        return self.categories.get(class_) or self.urgencies[class_]

    def ladder(self, class_: str) -> list[tuple[int, Clock | None, Clock | None]]:
        """(rank, accept, resolve) for each level with a holder; the subdistrict has the community's terms."""
        terms = self.terms(class_)

        def at(by_level: dict[Level, Term], level: Level) -> Clock | None:
            calendar = terms.upper if RANK[level] >= COMMUNITY else terms.lower
            return self.clock(by_level[level], calendar) if level in by_level else None

        levels: tuple[Level, ...] = ("micro", "small", "middle", "large", "community")
        rows = [(RANK[level], at(terms.accept, level), at(terms.resolve, level)) for level in levels]
        return [*rows, (SUBDISTRICT, *rows[-1][1:])]


def load(source: str | Path) -> Policy:
    """`default`, `demo`, or the path of a YAML file, which may name one of them as its `base`. Raises BadPolicy."""
    return parse_text(read_source(source))


def read_source(source: str | Path) -> str:
    """The YAML of `default`, `demo` or a file. Raises BadPolicy."""
    path = HERE / f"{source}.yaml" if str(source) in BASES else Path(source)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy(
            [FieldError((str(source),), "读不了这个文件", f"cannot be read ({type(error).__name__})")]
        ) from None


def parse_text(source: str) -> Policy:
    """A policy from its YAML. Raises BadPolicy naming every field that is wrong, with its line."""
    text = read(source)
    if text.faults:
        raise BadPolicy(text.faults)
    try:
        return parse(text.data)
    except BadPolicy as error:
        raise BadPolicy([replace(each, line=text.line(each.loc)) for each in error.errors]) from None


def parse(data: Any) -> Policy:
    """Raises BadPolicy naming every field that is wrong."""
    if not isinstance(data, dict):
        raise BadPolicy([FieldError((), "应当是一张表", "must be a mapping")])
    data = dict(data)
    base = data.pop("base", None)
    if base is not None:
        if base not in BASES:
            raise BadPolicy([FieldError(("base",), "只能是 default 或 demo", "must be default or demo")])
        data = {**_base(base), **data}
    try:
        policy = Policy.model_validate(data)
    except ValidationError as error:
        raise BadPolicy([_fault(each) for each in error.errors()]) from None
    if errors := list(faults(policy, items())):
        raise BadPolicy(errors)
    return policy


@cache
def _base(name: str) -> dict[str, Any]:
    return load(name).body()


def _fault(item: ErrorDetails) -> FieldError:
    """pydantic calls a mapping's key `[key]`; here it is the field."""
    zh, en = words(item)
    if item["type"] == "literal_error":
        expected = item["ctx"]["expected"].replace("'", "")
        zh, en = f"只能是 {expected.replace(' or ', '、').replace(', ', '、')}", f"must be {expected}"
    return FieldError(tuple(part for part in item["loc"] if part != "[key]"), zh, en)


@cache
def items() -> dict[str, Item]:
    """Every category that can be reported."""
    return {item.code: Item(item.urgency, item.start) for item in catalogue().items()}
