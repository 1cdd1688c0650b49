"""What notify's HTTP answers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class AttemptOut(BaseModel):
    """One try; `cost` in yuan."""

    channel: str
    provider: str
    n: int
    state: str
    error: str | None
    cost: float | None
    at: datetime


class MessageOut(BaseModel):
    """A message; `channel` is the one it went by, `to` the address there, masked."""

    id: UUID
    person: str
    template: str
    reason: str
    key: str
    hop: int | None
    issues: list[UUID]
    channel: Literal["wechat", "wecom", "sms"] | None
    state: str
    to: str | None
    at: datetime
    attempts: list[AttemptOut]


class MessagesOut(BaseModel):
    items: list[MessageOut]
    next: str | None


Kind = Literal["resident", "leader", "desk", "secretary", "seat", "department", "command"]


class DemonstrationPerson(BaseModel):
    """Somebody to sign in as; `no` is a 编号, or `resident`, or `command`. For the sandbox only."""

    no: str
    id: UUID | None = None
    title: str
    kind: Kind
    grid: str | None = None
    label: str | None = None
    department: str | None = None
    addresses: dict[str, str] = Field(default_factory=dict, repr=False)
    """`phone` (E.164), `openid`, `wecom`."""
