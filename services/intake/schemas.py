"""What intake's HTTP takes and gives. Requests refuse unknown fields; answers may grow."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from services.intake.catalogue import catalogue
from services.intake.commands import SeenIssue
from services.intake.domain.issues import Report, ToldPlace
from shared.attaching import MOST
from shared.http import Code, FreeText, Schema
from shared.phones import e164


def _refused(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{en}", {"en": en, "messages": (zh, en)})


def _known_category(code: str) -> str:
    if catalogue().find(code) is None:
        raise _refused("没有这类事项", "is not a category")
    return code


def _phone(typed: str) -> str:
    number = e164(typed)
    if number is None:
        raise _refused("不是电话号码", "is not a telephone number")
    return number


Category = Annotated[str, AfterValidator(_known_category)]
Phone = Annotated[str, AfterValidator(_phone)]
ShortText = Annotated[FreeText, Field(max_length=200)]


class PlaceIn(Schema):
    """A grid's code, an address, or a point (WGS-84): exactly one."""

    grid: Code | None = None
    address: ShortText | None = None
    lng: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False, strict=True)
    lat: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False, strict=True)

    def told(self) -> ToldPlace:
        return ToldPlace(self.grid, self.address, self.lng, self.lat)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if not self.told().is_sound:
            raise _refused("网格、地址、经纬度三选一", "needs exactly one of grid, address, lng with lat")
        return self


class OnBehalfIn(Schema):
    phone: Phone


class ExternalIn(Schema):
    system: ShortText
    number: ShortText


class ReportIn(Schema):
    """A report: what, where, and how to be told."""

    category: Category
    text: FreeText
    place: PlaceIn
    phone: Phone | None = None
    may_contact: StrictBool = False
    own: StrictBool = False
    about_leader: StrictBool = False
    on_behalf_of: OnBehalfIn | None = None
    attachments: list[UUID] = Field(default_factory=list, max_length=MOST)
    external: ExternalIn | None = None

    @model_validator(mode="after")
    def _own_is_ones_own(self) -> Self:
        if self.own and self.on_behalf_of:
            raise _refused("自己发现的事不能算代报", "cannot be both own and on behalf of somebody")
        return self

    def report(self) -> Report:
        return Report(
            category=self.category,
            text=self.text,
            place=self.place.told(),
            phone=self.phone,
            on_behalf_of=self.on_behalf_of.phone if self.on_behalf_of else None,
            may_contact=self.may_contact,
            own=self.own,
            about_leader=self.about_leader,
            external=(self.external.system, self.external.number) if self.external else None,
            attachments=self.attachments,
        )


class PlacedIn(Schema):
    grid: Code


class WordsIn(Schema):
    text: FreeText


class PlaceOut(BaseModel):
    grid: str
    label: str


class ReportedOut(BaseModel):
    """`track` opens the issue to whoever has it; `duplicates` are numbers of likely ones of the last day. Without
    `place` the desk looks where it is."""

    id: UUID
    number: str
    track: str
    place: PlaceOut | None = None
    duplicates: list[str] | None = None


class PlacedOut(BaseModel):
    id: UUID
    number: str
    place: PlaceOut


class IssueOut(BaseModel):
    """`place` is null until it is known; `told` is how the place was told, unless by a grid's code."""

    id: UUID
    number: str
    category: str
    text: str
    place: PlaceOut | None
    told: dict[str, Any] | None
    attachments: list[UUID]
    reported_at: datetime
    reporter: dict[str, str | None] | None

    @classmethod
    def of(cls, seen: SeenIssue) -> Self:
        issue = seen.issue
        placed = PlaceOut(grid=issue.grid, label=issue.label or "") if issue.grid else None
        return cls(
            id=issue.id,
            number=issue.number,
            category=issue.category,
            text=issue.text,
            place=placed,
            told=None if issue.address is None and issue.lng is None else _told(seen),
            attachments=list(issue.attachments),
            reported_at=issue.reported_at,
            reporter=seen.reporter,
        )


def _told(seen: SeenIssue) -> dict[str, Any]:
    issue = seen.issue
    return {"address": issue.address} if issue.address is not None else {"lng": issue.lng, "lat": issue.lat}


class AttachmentOut(BaseModel):
    id: UUID


class IssuesOut(BaseModel):
    items: list[IssueOut]
    next: str | None


class ItemOut(BaseModel):
    code: str
    label: str
    urgency: str
    start: str
    departments: list[str]
    visibility: str
    mergeable: bool
    deliberable: bool
    first_step: str


class ClassOut(BaseModel):
    code: str
    label: str
    items: list[ItemOut]


class CategoriesOut(BaseModel):
    items: list[ClassOut]
    next: None = None


class HintOut(BaseModel):
    """Code points `start` (included) to `end` (excluded) of the words."""

    kind: str
    start: int
    end: int


class HintsOut(BaseModel):
    hints: list[HintOut]
