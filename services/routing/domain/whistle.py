"""The whistle's state machine (吹哨报到) as one table, read by code, tests, docs and pages.

`blown -> acknowledged -> reported_in -> result -> confirmed`; a return goes back to reported_in. Disputed, extended
and overdue are flags beside the state. Only the lead has clocks.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

DRAFT, BLOWN, ACKNOWLEDGED, REPORTED_IN = "draft", "blown", "acknowledged", "reported_in"
RESULT, CONFIRMED, WITHDRAWN = "result", "confirmed", "withdrawn"
STATES = (DRAFT, BLOWN, ACKNOWLEDGED, REPORTED_IN, RESULT, CONFIRMED, WITHDRAWN)
OPEN = frozenset({BLOWN, ACKNOWLEDGED, REPORTED_IN, RESULT})
FREE: frozenset[str | None] = frozenset({None, "reporter", "whistle"})
"""What may hold a case from which a whistle is blown: a question to the resident is dropped, another whistle may be
open; while it is deliberated nobody blows."""
OCCASIONS = ("demand", "enforcement", "emergency", "key_work")

LEAD, DESK, ARBITER = "lead", "desk", "arbiter"
"""Who acts: an officer of the lead department, a person of the whistling desk, the district's arbiter."""
MAX_RETURNS = 2
MAX_TRANSFERS = 2
"""The first lead counts as none; a dispute of the second new lead is no longer heard."""


@dataclass(frozen=True)
class WhistleAct:
    """One row: who may do it, in which states, and the state afterwards (None: as before)."""

    name: str
    zh: str
    by: frozenset[str]
    states: frozenset[str]
    then: str | None


def _act(name: str, zh: str, by: str, states: Iterable[str], then: str | None) -> WhistleAct:
    return WhistleAct(name, zh, frozenset(by.split()), frozenset(states), then)


WHISTLE_ACTS: dict[str, WhistleAct] = {
    act.name: act
    for act in (
        _act("send", "吹哨", "desk", {DRAFT}, BLOWN),
        _act("acknowledge", "收到", "lead", {BLOWN}, ACKNOWLEDGED),
        _act("report-in", "已到场", "lead", {BLOWN, ACKNOWLEDGED}, REPORTED_IN),
        _act("result", "结果", "lead", {REPORTED_IN}, RESULT),
        _act("confirm", "确认", "desk", {RESULT}, CONFIRMED),
        _act("return", "退回再办", "desk", {RESULT}, REPORTED_IN),
        _act("withdraw", "撤哨", "desk", OPEN | {DRAFT}, WITHDRAWN),
        _act("dispute", "异议", "lead", {BLOWN, ACKNOWLEDGED}, None),
        _act("decide", "裁决", "arbiter", {BLOWN, ACKNOWLEDGED, REPORTED_IN}, None),
        _act("extend", "延期", "lead", {REPORTED_IN}, None),
        _act("rate", "评价", "lead desk", {CONFIRMED}, None),
    )
}


@dataclass(frozen=True)
class WhistleState:
    """What the table looks at. `rated`: the sides that have rated; `in_time`: the report-in limit is not over."""

    state: str
    disputed: bool = False
    dispute_used: bool = False
    transfers: int = 0
    in_time: bool = True
    extended: bool = False
    returns: int = 0
    rated: frozenset[str] = frozenset()


def allows(act: WhistleAct, now: WhistleState, side: str | None = None) -> bool:
    """Whether the state allows the act; for `rate`, whether `side` has not rated yet."""
    if now.state not in act.states:
        return False
    if act.name == "dispute":
        return now.in_time and not now.dispute_used and now.transfers < MAX_TRANSFERS
    if act.name == "decide":
        return now.disputed
    if act.name == "extend":
        return not now.extended
    if act.name == "return":
        return now.returns < MAX_RETURNS
    if act.name == "rate":
        return side is None or side not in now.rated
    return True


def can(now: WhistleState, relations: Collection[str]) -> list[str]:
    """The acts someone with these relations has now, in the table's order."""
    mine = frozenset(relations)
    return [
        act.name
        for act in WHISTLE_ACTS.values()
        if any(allows(act, now, _side(relation)) for relation in act.by & mine)
    ]


def _side(relation: str) -> str:
    return "department" if relation == LEAD else "desk"


def side_of(relations: Collection[str]) -> str:
    """The side a caller rates for."""
    return _side(LEAD if LEAD in relations else DESK)
