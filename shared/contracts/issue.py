"""What intake tells about issues."""

from uuid import UUID

from shared.contracts.base import Contract, contract


@contract("issue", "intake.issue.reported.v1")
class IssueReported(Contract):
    """An issue was taken. `place` is None until the desk has placed it."""

    number: str
    category: str
    urgency: str
    start: str
    """Lowest level at which such an issue starts."""
    place: UUID | None
    reporter: UUID
    own: bool = False
    """A leader's own find: opens accepted at their own level."""
    about_leader: bool = False
    on_behalf: bool = False
    """Entered by a leader for a resident, who gets the messages."""
    entered_by: UUID | None = None
    mergeable: bool = False


@contract("issue", "intake.issue.placed.v1")
class IssuePlaced(Contract):
    """The desk said where an issue belongs that fitted no grid."""

    place: UUID
