"""A policy: a YAML file a district may edit, validated as a whole before it is saved, never half applied."""

import hashlib
from datetime import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

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

from services.routing.domain.terms import NATURAL, WORKDAY, Clock, Pace, Term, clock
from shared.calendar.spans import Hours
from shared.contracts.levels import COMMUNITY, RANK, SUBDISTRICT

HERE = Path(__file__).parent / "policies"
TermField = Annotated[
    Term,
    BeforeValidator(lambda v: v if isinstance(v, Term) else Term.parse(str(v))),
    PlainSerializer(lambda t: f"{float(t.amount):g}{t.unit}"),
]
Seconds = Annotated[Fraction, BeforeValidator(lambda v: Fraction(str(v))), PlainSerializer(str)]
Level = Literal["micro", "small", "middle", "large", "community"]


class BadPolicy(ValueError):
    """A policy that is refused; `errors` names each field and why, in Chinese and English."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{where}: {why}" for where, why in errors))


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class CalendarHours(_Model):
    """When a calendar is open: `HH:MM-HH:MM` on all days or on working days."""

    hours: str
    days: Literal["all", "working"]

    @model_validator(mode="after")
    def _sometimes_open(self) -> "CalendarHours":
        Hours.parse(self.hours, self.days)
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

    start: time = Field(alias="from")
    until: time
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
    pace: PaceUnits | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Policy":
        missing = {"emergency", "urgent", "ordinary", "complex"} - set(self.urgencies)
        if missing:
            raise ValueError(f"urgencies are missing: {', '.join(sorted(missing))}")
        known = {NATURAL, *self.calendars}
        for name, terms in {**self.urgencies, **self.categories}.items():
            wrong = {terms.lower, terms.upper} - known
            if wrong and self.pace is None:
                raise ValueError(f"{name}: unknown calendar {', '.join(sorted(wrong))}")
            if (
                self.pace is None
                and WORKDAY not in known
                and any(t.unit == "wd" for t in (*terms.accept.values(), *terms.resolve.values()))
            ):
                raise ValueError(f"{name}: working days need the calendar {WORKDAY}")
        return self

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

    def clock(self, term: Term) -> Clock:
        """A department's term: working days on their calendar, everything else natural time."""
        return clock(term, NATURAL, self.pace.parsed() if self.pace else None)

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
        pace = self.pace.parsed() if self.pace else None

        def at(by_level: dict[Level, Term], level: Level) -> Clock | None:
            calendar = terms.upper if RANK[level] >= COMMUNITY else terms.lower
            return clock(by_level[level], calendar, pace) if level in by_level else None

        levels: tuple[Level, ...] = ("micro", "small", "middle", "large", "community")
        rows = [(RANK[level], at(terms.accept, level), at(terms.resolve, level)) for level in levels]
        return [*rows, (SUBDISTRICT, *rows[-1][1:])]


def load(source: str | Path) -> Policy:
    """`default`, `demo`, or the path of a YAML file, which may name one of them as its `base`. Raises BadPolicy."""
    path = HERE / f"{source}.yaml" if str(source) in ("default", "demo") else Path(source)
    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise BadPolicy([(str(source), f"读不了这个文件 / cannot be read ({type(error).__name__})")]) from None
    except yaml.YAMLError:
        raise BadPolicy([(str(source), "不是正确的 YAML / is not valid YAML")]) from None
    return parse(data)


def parse(data: Any) -> Policy:
    """Raises BadPolicy naming every field that is wrong."""
    if not isinstance(data, dict):
        raise BadPolicy([("", "应当是一张表 / must be a mapping")])
    base = data.pop("base", None)
    if base is not None:
        if base not in ("default", "demo"):
            raise BadPolicy([("base", "只能是 default 或 demo / must be default or demo")])
        data = {**load(base).body(), **data}
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        raise BadPolicy([(".".join(map(str, e["loc"])), f"不对 / {e['msg']}") for e in error.errors()]) from None
