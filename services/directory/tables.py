"""The tables that ordinary reads and writes go through. The DDL in `migrations/` is what counts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel


class GridRow(SQLModel, table=True):
    """A node of the tree; `path` holds the codes from the district down, joined by `/`."""

    __tablename__ = "grid"
    __table_args__ = {"schema": "directory"}

    id: UUID = Field(primary_key=True)
    code: str
    level: str
    rank: int
    village: bool
    label: str
    parent: UUID | None
    kind: str | None
    households: int | None
    path: str
    void_at: datetime | None = Field(sa_type=DateTime(timezone=True))


class PostRow(SQLModel, table=True):
    """Who holds a post; one person except at a desk."""

    __tablename__ = "post"
    __table_args__ = {"schema": "directory"}

    grid: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    person: UUID = Field(primary_key=True)


class AbsenceRow(SQLModel, table=True):
    """A person is away from `since` until just before `until`."""

    __tablename__ = "absence"
    __table_args__ = {"schema": "directory"}

    person: UUID = Field(primary_key=True)
    since: datetime = Field(sa_type=DateTime(timezone=True))
    until: datetime = Field(sa_type=DateTime(timezone=True))
    stand_in: UUID | None


class DepartmentRow(SQLModel, table=True):
    __tablename__ = "department"
    __table_args__ = {"schema": "directory"}

    code: str = Field(primary_key=True)
    label: str
