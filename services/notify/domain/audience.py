"""Who is told what: how a row of the table is applied to an event. The rows themselves are in `table.py`.

A row says: when this event happens, tell these people, for this reason, once per key. Everything else about telling
(when, by which channel, in which words) is decided elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

VOLUNTEER_LEVELS = frozenset({"micro", "small", "middle", "large"})
STILL_ASKING_DAYS = {1: 3, 2: 6}
"""Number of the reminder of "solved?" → the day its key names."""


class Who(StrEnum):
    """Audiences; the store turns each into persons."""

    HOLDER = "holder"
    """The person who holds the hop, or every person of the desk that does."""
    REPORTER = "reporter"
    PASSED_OVER = "passed_over"
    """Each person whose hop was skipped for the row's skip reason."""
    COMMUNITY_DESK = "community_desk"
    """The persons of the community's (village's) desk above the skipped grid."""
    ALARM = "alarm"
    """Every candidate micro … large on the place's path, stand-ins for the absent, and the community's desk."""
    SUPERVISORS = "supervisors"
    """The district's desk, and the desk at the case's (the whistler's) grid or the nearest above it."""
    LEAD = "lead"
    """The officers of the lead department."""
    ASSISTING = "assisting"
    """The officers of the assisting departments."""
    WHISTLER = "whistler"
    """Every person of the desk that blew the whistle."""
    SEATS = "seats"
    """Everybody with a seat at the meeting, the chair and the residents concerned among them."""
    ACTOR = "actor"
    """The person whose act by text or button the event is about."""
    REPLIED = "replied"
    """Whoever did the row's act by a text and has not heard yet what came of it."""


class Hold(StrEnum):
    """Whether quiet hours hold a message back."""

    NEVER = "never"
    VOLUNTEER = "volunteer"
    """Held if it goes to a person at a volunteer level, or to one of the neighbours at a meeting."""
    RESIDENT = "resident"
    """Held unless it answers what the resident did a moment ago."""
    DIGEST = "digest"
    """Always waits for the digest."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `key` is the idempotency key without the person; in it, `template` and `by`, `{f.x}` is a
    field of the event."""

    events: tuple[str, ...]
    reason: str
    who: Who
    key: str
    hold: Hold = Hold.NEVER
    skip: str | None = None
    loud: bool = False
    """Goes by two channels at once, and never waits, if the case is urgent or an emergency."""
    per_hop: bool = False
    template: str | None = None
    """Default: the reason."""
    by: str = "accept_by"
    """The event's field with the time the message speaks of."""
    act: str | None = None
    """The act by text that it answers."""
    only: Callable[[Any], bool] = lambda _: True

    @property
    def per_person(self) -> bool:
        return self.who is not Who.REPORTER


@dataclass(frozen=True)
class Telling:
    """A row applied to one event: an audience still to be turned into persons."""

    row: Row
    case: UUID
    key: str
    template: str
    person: UUID | None
    grid: UUID | None
    departments: Sequence[str]
    recused: Sequence[UUID]
    hop: int | None
    urgent: bool
    hold: Hold
    place: UUID
    """The grid whose name the message says."""
    channel: str | None
    """The only channel it may go by; None: the person's own order."""
    facts: Mapping[str, str | None]
    """What else it says, in codes: number, category, level and kind of the hand it is in, `by` (a time), …"""


@dataclass(frozen=True)
class _Aim:
    """Whom a row is about in one event: a person, or where the store finds the persons."""

    person: UUID | None = None
    grid: UUID | None = None
    departments: Sequence[str] = ()
    skipped: Any = None
    hold: Hold | None = None


def tell(rows: Sequence[Row], event: str, fact: Any, *, case: UUID, seq: int) -> Iterator[Telling]:
    """Applies the rows to one event. `fact` is its data: case, whistle or meeting after it."""
    for row in rows:
        if event in row.events and row.only(fact):
            for aim in _aims(row, fact):
                yield _telling(row, fact, aim, case=case, seq=seq)


