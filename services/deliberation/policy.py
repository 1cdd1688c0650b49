"""A policy of deliberation: YAML a district may edit, validated as a whole before it is saved."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from services.deliberation.domain.openings import DAY, Window, common, parse_opening
from services.deliberation.domain.seats import Standing, known_kinds
from services.deliberation.store import writing

HERE = Path(__file__).parent / "policies"
ALWAYS = [Window(day, 0, DAY) for day in range(1, 8)]
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def parse_duration(text: Any) -> timedelta:
    """`90s`, `30min`, `2h`, `3d`. Raises ValueError."""
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"(\d+)(s|min|h|d)", str(text))
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is not a duration such as 30min, 2h or 3d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(lambda each: f"{each.total_seconds():.0f}s")
]


class BadPolicy(ValueError):
    """A policy that is refused; the text names every field and why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StandingSeat(_Model):
    kind: str
    substitutes: tuple[str, ...] = ()


class Seats(_Model):
    """The preset: who sits in a meeting, and how many of the standing kinds must come."""

    quorum: int = Field(ge=1)
    standing: tuple[StandingSeat, ...] = Field(min_length=1)
    called: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        kinds = [each.kind for each in self.standing]
        if len(set(kinds)) < len(kinds):
            raise ValueError("a kind stands twice")
        if self.quorum > len(kinds):
            raise ValueError("the quorum is larger than the number of standing seats")
        unknown = {name for each in self.standing for name in each.substitutes} - {*kinds, *self.called}
        if unknown:
            raise ValueError(f"unknown substitutes: {', '.join(sorted(unknown))}")
        return self

    @property
    def six(self) -> list[Standing]:
        return [Standing(each.kind, each.substitutes) for each in self.standing]

    @property
    def kinds(self) -> frozenset[str]:
        return known_kinds(self.six, self.called)


class Duties(_Model):
    """The community's list of duties: `rule` is its name, `community` the items and classes on it."""

    rule: str = Field(min_length=1, max_length=100)
    source: str = ""
    community: tuple[str, ...]


def _default_duties() -> Duties:
    return Duties.model_validate(_read(HERE / "community-duties.yaml"))


class AllowedHours(_Model):
    """Between two times of day, on days such as 周一至周五."""

    opens: str = Field(alias="from")
    until: str
    days: str

    @model_validator(mode="after")
    def _sound(self) -> Self:
        self.windows()
        return self

    def windows(self) -> list[Window]:
        return parse_opening(f"{self.days} {self.opens}-{self.until}")


class Policy(_Model):
    """Everything a district may decide about meetings."""

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    seats: Seats
    screening: Duration
    notice: Duration
    urgent_notice: Duration
    slot: Duration
    raster: Duration
    hours: AllowedHours | None
    horizon: Duration
    reminder: Duration
    postponements: int = Field(ge=0)
    duties: Duties = Field(default_factory=_default_duties)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.hours and not any(w.closes - w.opens >= self.slot / timedelta(minutes=1) for w in self.hours.windows()):
            raise ValueError("no slot fits into the hours")
        return self

    def windows(self, opening: str) -> list[Window]:
        """When a venue with this `opening` may be used; without `hours` at any time, whatever the venue says."""
        return common(parse_opening(opening), self.hours.windows()) if self.hours else ALWAYS

    def notice_for(self, urgency: str) -> timedelta:
        return self.urgent_notice if urgency == "urgent" else self.notice


def load(source: str | Path) -> Policy:
    """`default`, `demo`, or the path of a YAML file; its `seats` and `duties` are a preset's name or the preset itself.
    Raises BadPolicy."""
    path = HERE / f"{source}.yaml" if str(source) in ("default", "demo") else Path(source)
    body = _read(path)
    for name in ("seats", "duties"):
        if isinstance(body.get(name), str):
            body[name] = _read(HERE / f"{body[name]}.yaml")
    try:
        return Policy.model_validate(body)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise BadPolicy(faults) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BadPolicy(f"{path.name}: {type(error).__name__}") from None
    if not isinstance(body, dict):
        raise BadPolicy(f"{path.name}: must be a mapping")
    return body


async def use_policy(conn: AsyncConnection, policy: Policy) -> None:
    """The deployment: puts a policy in force for what is done from now on."""
    await writing.save_policy(conn, policy.name, policy.model_dump(mode="json", by_alias=True))


async def active(conn: AsyncConnection) -> Policy:
    """The policy in force; `default` when none was chosen."""
    body = await writing.policy_body(conn)
    return Policy.model_validate(body) if body else load("default")
