"""What the machine over topics and meetings drives, and how it looks at what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from services.deliberation import commands
from services.deliberation.app import service
from services.deliberation.commands import Wish, show_meeting, show_topic
from services.deliberation.door import door_code
from shared.auth import Principal
from shared.contracts import Contract
from shared.contracts.case import CaseOpened
from shared.db import transaction
from shared.ids import new_id
from shared.messaging.consumer import Consumer
from shared.messaging.inbox import Record
from tests.model.meetings import Community, Meeting, Topic
from tests.model.plain import C
from tests.model.system import Machine
from tests.world import KEYS

# Case -> place, urgency, and the room nearest to it.
CASES = {
    "A": (f"{C}-L1-M1-S1-U1", "ordinary", "V2"),
    "B": (f"{C}-L1-M1-S1-U2", "urgent", "V2"),
    "D": (f"{C}-L2-M1", "ordinary", "V1"),
}
ABOUT_TOPIC = ("screen", "refuse", "plan", "withdraw")
# Act -> who may, and in which states.
ACTS = {
    "screen": ("chair", ["proposed"]),
    "refuse": ("chair", ["proposed"]),
    "plan": ("desk", ["screened", "scheduled"]),
    "reply": ("seat", ["scheduled"]),
    "postpone": ("chair", ["scheduled"]),
    "check-in": ("seat chair", ["scheduled", "held"]),
    "open": ("chair", ["scheduled"]),
    "result": ("chair", ["held"]),
    "withdraw": ("desk", ["proposed", "screened", "scheduled"]),
}


@dataclass
class Attempt:
    """An act: what the code is asked to do, what is expected of it, and what then becomes of the model. `stale`: at an
    older version; `again`: once more, as if the reply had got lost."""

    topic: Topic
    act: str
    who: str
    effect: Any
    expected: str
    then: Callable[[], str | None]
    stale: bool = False
    again: bool = False


class Deliberating(Machine):
    """Three cases of one community, two of them in one compound."""

    def start(self) -> None:
        self.set_clock()
        self.town, self.ids = Community(), list[UUID]()
        self.consumer = Consumer(self.system.deliberation, service)
        self.cases = {name: new_id() for name in CASES}
        self.persons: dict[str, UUID] = {**self.system.people, **{f"resident {name}": new_id() for name in CASES}}
        self.closed: set[str] = set()
        rooms = self.run(self.system.rows("SELECT code, id FROM directory.venue"))
        self.called = {id_: name for name, id_ in self.persons.items()} | {row["id"]: row["code"] for row in rooms}
        for name in CASES:
            self.hear(name, CaseOpened, 1, "assigned")
        self.begun = True

    def hear(self, name: str, contract: type[Contract], seq: int, phase: str, **more: Any) -> None:
        """An event of a case, twice: as after a crash between commit and offset."""
        place, urgency, _ = CASES[name]
        grid = self.system.grids[place]
        facts = {"number": name, "category": "FAC.light", "urgency": urgency, "place": grid, "phase": phase}
        rest = {"level": "micro", "grid": grid, "hop": 1, "holder_kind": "desk", "policy": "default"}
        data = contract(**facts, **rest, reporter=self.persons[f"resident {name}"], **more).model_dump(mode="json")
        told = {"subject": str(self.cases[name]), "seq": seq, "time": "2026-11-24T02:00:00Z", "data": data}
        body = orjson.dumps({"type": contract.type, **told})
        for _ in range(2):
            self.run(self.consumer.apply([Record("case", 0, seq, b"", body)]))

    # -- acts -----------------------------------------------------------------------------------------------------
    def topic(self, number: int, act: str) -> Topic:
        """Mostly one whose state allows the act, with a meeting where the act is about one."""
        found = [topic for topic in self.town.topics if topic.meeting or act in ABOUT_TOPIC]
        fit = [topic for topic in found if topic.state in ACTS[act][1]]
        some = found if number % 5 == 0 or not fit else fit
        return some[number % len(some)]

    def with_meeting(self, number: int, act: str) -> tuple[Topic, Meeting]:
        topic = self.topic(number, act)
        assert topic.meeting is not None
        return topic, topic.meeting

    def may(self, topic: Topic, act: str, who: str, stale: bool = False) -> str:
        """What the rules say before anything of the act itself: 404, 403, the state, the version."""
        by, states = ACTS[act]
        if not topic.sees(who):
            return "not-found"
        if not topic.relations(who) & set(by.split()):
            return "forbidden"
        if topic.state not in states:
            return "wrong-state"
        return "already-moved" if stale else "ok"

    def do(self, wanted: Attempt) -> None:
        self.set_clock()
        topic, act, expected = wanted.topic, wanted.act, wanted.expected
        version = None if act in ("reply", "check-in") else topic.version - wanted.stale
        wish = Wish(self.caller(wanted.who), str(new_id()), b"", version)
        show = show_topic if act in ABOUT_TOPIC else show_meeting
        if expected == "ok":
            expected = wanted.then() or "ok"
        answers = []
        for _ in range(1 + wanted.again):
            work = commands.act(self.system.deliberation, wish, self.id_of(topic), act, wanted.effect, show)
            outcome, answer = self.attempt(work)
            assert outcome == expected, (wanted, outcome)
            answers.append(answer)
        assert answers[0] == answers[-1], "a repeated act gives its first answer"

    def id_of(self, topic: Topic) -> UUID:
        return next(id_ for id_, each in zip(self.ids, self.town.topics, strict=True) if each is topic)

    def caller(self, who: str) -> Principal:
        if who == "command":
            return Principal(role="command")
        return Principal(person=self.persons[who], no=who if who.startswith("P") else None)

    def door(self, topic: Topic, sequence: int) -> str:
        """The code at the door after so many moves; before the first meeting there was none."""
        rows = self.run(self.system.rows("SELECT id FROM deliberation.meetings WHERE topic = :t", t=self.id_of(topic)))
        return door_code(KEYS, rows[0]["id"], sequence) if sequence >= 0 else "none"

    # -- the look afterwards --------------------------------------------------------------------------------------
    def compare(self) -> None:
        topics, meetings, seats, booked, told = self.run(self.read())
        for id_, topic in zip(self.ids, self.town.topics, strict=True):
            row = topics[id_]
            assert (row["state"], row["ended_how"], row["version"]) == (topic.state, topic.how, topic.version)
            self.same_time(row["screen_by"], topic.screen_by)
            assert told[id_] == topic.told
            assert (id_ in meetings) == (topic.meeting is not None)
            if topic.meeting:
                row = meetings[id_]
                mine = [[each for each in some if each["meeting"] == row["id"]] for some in (seats, booked)]
                self.compare_meeting(topic.meeting, row, *mine)

    def compare_meeting(self, meeting: Meeting, row: Any, seats: list[Any], booked: list[Any]) -> None:
        assert (self.called[row["venue"]], row["starts"]) == (meeting.venue, meeting.starts)
        for name in ("sequence", "moves_left", "tasks", "remind_at"):
            assert row[name] == getattr(meeting, name), name
        found = [
            (
                seat["kind"],
                self.called[seat["person"]],
                seat["reply"],
                self.called.get(seat["substitute"]),
                seat["present_at"] is not None,
            )
            for seat in seats
        ]
        assert found == [(s.kind, s.person, s.reply, s.substitute, s.present) for s in meeting.seats]
        times = {self.called[each["who"]]: each["starts"] for each in booked}
        assert times == dict.fromkeys(meeting.booked, meeting.starts)
        assert row["ends"] - row["starts"] == timedelta(hours=2)

    async def read(self) -> Any:
        async with transaction(self.system.owner) as conn:

            async def rows(statement: str) -> Any:
                return (await conn.execute(text(statement))).mappings().all()

            topics = {row["id"]: row for row in await rows("SELECT * FROM deliberation.topics")}
            meetings = await rows(
                "SELECT m.*, (SELECT count(*) FROM deliberation.tasks k WHERE k.meeting = m.id) AS tasks"
                " FROM deliberation.meetings m"
            )
            seats = await rows("SELECT * FROM deliberation.seats ORDER BY meeting, ord")
            booked = await rows("SELECT *, lower(during) AS starts FROM deliberation.bookings")
            told: dict[UUID, list[str]] = {id_: [] for id_ in topics}
            for row in await rows("SELECT subject, seq, type FROM deliberation.outbox ORDER BY id"):
                told[row["subject"]].append(".".join(row["type"].split(".")[3:5]))
                assert row["seq"] == len(told[row["subject"]])
        return topics, {row["topic"]: row for row in meetings}, seats, booked, told
