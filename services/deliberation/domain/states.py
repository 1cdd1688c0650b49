"""The state machine of a topic and its meeting (协商议事) as one table, read by code, tests, docs and pages.

A topic has at most one meeting, and the meeting's state follows from the topic's: so there is one state to keep.
"""

from collections.abc import Iterable
from dataclasses import dataclass

PROPOSED, SCREENED, REFUSED = "proposed", "screened", "refused"
SCHEDULED, HELD, DONE, WITHDRAWN = "scheduled", "held", "done", "withdrawn"
STATES = (PROPOSED, SCREENED, REFUSED, SCHEDULED, HELD, DONE, WITHDRAWN)
OPEN = frozenset({PROPOSED, SCREENED, SCHEDULED, HELD})
"""A case has one topic in these states at most."""
ON_HOLD = frozenset({SCREENED, SCHEDULED, HELD})
"""The case stands still; every way out of these releases it."""

MEETING = {SCHEDULED: "scheduled", HELD: "held", DONE: "done", WITHDRAWN: "cancelled"}
"""Topic's state -> its meeting's."""

DESK, CHAIR, SEAT, CLOCK, CASE = "desk", "chair", "seat", "clock", "case"
"""Who acts: a desk on the way up from the place, the community's secretary, who has a seat in the meeting (or comes
for one), time itself, and the case that came to its end."""


@dataclass(frozen=True)
class Act:
    """One row: who may do it, in which states, and the state afterwards (None: as before)."""

    name: str
    zh: str
    by: frozenset[str]
    states: frozenset[str]
    then: str | None


def _act(name: str, zh: str, by: str, states: str, then: str | None) -> Act:
    return Act(name, zh, frozenset(by.split()), frozenset(states.split()), then)


ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        _act("propose", "提请议事", "desk", "", PROPOSED),
        _act("screen", "同意议", "chair", "proposed", SCREENED),
        _act("refuse", "不议", "chair", "proposed", REFUSED),
        _act("lapse", "到期没人审", "clock", "proposed", WITHDRAWN),
        _act("plan", "排时间", "desk", "screened scheduled", SCHEDULED),
        _act("reply", "回复来不来", "seat", "scheduled", None),
        _act("remind", "提醒", "clock", "scheduled", None),
        _act("postpone", "改期", "chair", "scheduled", None),
        _act("check-in", "签到", "seat chair", "scheduled held", None),
        _act("open", "开会", "chair", "scheduled", HELD),
        _act("result", "公布结果", "chair", "held", DONE),
        _act("withdraw", "不议了", "desk", "proposed screened scheduled", WITHDRAWN),
        _act("close", "事情已了结", "case", "proposed screened scheduled", WITHDRAWN),
    )
}

OUTCOMES = ("opinion", "resolution", "no_agreement")
"""What a meeting may come to: 意见, 决议, 没谈拢."""
UNSCREENED = "unscreened"
"""How a topic ended that nobody screened in time; the other ends are called like their state or outcome."""


@dataclass(frozen=True)
class State:
    """What the table looks at. `started`: the meeting's time has come. `moves_left`: how often it may be postponed."""

    name: str
    started: bool = False
    moves_left: int = 0


def allows(act: str, state: State) -> bool:
    """Whether the state allows the act, whoever does it."""
    if act == "open" and not state.started:
        return False
    if act == "postpone" and not state.moves_left:
        return False
    return state.name in ACTS[act].states


def can(state: State, relations: Iterable[str]) -> list[str]:
    """The acts that someone with these relations to the topic has now, in the table's order."""
    mine = frozenset(relations)
    return [act.name for act in ACTS.values() if act.by & mine and allows(act.name, state)]
