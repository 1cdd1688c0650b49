"""Events of topics: built from the rows as they are after the change, written together with the line of history."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.deliberation.store import reading, writing
from services.deliberation.store.reading import SeatRow, Topic
from shared.contracts import Contract
from shared.contracts.meeting import Invited, MeetingCancelled, MeetingEvent, TopicEnded, TopicEvent
from shared.messaging.events import NewEvent
from shared.messaging.outbox import publish

T = TypeVar("T", bound=TopicEvent)
M = TypeVar("M", bound=MeetingEvent)


async def present_topic(conn: AsyncConnection, id_: UUID) -> Topic:
    """A topic that is known to exist, as it is now."""
    topic = await reading.topic(conn, id_)
    assert topic is not None
    return topic


async def tell(
    conn: AsyncConnection,
    topic: Topic,
    events: Sequence[Contract],
    *,
    kind: str,
    actor: UUID | None = None,
    words: str | None = None,
) -> None:
    """One line of history and its events. The topic is locked; `words` are free text and stay out of the events."""
    first = await writing.take_seq(conn, topic.id, len(events))
    await writing.note(conn, topic.id, first, kind, actor, words)
    await publish(conn, [NewEvent(topic.id, first + n, event) for n, event in enumerate(events)])


def about_topic(contract: type[T], topic: Topic, **more: Any) -> T:
    return contract(
        case=topic.case_id,
        number=topic.number,
        category=topic.category,
        state=topic.state,
        community=topic.community,
        **more,
    )


def about_meeting(contract: type[M], topic: Topic, seats: Sequence[SeatRow], **more: Any) -> M:
    """Whoever comes for another is told in their place."""
    invited = [Invited(kind=s.kind, person=s.substitute or s.person, required=s.required) for s in seats]
    facts = {name: getattr(topic, name) for name in ("meeting", "sequence", "venue", "starts", "ends", "chair")}
    return about_topic(contract, topic, seats=invited, **facts, **more)


async def end(
    conn: AsyncConnection, id_: UUID, state: str, how: str, *, kind: str, actor: UUID | None, words: str | None
) -> None:
    """Ends a locked topic before its meeting was held: the meeting, if there is one, is cancelled and its bookings
    are free again. Tells MeetingCancelled and TopicEnded."""
    meeting = (await present_topic(conn, id_)).meeting
    await writing.set_state(conn, id_, state, how)
    events: list[Contract] = []
    if meeting:
        await writing.cancel(conn, meeting)
    topic = await present_topic(conn, id_)
    if meeting:
        events.append(about_meeting(MeetingCancelled, topic, await reading.seats(conn, meeting)))
    events.append(about_topic(TopicEnded, topic, how=how))
    await tell(conn, topic, events, kind=kind, actor=actor, words=words)
