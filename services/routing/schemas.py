"""Requests of routing's HTTP interface."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.attaching import MOST
from shared.http import Code, FreeText, Schema, Time

Version = Annotated[int, Field(ge=0, strict=True)]


class Act(Schema):
    """An act on a case at the version that was seen; `for` is the person a desk acts for (代办)."""

    version: Version
    acting_for: Code | None = Field(None, alias="for")


class Reason(Act):
    reason: FreeText


class Later(Act):
    """Until a day, with a reason: both needed to ask; whoever grants may leave them out, or say otherwise."""

    reason: FreeText | None = None
    until: Time | None = None


class OutOfScope(Act):
    """Where the resident has to turn to: needed to ask; whoever confirms may leave it out, or say it better."""

    reply: FreeText | None = None


class External(Schema):
    system: Annotated[FreeText, Field(max_length=200)]
    number: Annotated[FreeText, Field(max_length=200)]


class HandOver(Act):
    external: External
    reply: FreeText


class Merge(Act):
    into: UUID


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


class Note(Schema):
    text: FreeText


class Charge(Note):
    """Who has a line of the supervision list in charge: a desk, by its grid, and one person of it, or all."""

    desk: Code
    person: Code | None = None


class Back(Note):
    version: Version
    level: LevelName | None = None
