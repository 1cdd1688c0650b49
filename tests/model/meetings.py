"""A plain model of topics and their meetings: what the rules say, in the words of the rules, without SQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.deliberation.domain.openings import Window
from services.deliberation.store.slots import Search
from tests.model.slots import earliest

DESKS, CHAIR = ("P001", "P002", "P003"), "P005"
SIX = {
    "居民自治组织": "P040",
    "业委会": "P041",
    "物业": "P042",
    "社会组织": "P043",
    "志愿服务": "P044",
    "包联单位": "P045",
}
QUORUM, MOVES = 4, 2
DAY, SLOT = timedelta(days=1), timedelta(hours=2)
NOTICE = {"ordinary": 3 * DAY, "urgent": timedelta(hours=2)}
OPENING = [Window(day, 8 * 60 + 30, 20 * 60 + 30) for day in range(1, 8)]
OVER = ("refused", "withdrawn", "done")


@dataclass
class Seat:
    kind: str
    person: str
    reply: str | None = None
    substitute: str | None = None
    present: bool = False


@dataclass
class Meeting:
    venue: str
    starts: datetime
    seats: list[Seat]
    booked: set[str]
    remind_at: datetime | None
    sequence: int = 0
    moves_left: int = MOVES
    tasks: int = 0

    @property
    def quorum(self) -> int:
        return sum(seat.present for seat in self.seats if seat.kind in SIX)

    def seat_of(self, who: str) -> Seat | None:
        """Whose own it is, or who comes for it."""
        return next((seat for seat in self.seats if who in (seat.person, seat.substitute)), None)


@dataclass
class Topic:
    """One topic; `told` holds the events' names in order."""

    case: str
    urgency: str
    room: str
    screen_by: datetime | None
    state: str = "proposed"
    how: str | None = None
    version: int = 0
    meeting: Meeting | None = None
    told: list[str] = field(default_factory=lambda: ["topic.proposed"])

    def relations(self, who: str) -> set[str]:
        seated = self.meeting is not None and self.meeting.seat_of(who) is not None
        held = {"desk": who in DESKS, "chair": who == CHAIR, "seat": seated}
        return {name for name, has in held.items() if has}

    def sees(self, who: str) -> bool:
        return bool(self.relations(who)) or who in (f"resident {self.case}", "command")

    def go(self, state: str, *told: str, how: str | None = None) -> None:
        self.state, self.how, self.screen_by = state, how, None
        self.version += 1
        self.told += told

    def end(self, state: str, how: str) -> None:
        """Before the meeting was held: it is cancelled and nobody is booked for it."""
        cancelled = []
        if self.meeting:
            self.meeting.booked, self.meeting.remind_at = set(), None
            self.meeting.sequence += 1
            cancelled = ["meeting.cancelled"]
        self.go(state, *cancelled, "topic.ended", how=how)


@dataclass
class Community:
    """All topics; together they decide who is free."""

    topics: list[Topic] = field(default_factory=list)

    def open_topic(self, case: str) -> Topic | None:
        return next((topic for topic in self.topics if topic.case == case and topic.state not in OVER), None)

    def busy(self, mine: Topic) -> dict[str, list[tuple[datetime, datetime]]]:
        found: dict[str, list[tuple[datetime, datetime]]] = {}
        for topic in self.topics:
            if topic.meeting is None:
                continue
            cannot = {seat.person for seat in topic.meeting.seats if seat.reply == "cannot"}
            for who in cannot if topic is mine else topic.meeting.booked:
                found.setdefault(who, []).append((topic.meeting.starts, topic.meeting.starts + SLOT))
        return found

    def plan(self, topic: Topic, now: datetime, after: datetime | None = None) -> bool:
        """Books the earliest slot; False when the meeting is there already."""
        since = now + NOTICE[topic.urgency] + timedelta(seconds=1)  # what the clock shows is a moment later
        must, six = [CHAIR, f"resident {topic.case}"], list(SIX.values())
        wanted: Any = {
            "since": max(since, after) if after else since,
            "until": now + 60 * DAY,
            "slot": SLOT,
            "raster": timedelta(minutes=30),
            "venues": [(topic.room, OPENING)],
            "must": must,
            "six": six,
            "quorum": QUORUM,
        }
        found: Any = earliest(Search(**wanted), self.busy(topic))  # type: ignore[arg-type]
        venue, starts, free = found
        if topic.meeting and topic.state == "scheduled" and topic.meeting.starts == starts:
            return False
        seats = [Seat("主持", must[0]), Seat("居民", must[1]), *(Seat(kind, who) for kind, who in SIX.items())]
        for seat in seats:
            seat.reply = None if seat.person in free else "cannot"
        remind = starts - DAY if starts - DAY > now else None
        moved = topic.meeting
        topic.meeting = Meeting(venue, starts, seats, set(free), remind)
        if moved:
            topic.meeting.sequence, topic.meeting.moves_left = moved.sequence + 1, moved.moves_left
        topic.go("scheduled", "meeting.moved" if moved else "meeting.scheduled")
        return True

    def reply(self, topic: Topic, seat: Seat, answer: str, substitute: str | None) -> str:
        """Who comes has to be free; what was booked before counts no more."""
        meeting = topic.meeting
        assert meeting is not None
        booked = meeting.booked - {seat.person, seat.substitute or ""}
        who = substitute or seat.person
        if answer != "cannot":
            others = [t for t in self.topics if t is not topic and t.meeting and who in t.meeting.booked]
            spans = [t.meeting.starts for t in others if t.meeting]
            if any(abs(starts - meeting.starts) < SLOT for starts in spans):
                return "invalid" if substitute else "booked-elsewhere"
            booked.add(who)
        meeting.booked = booked
        seat.reply, seat.substitute = answer, substitute
        topic.told.append("meeting.replied")
        return "ok"

    def tick(self, now: datetime) -> None:
        for topic in self.topics:
            if topic.screen_by and topic.screen_by <= now:
                topic.end("withdrawn", "unscreened")
            meeting = topic.meeting
            if meeting and meeting.remind_at and meeting.remind_at <= now:
                meeting.remind_at = None
                if topic.state == "scheduled" and now < meeting.starts:
                    topic.told.append("meeting.reminded")

    def close_case(self, case: str) -> None:
        topic = self.open_topic(case)
        if topic and topic.state != "held":
            topic.end("withdrawn", "withdrawn")

    def deadlines(self) -> Sequence[datetime]:
        found = [topic.screen_by for topic in self.topics]
        for topic in self.topics:
            if topic.meeting and topic.state == "scheduled":
                found += [topic.meeting.remind_at, topic.meeting.starts]
        return sorted(at for at in found if at)
