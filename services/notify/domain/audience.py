"""Who is told what: one table, read by the code, the tests and the documentation.

A row says: when this event happens, tell these people, for this reason, once per key. Everything else about telling
(when, by which channel, in which words) is decided elsewhere. "Left by timeout" has no row: nobody is told whose
silence it was.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

VOLUNTEER_LEVELS = frozenset({"micro", "small", "middle", "large"})
RESIDENT_EVENTS = ("CaseAccepted", "CaseClaimed")
STILL_ASKING_DAYS = {1: 3, 2: 6}
"""Number of the reminder of "solved?" → the day its key names."""
HOP_OPENS = ("CaseOpened", "CaseEscalated", "CaseMoved", "CaseReopened")


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
    """The district's desk, and the desk at the case's grid or the nearest above it."""


class Hold(StrEnum):
    """Whether quiet hours hold a message back."""

    NEVER = "never"
    VOLUNTEER = "volunteer"
    """Held if it goes to a person at a volunteer level."""
    RESIDENT = "resident"
    """Held unless it answers what the resident did a moment ago."""
    DIGEST = "digest"
    """Always waits for the digest."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `key` is the idempotency key without the person."""

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
    only: Callable[[Any], bool] = lambda _: True

    @property
    def per_person(self) -> bool:
        return self.who is not Who.REPORTER


def _not_own_find(fact: Any) -> bool:
    return not (fact.own and fact.phase == "accepted")


TABLE: tuple[Row, ...] = (
    Row(
        HOP_OPENS,
        "assigned",
        Who.HOLDER,
        "{case}.{hop}",
        Hold.VOLUNTEER,
        loud=True,
        per_hop=True,
        only=_not_own_find,
    ),
    Row(
        ("CaseReminded",),
        "reminder",
        Who.HOLDER,
        "{case}.{hop}:{clock}",
        Hold.VOLUNTEER,
        loud=True,
        per_hop=True,
        template="reminder-{clock}",
    ),
    Row(HOP_OPENS, "night", Who.PASSED_OVER, "{case}", Hold.DIGEST, skip="night"),
    Row(HOP_OPENS, "unreachable", Who.COMMUNITY_DESK, "{case}.{hop}", skip="unreachable", per_hop=True),
    Row(
        ("CaseOpened",),
        "emergency",
        Who.ALARM,
        "{case}",
        loud=True,
        only=lambda fact: fact.urgency == "emergency",
    ),
    Row(
        ("CaseOpened",),
        "received",
        Who.REPORTER,
        "{case}:{seq}",
        Hold.RESIDENT,
        only=lambda fact: not fact.own,
    ),
    Row(RESIDENT_EVENTS, "accepted", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT),
    Row(("CaseAsked",), "asked", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT),
    Row(("CaseAskReminded",), "asked", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT, template="asked-again"),
    Row(("CaseResolved",), "resolved", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT),
    Row(("CaseStillAsking",), "still-asking", Who.REPORTER, "{case}.{hop}:{day}", Hold.RESIDENT),
    Row(("CaseSupervised",), "supervision", Who.SUPERVISORS, "{case}", template="supervision"),
)

_HOP = frozenset({"assigned", "reminder", "accepted", "asked"})
STALE: Mapping[str, frozenset[str] | None] = {
    "CaseAccepted": frozenset({"assigned", "reminder"}),
    "CaseClaimed": _HOP,
    "CaseEscalated": _HOP,
    "CaseMoved": _HOP,
    "CaseReplied": frozenset({"asked"}),
    "CaseResolved": _HOP,
    "CaseReopened": _HOP | {"resolved", "still-asking"},
    "CaseClosed": None,
}
"""Event → the reasons that are no longer true after it, so that what still waits for them is dropped; None: all."""

RESIDENT_SPOKE = frozenset({"CaseReplied", "CaseReopened"})
"""Events that are the resident's own act."""


@dataclass(frozen=True)
class Telling:
    """A row applied to one event: an audience still to be turned into persons."""

    row: Row
    case: UUID
    key: str
    template: str
    person: UUID | None
    grid: UUID | None
    recused: Sequence[UUID]
    hop: int | None
    urgent: bool
    hold: Hold
    place: UUID
    """The grid whose name the message says."""
    facts: Mapping[str, str | None]
    """What else it says: number, category, level and kind of the hand it is in, `by` (a time), `why`."""


def tell(event: str, fact: Any, *, case: UUID, seq: int) -> Iterator[Telling]:
    """Applies the table to one event. `fact` is its data: the case after it, and what is special to the event."""
    for row in TABLE:
        if event in row.events and row.only(fact):
            for skipped in _skipped(row, fact):
                yield _telling(row, fact, skipped, case=case, seq=seq)


def _skipped(row: Row, fact: Any) -> Sequence[Any]:
    """The skipped hops a row is about; a row that is about none is applied once."""
    if row.skip is None:
        return (None,)
    return [item for item in fact.skipped if item.reason == row.skip]


def _telling(row: Row, fact: Any, skipped: Any, *, case: UUID, seq: int) -> Telling:
    values = {"case": case, "hop": skipped.hop if skipped else fact.hop, "seq": seq}
    values |= {"clock": getattr(fact, "clock", ""), "day": STILL_ASKING_DAYS.get(getattr(fact, "n", 0))}
    person, grid = _anchor(row.who, fact, skipped)
    unreachable = row.who is Who.COMMUNITY_DESK
    return Telling(
        row=row,
        case=case,
        key=f"{row.reason}:{row.key.format(**values)}",
        template=(row.template or row.reason).format(**values),
        person=person,
        grid=grid,
        recused=fact.recused,
        hop=int(str(values["hop"])) if row.per_hop else None,
        urgent=row.loud and fact.urgency in ("urgent", "emergency"),
        hold=_hold(row, fact),
        place=skipped.grid if unreachable else fact.place,
        facts={
            "number": fact.number,
            "category": fact.category,
            "level": skipped.level if unreachable else fact.level,
            "holder": "person" if unreachable else fact.holder_kind,
            "by": _deadline(row, fact),
            "why": getattr(fact, "why", None),
        },
    )


def _deadline(row: Row, fact: Any) -> str | None:
    """The time a message speaks of: to a resident whose case is accepted, the promise; else the clock that runs."""
    if row.reason == "accepted":
        by = fact.promised_by
    else:
        by = fact.resolve_by if getattr(fact, "clock", "") == "resolve" else fact.accept_by
    return by.isoformat() if by else None


def _anchor(who: Who, fact: Any, skipped: Any) -> tuple[UUID | None, UUID | None]:
    """The person to tell, or the grid from which the store finds the audience."""
    if who is Who.HOLDER:
        return (fact.holder_person, None) if fact.holder_kind == "person" else (None, fact.grid)
    if who is Who.REPORTER:
        return fact.reporter, None
    if who is Who.PASSED_OVER:
        return skipped.person, None
    if who is Who.COMMUNITY_DESK:
        return None, skipped.grid
    return None, fact.place if who is Who.ALARM else fact.grid


def _hold(row: Row, fact: Any) -> Hold:
    """Quiet hours are for volunteers and residents; desks are told at any hour, and of an emergency everyone is."""
    if row.hold is Hold.VOLUNTEER:
        volunteer = fact.holder_kind == "person" and fact.level in VOLUNTEER_LEVELS
        return Hold.VOLUNTEER if volunteer and fact.urgency != "emergency" else Hold.NEVER
    return row.hold
