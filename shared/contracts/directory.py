"""What the directory tells: who holds which post, who is away, that the district was imported anew."""

from uuid import UUID

from shared.contracts.base import Contract, contract


@contract("directory", "directory.post.changed.v1")
class PostChanged(Contract):
    """A post changed hands; subject = the grid. A desk left by two persons at once is told twice."""

    grid: UUID
    kind: str
    """leader, party, desk or secretary."""
    person: UUID | None = None
    """Who left it; None when it was vacant."""
    now: UUID | None = None
    """Who holds it now; None when it is vacant."""


@contract("directory", "directory.absence.changed.v1")
class AbsenceChanged(Contract):
    """A person's absence was set, changed or lifted; subject = the person. When, and who stands in, is read
    from the published view: it counts by time, not by this event."""

    person: UUID


@contract("directory", "directory.district.imported.v1")
class DistrictImported(Contract):
    """The whole district was imported: any post may have changed; subject = the district's grid."""

    district: UUID
    grids_voided: int = 0
    """How many grids are no longer in the workbook; what waits there goes on upwards. Which ones they are says the
    published view: a list of them might be larger than a broker takes."""
