"""What deliberation tells about topics and meetings (协商议事). Subject = the topic's id; `seq` counts its events."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, contract


class Invited(Contract):
    """A seat as messages need it: who sits there, and whether quorum counts it."""

    kind: str
    person: UUID
    required: bool = False


class TopicEvent(Contract):
    """A topic after the event."""

    case: UUID
    number: str
    """Number of the case's issue."""
    category: str
    state: str
    """proposed, screened, refused, scheduled, held, done or withdrawn."""
    community: UUID
    """Grid of the community whose secretary chairs."""


@contract("meeting", "deliberation.topic.proposed.v1")
class TopicProposed(TopicEvent):
    """A desk proposes to deliberate a case."""


@contract("meeting", "deliberation.topic.screened.v1")
class TopicScreened(TopicEvent):
    """The secretary took it up: the case is on hold from now on."""


@contract("meeting", "deliberation.topic.ended.v1")
class TopicEnded(TopicEvent):
    """An exit: `how` is refused, withdrawn, unscreened (nobody screened it in time), resolution, opinion,
    no_agreement, to_mediation or to_statutory_vote. The case goes back to its holder."""

    how: str


class MeetingEvent(TopicEvent):
    """A meeting after the event."""

    meeting: UUID
    sequence: int
    """Of the .ics: grows with every change a participant must learn of."""
    venue: UUID
    starts: datetime
    ends: datetime
    chair: UUID
    seats: list[Invited] = Field(default_factory=list)


@contract("meeting", "deliberation.meeting.scheduled.v1")
class MeetingScheduled(MeetingEvent):
    """A slot was found; seats and concerned residents are invited."""


@contract("meeting", "deliberation.meeting.moved.v1")
class MeetingMoved(MeetingEvent):
    """Postponed to another slot; the old door code is dead."""


@contract("meeting", "deliberation.meeting.cancelled.v1")
class MeetingCancelled(MeetingEvent):
    """It will not take place."""


@contract("meeting", "deliberation.meeting.replied.v1")
class MeetingReplied(MeetingEvent):
    """A seat answered: `answer` is come, cannot or substitute; `person` is who answered, `substitute` who comes."""

    person: UUID
    answer: str
    substitute: UUID | None = None


@contract("meeting", "deliberation.meeting.opened.v1")
class MeetingOpened(MeetingEvent):
    """Enough of the six are there: it has begun, and nobody can reply any more."""


@contract("meeting", "deliberation.meeting.reminded.v1")
class MeetingReminded(MeetingEvent):
    """The reminder before it begins."""


@contract("meeting", "deliberation.meeting.held.v1")
class MeetingHeld(MeetingEvent):
    """It has a result: `kind` is opinion, resolution or no_agreement."""

    kind: str


@contract("meeting", "deliberation.task.made.v1")
class TaskMade(TopicEvent):
    """A task of a result: a case at `grid` (its id is the task's) or a whistle to `department`; `due` is its day."""

    task: UUID
    meeting: UUID
    chair: UUID
    kind: str
    """case or whistle."""
    grid: UUID | None = None
    department: str | None = None
    due: datetime
