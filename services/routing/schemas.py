"""Requests of routing's HTTP interface."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.attaching import MOST
from shared.http import Code, FreeText, Schema

Version = Annotated[int, Field(ge=0, strict=True)]


class Act(Schema):
    """An act on a case at the version that was seen; `for` is the person a desk acts for (代办)."""

    version: Version
    acting_for: Code | None = Field(None, alias="for")


class Escalate(Act):
    reason: FreeText


class Ask(Act):
    text: FreeText


class Resolve(Act):
    reply: FreeText
    note: FreeText | None = None
    attachments: list[UUID] = Field(default_factory=list, max_length=MOST)


class Answer(Schema):
    solved: Literal["yes", "partly", "no"]
    satisfied: Annotated[int, Field(ge=1, le=5, strict=True)] | None = None
    comment: FreeText | None = None


class Empty(Schema):
    pass


class Reply(Schema):
    text: FreeText


Phase = Literal["assigned", "accepted", "resolved", "closed"]
LevelName = Literal["district", "subdistrict", "community", "large", "middle", "small", "micro"]