def _aims(row: Row, fact: Any) -> Sequence[_Aim]:
    """A row about skipped hops or seats is applied to each of them."""
    if row.skip is not None:
        return [_skipped(row, item) for item in fact.skipped if item.reason == row.skip]
    match row.who:
        case Who.HOLDER if fact.holder_kind == "person":
            return [_Aim(person=fact.holder_person)]
        case Who.REPORTER:
            return [_Aim(person=fact.reporter)]
        case Who.ALARM:
            return [_Aim(grid=fact.place)]
        case Who.LEAD:
            return [_Aim(departments=[fact.lead])]
        case Who.ASSISTING:
            return [_Aim(departments=fact.assisting)]
        case Who.ACTOR:
            return [_Aim(person=fact.person)]
        case Who.REPLIED:
            return [_Aim(person=getattr(fact, "by", None))]
        case Who.SEATS:
            return [_Aim(person=person, hold=hold) for person, hold in _seats(fact).items()]
        case _:  # a desk's, or supervisors
            return [_Aim(grid=fact.desk if hasattr(fact, "desk") else fact.grid)]


def _skipped(row: Row, item: Any) -> _Aim:
    if row.who is Who.PASSED_OVER:
        return _Aim(person=item.person, skipped=item)
    return _Aim(grid=item.grid, skipped=item)


def _seats(fact: Any) -> Mapping[UUID, Hold]:
    """Everybody once; who chairs does so as their work."""
    return {seat.person: Hold.VOLUNTEER for seat in fact.seats} | {fact.chair: Hold.NEVER}


def _telling(row: Row, fact: Any, aim: _Aim, *, case: UUID, seq: int) -> Telling:
    hop = aim.skipped.hop if aim.skipped else getattr(fact, "hop", None)
    values = {"f": fact, "case": case, "hop": hop, "seq": seq, "day": STILL_ASKING_DAYS.get(getattr(fact, "n", 0))}
    elsewhere = aim.skipped if row.who is Who.COMMUNITY_DESK else None
    return Telling(
        row=row,
        case=case,
        key=f"{row.reason}:{row.key.format(**values)}",
        template=(row.template or row.reason).format(**values),
        person=aim.person,
        grid=aim.grid,
        departments=aim.departments,
        recused=getattr(fact, "recused", ()),
        hop=hop if row.per_hop else None,
        urgent=row.loud and _pressing(fact),
        hold=aim.hold or _hold(row, fact),
        place=elsewhere.grid if elsewhere else _place(fact),
        channel=_channel(row, fact),
        facts=_facts(row, fact, elsewhere),
    )


def _pressing(fact: Any) -> bool:
    return not {"urgent", "emergency"}.isdisjoint({getattr(fact, "urgency", ""), getattr(fact, "occasion", "")})


def _place(fact: Any) -> UUID:
    place: UUID = fact.place if hasattr(fact, "place") else fact.community
    return place


def _channel(row: Row, fact: Any) -> str | None:
    """What answers a text or a button goes back by the way it came."""
    if row.who is Who.REPLIED:
        return "sms"
    return fact.channel if row.who is Who.ACTOR else None


def _facts(row: Row, fact: Any, elsewhere: Any) -> dict[str, str | None]:
    by = getattr(fact, row.by.format(f=fact), None)
    said = {
        "number": fact.number,
        "category": fact.category,
        "level": elsewhere.level if elsewhere else getattr(fact, "level", None),
        "holder": "person" if elsewhere else getattr(fact, "holder_kind", None),
        "by": by.isoformat() if by else None,
        "why": getattr(fact, "why", None),
    }
    more = {name: getattr(fact, name, None) for name in ("whistle", "overdue", "venue", "kind", "phase")}
    more |= {"department": getattr(fact, "lead", None)}
    if row.who is Who.ACTOR:
        more |= {"act": fact.act, "mine": "yes" if fact.holder_person == fact.person else None}
    return said | {name: str(value) for name, value in more.items() if value is not None}


def _hold(row: Row, fact: Any) -> Hold:
    """Quiet hours are for volunteers and residents; desks are told at any hour, and of an emergency everyone is."""
    if row.hold is Hold.VOLUNTEER:
        volunteer = fact.holder_kind == "person" and fact.level in VOLUNTEER_LEVELS
        return Hold.VOLUNTEER if volunteer and fact.urgency != "emergency" else Hold.NEVER
    return row.hold
