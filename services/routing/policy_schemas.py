"""Requests of an administrator."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.http import Code, FreeText, Schema, Time

MAX_YAML = 64 * 1024
LONGEST_REPLAY = timedelta(days=366)
YEARS = (2020, 2100)
"""Calendars reach a few years; a year beyond these is a slip of the pen."""


def _refuse(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{en}", {"en": en, "messages": (zh, en)})


def _day(value: Any) -> Any:
    """A day is told as YYYY-MM-DD: neither a time nor a number."""
    if not isinstance(value, str) or len(value) != 10:
        raise _refuse("要写成 2027-01-01", "must be like 2027-01-01")
    return value


def _in_reach(day: date) -> date:
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise _refuse(f"要在 {YEARS[0]} 到 {YEARS[1]} 年之间", f"must be between {YEARS[0]} and {YEARS[1]}")
    return day


def _once_each(days: Sequence[date]) -> Sequence[date]:
    if len(set(days)) < len(days):
        raise _refuse("有一天写了两次", "names a day twice")
    return days


Day = Annotated[date, BeforeValidator(_day), AfterValidator(_in_reach)]
Days = Annotated[list[Day], Field(max_length=366), AfterValidator(_once_each)]
Yaml = Annotated[str, StringConstraints(min_length=1, max_length=MAX_YAML)]


class Check(Schema):
    yaml: Yaml


class Save(Check):
    reason: FreeText


class Replay(Check):
    """`from` to `until`: when the cases were opened that are replayed."""

    since: Time = Field(alias="from")
    until: Time = Field(alias="to")

    @model_validator(mode="after")
    def _forwards(self) -> "Replay":
        if not timedelta() < self.until - self.since <= LONGEST_REPLAY:
            raise _refuse("to 要晚于 from，最多一年", "to must be later than from, by a year at most")
        return self


class Reapply(Schema):
    """`from`: the policy that was wrong; null: whatever open cases have."""

    before: Code | None = Field(alias="from")
    reason: FreeText


class DistrictDay(Schema):
    """`open`: worked, not worked, or (null) as published."""

    date: Day
    open: Annotated[bool, Field(strict=True)] | None


class DistrictDays(Schema):
    days: Annotated[list[DistrictDay], Field(min_length=1, max_length=366)]
    reason: FreeText

    @model_validator(mode="after")
    def _once(self) -> "DistrictDays":
        _once_each([each.date for each in self.days])
        return self


class PublishedYear(Schema):
    """A year's holidays, and the weekends that are worked instead."""

    year: Annotated[int, Field(ge=YEARS[0], le=YEARS[1], strict=True)]
    holidays: Annotated[Days, Field(min_length=1)]
    workdays: Days
    reason: FreeText

    @model_validator(mode="after")
    def _of_the_year(self) -> "PublishedYear":
        if any(day.year != self.year for day in (*self.holidays, *self.workdays)):
            raise _refuse("有一天不在这一年", "has a day of another year")
        if set(self.holidays) & set(self.workdays):
            raise _refuse("有一天又放假又上班", "has a day that is both")
        return self


class Because(Schema):
    reason: FreeText
