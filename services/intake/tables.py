"""Intake's tables. Migrations make them; these classes serve the ordinary paths."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel


class Issue(SQLModel, table=True):
    """The resident's words and place, as told."""

    __tablename__ = "issue"

    id: UUID = Field(primary_key=True)
    number: str
    category: str
    text: str
    place: UUID | None
    address: str | None
    lng: float | None
    lat: float | None
    middle: UUID | None
    reporter: UUID
    entered_by: UUID | None
    may_contact: bool
    own: bool
    about_leader: bool
    external_system: str | None
    external_number: str | None
    reported_at: datetime
    placed_by: str | None
    placed_at: datetime | None
    seq: int
