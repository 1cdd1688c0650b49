"""Requests of deliberation's HTTP interface. Titles and results are made for the notice board."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from services.deliberation.domain.openings import week_bounds
from shared.http import Code, FreeText, Schema, Time

MAX_TASKS = 50


def _refused(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{en}", {"en": en, "messages": (zh, en)})


def _week(text: str) -> str:
    try:
        week_bounds(text)
    except ValueError:
        raise _refused("要写成 2026-W49 的样子", "is not a week such as 2026-W49") from None
    return text


Version = Annotated[int, Field(ge=0, strict=True)]
Week = Annotated[str, AfterValidator(_week)]
Title = Annotated[FreeText, Field(max_length=200)]
State = Literal["proposed", "screened", "refused", "scheduled", "held", "done", "withdrawn"]


class TopicIn(Schema):
    """`n`: kinds to be called in beside the standing ones, departments by their code."""

    case: UUID
    title: Title
    n: list[Code] = Field(default_factory=list, max_length=20)


class Act(Schema):
    version: Version


class Screen(Act):
    decision: Literal["accept", "refuse"]
    reason: FreeText | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.decision == "refuse" and self.reason is None:
            raise _refused("不议要说明原因", "a refusal needs a reason")
        return self


class WithReason(Act):
    reason: FreeText


class PlanIn(Schema):
    """One topic, or all that wait in a subdistrict, into one week."""

    topic: UUID | None = None
    subdistrict: Code | None = None
    week: Week | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.topic is None) == (self.subdistrict is None) or (self.subdistrict is None) != (self.week is None):
            raise _refused("写一个议题，或者写街道和星期", "needs topic, or subdistrict with week")
        return self


class ReplyIn(Schema):
    answer: Literal["come", "cannot", "substitute"]
    substitute: Code | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if (self.answer == "substitute") != (self.substitute is not None):
            raise _refused("替代的人写在 substitute 里", "a substitute is named exactly when answering so")
        return self


class CheckIn(Schema):
    """One's own by the code at the door, or anybody's by the chair."""

    code: Code | None = None
    person: Code | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.code is None) == (self.person is None):
            raise _refused("写签到码，或者写人", "needs code or person")
        return self


class TaskIn(Schema):
    """What is to be done: by a grid (a case), or by a department (a whistle)."""

    text: FreeText
    grid: Code | None = None
    department: Code | None = None
    due: Time

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        if (self.grid is None) == (self.department is None):
            raise _refused("要写明交给哪个网格或哪个部门", "needs an owner: grid or department")
        return self


class ResultIn(Act):
    kind: Literal["opinion", "resolution", "no_agreement"]
    text: FreeText
    tasks: list[TaskIn] = Field(default_factory=list, max_length=MAX_TASKS)
