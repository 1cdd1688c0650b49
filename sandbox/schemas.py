"""What the sandbox's own interface takes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sandbox.behaviour import Kind
from shared.http import FreeText, Schema


class ControlIn(Schema):
    """How a provider is to behave: to one address (a phone in national form, an openid, a userid) or to all."""

    provider: Literal["alibaba", "wechat", "wecom"]
    behaviour: Kind | Literal["clear", "consents"]
    address: Annotated[str, Field(max_length=64)] | None = None
    seconds: Annotated[float, Field(ge=0, le=60)] | None = None
    code: Annotated[str, Field(max_length=64)] | None = None
    times: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """How many messages it holds for; `consents`: how many are left."""


class Person(BaseModel):
    """A demonstration person as notify tells of them; `no` is a 编号, or `resident`, or `command`."""

    no: str
    id: str | None
    title: str
    kind: str
    grid: str | None
    label: str | None
    department: str | None
    addresses: dict[str, str] = Field(repr=False)


class GridOut(BaseModel):
    code: str
    label: str


class PersonOut(BaseModel):
    """Somebody to sign in as: resident, leader, desk, secretary, seat, department or command."""

    no: str
    title: str
    kind: str
    grid: GridOut | None

    @classmethod
    def of(cls, person: Person) -> "PersonOut":
        grid = GridOut(code=person.grid, label=person.label or "") if person.grid else None
        return cls(no=person.no, title=person.title, kind=person.kind, grid=grid)


class TextIn(Schema):
    """What is typed on a telephone."""

    text: Annotated[FreeText, Field(max_length=500)]


class ClickIn(Schema):
    """A button of a card, by the `id` of its message."""

    message: UUID
    button: Annotated[str, Field(min_length=1, max_length=64)]


class TokenIn(BaseModel):
    grant_type: str = ""
    appid: str = ""
    secret: str = ""
    force_refresh: bool = False


class CardField(BaseModel):
    value: str = ""


class CardIn(BaseModel):
    """A template message; what is not checked is ignored, as WeChat does."""

    model_config = ConfigDict(extra="ignore")

    touser: str = ""
    template_id: str = ""
    client_msg_id: str = ""
    data: dict[str, CardField] = Field(default_factory=dict)
