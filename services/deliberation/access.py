"""From a caller to what he is to a topic and its meeting; what follows from it stands in `domain/states.py`."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.deliberation.domain.states import ACTS, CHAIR, DESK, SEAT, State, can
from services.deliberation.store import reading
from services.deliberation.store.reading import Topic
from shared.auth import Principal
from shared.problems import forbidden, not_found

COMMAND = "command"
"""The role that may read every topic."""


@dataclass(frozen=True)
class Access:
    """A caller before a topic."""

    topic: Topic
    relations: frozenset[str]
    person: UUID | None
    role: str | None

    @property
    def state(self) -> State:
        topic = self.topic
        if topic.meeting is None:
            return State(topic.state)
        return State(topic.state, topic.starts <= topic.now, topic.moves_left)

    @property
    def can(self) -> list[str]:
        return can(self.state, self.relations)

    @property
    def runs_it(self) -> bool:
        """Whether the caller may know who the resident is, and the code at the door."""
        return bool(self.relations & {DESK, CHAIR}) or self.role == COMMAND


async def access(conn: AsyncConnection, caller: Principal, id_: UUID | None) -> Access:
    """Raises 404 for whoever is no party to the topic: no desk above its place, not its chair, no seat, not the
    resident concerned, not command."""
    topic = await reading.topic(conn, id_, caller.person) if id_ else None
    if topic is None:
        raise not_found()
    found = look(topic, caller)
    if not (found.relations or topic.reports or caller.role == COMMAND):
        raise not_found()
    return found


def look(topic: Topic, caller: Principal) -> Access:
    """What the caller is to a topic that was read for him."""
    held = {DESK: topic.is_desk, CHAIR: topic.is_chair, SEAT: topic.is_seated}
    return Access(topic, frozenset(name for name, has in held.items() if has), caller.person, caller.role)


def check_may(found: Access, act: str) -> None:
    """Raises 403 when nothing ties the caller to this act."""
    if not ACTS[act].by & found.relations:
        raise forbidden()
