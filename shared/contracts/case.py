"""What routing tells about cases. Every event carries the case as it is after the event, so that a listener needs
no memory of earlier ones."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, contract


class Skipped(Contract):
    """A level passed over at once: a hop of no length."""

    hop: int
    level: str
    grid: UUID
    reason: str
    """vacant, absent, unreachable, same_person, recused or night."""
    person: UUID | None = None
    """Who was passed over, if anyone was."""


class CaseEvent(Contract):
    """The case after the event."""

    number: str
    category: str
    urgency: str
    place: UUID
    phase: str
    on_hold: str | None = None
    level: str
    grid: UUID
    hop: int
    holder_kind: str
    holder_person: UUID | None = None
    reporter: UUID | None = None
    own: bool = False
    recused: list[UUID] = Field(default_factory=list)
    accept_by: datetime | None = None
    resolve_by: datetime | None = None
    promised_by: datetime | None = None
    policy: str


@contract("case", "routing.case.opened.v1")
class CaseOpened(CaseEvent):
    """An issue became a case, and the case is with its first holder."""

    skipped: list[Skipped] = Field(default_factory=list)


@contract("case", "routing.case.accepted.v1")
class CaseAccepted(CaseEvent):
    """我来办. `by` may be a desk's person acting for the holder (代办)."""

    by: UUID | None = None


@contract("case", "routing.case.claimed.v1")
class CaseClaimed(CaseEvent):
    """A level the case had passed, or a bound party member, took it back; a new hop, accepted."""

    by: UUID | None = None


@contract("case", "routing.case.escalated.v1")
class CaseEscalated(CaseEvent):
    """It climbed: `reason` is escalated (往上报), accept_timeout or resolve_timeout."""

    reason: str
    from_level: str
    from_hop: int
    skipped: list[Skipped] = Field(default_factory=list)


@contract("case", "routing.case.moved.v1")
class CaseMoved(CaseEvent):
    """It went to another hand without climbing, because the holder left the post, the grid is gone, or the desk said
    where it belongs; `reason` is moved."""

    reason: str
    from_level: str
    from_hop: int
    skipped: list[Skipped] = Field(default_factory=list)


@contract("case", "routing.case.asked.v1")
class CaseAsked(CaseEvent):
    """A question to the resident; the clocks pause."""


@contract("case", "routing.case.ask-reminded.v1")
class CaseAskReminded(CaseEvent):
    """The question is still open: the one reminder."""


@contract("case", "routing.case.replied.v1")
class CaseReplied(CaseEvent):
    """The clocks go on: `by` is resident (an answer came) or clock (none came in time)."""

    by: str


@contract("case", "routing.case.resolved.v1")
class CaseResolved(CaseEvent):
    """办结: the resident is asked whether it is solved."""


@contract("case", "routing.case.still-asking.v1")
class CaseStillAsking(CaseEvent):
    """Resolved and no answer yet: reminder number `n` (1, 2)."""

    n: int


@contract("case", "routing.case.reopened.v1")
class CaseReopened(CaseEvent):
    """The resident said "not solved"; the case went to the next hand. `count` is how often by now."""

    count: int
    from_level: str
    from_hop: int
    skipped: list[Skipped] = Field(default_factory=list)


@contract("case", "routing.case.closed.v1")
class CaseClosed(CaseEvent):
    """`how` is confirmed, unanswered, withdrawn, own, merged, out_of_scope or handed_over."""

    how: str


@contract("case", "routing.case.reminded.v1")
class CaseReminded(CaseEvent):
    """催办 at 75 % of a clock's open time: `clock` is accept or resolve."""

    clock: str


@contract("case", "routing.case.supervised.v1")
class CaseSupervised(CaseEvent):
    """The case came onto the supervision list 督办: `why` is timeout, third_no or promise."""

    why: str


@contract("case", "routing.case.held.v1")
class CaseHeld(CaseEvent):
    """The clocks stand still because of `why`: whistle or deliberation."""

    why: str


@contract("case", "routing.case.released.v1")
class CaseReleased(CaseEvent):
    """What held it is over; the clocks go on with what is left of the term."""

    why: str


@contract("case", "routing.case.reply-refused.v1")
class CaseReplyRefused(CaseEvent):
    """An act told by MessageReplied could not be done (any more); nothing was changed. `case` of that event is this
    case, also when the act was one on its whistle."""

    person: UUID
    act: str
    why: str
    """wrong-state, already-moved or forbidden, as the interfaces say it."""
    can: list[str] = Field(default_factory=list)
    """What that person can still do here."""
    channel: str | None = None
    """The channel of the reply, by which it is answered."""
