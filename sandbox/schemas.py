"""What the sandbox's own interface takes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.behaviour import Kind
from shared.http import Schema


class ControlIn(Schema):
    """How a provider is to behave: to one address (a phone in national form, an openid) or to all."""

    provider: Literal["alibaba", "wechat"]
    behaviour: Kind | Literal["clear", "consents"]
    address: Annotated[str, Field(max_length=64)] | None = None
    seconds: Annotated[float, Field(ge=0, le=60)] | None = None
    code: Annotated[str, Field(max_length=64)] | None = None
    times: Annotated[int, Field(ge=0)] | None = None
    """How many messages it holds for; `consents`: how many are left."""


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
