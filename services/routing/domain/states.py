"""The case's state machine as one table, read by code, tests, docs and pages (domain rules of a case, 办理).

`phase` is assigned -> accepted -> resolved -> closed; `on_hold` lies beside it and says why the clocks stand still.
Acts with `offered=False` have their place here and are not open to anybody yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ASSIGNED, ACCEPTED, RESOLVED, CLOSED = "assigned", "accepted", "resolved", "closed"
OPEN = frozenset({ASSIGNED, ACCEPTED})
RUNNING: frozenset[str | None] = frozenset({None})
ASKING: frozenset[str | None] = frozenset({None, "reporter"})
HELD: frozenset[str | None] = frozenset({None, "reporter", "suspended", "whistle", "deliberation"})

HOLDER, FORMER, BOUND, REPORTER, DESK, CLOCK = "holder", "former", "bound", "reporter", "desk", "clock"
"""Who acts: the present holder (or a desk above for them), a level the case has passed, a bound party member, the
resident, the community's desk or one above, and time itself."""


@dataclass(frozen=True)
class Act:
    """One row: who may do it, in which states, and the phase afterwards (None: as before)."""

    name: str
    zh: str
    by: frozenset[str]
    phases: frozenset[str]
    on_hold: frozenset[str | None]
    then: str | None
    offered: bool = True


def _act(
    name: str,
    zh: str,
    by: str,
    phases: Iterable[str],
    on_hold: frozenset[str | None],
    then: str | None,
    offered: bool = True,
) -> Act:
    return Act(name, zh, frozenset(by.split()), frozenset(phases), on_hold, then, offered)


ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        _act("accept", "我来办", "holder", {ASSIGNED}, ASKING, ACCEPTED),
        _act("claim", "还是我来办", "former bound", {ASSIGNED}, RUNNING, ACCEPTED),
        _act("escalate", "往上报", "holder", OPEN, ASKING, ASSIGNED),
        _act("ask", "问一问", "holder", OPEN, RUNNING, None),
        _act("reply", "回答", "reporter", OPEN, frozenset({"reporter"}), None),
        _act("resolve", "办结", "holder", {ACCEPTED}, ASKING, RESOLVED),
        _act("answer", "解决了吗", "reporter", {RESOLVED}, RUNNING, CLOSED),
        _act("withdraw", "撤回", "reporter", OPEN | {RESOLVED}, HELD, CLOSED),
        _act("timeout", "到时转上一级", "clock", OPEN, RUNNING, ASSIGNED),
        _act("silence", "无人回答", "clock", {RESOLVED}, RUNNING, CLOSED),
        _act("return", "退回", "holder", OPEN, RUNNING, ASSIGNED, offered=False),
        _act("suspend", "挂账", "holder", OPEN, RUNNING, None, offered=False),
        _act("extend", "延期", "holder", OPEN, RUNNING, None, offered=False),
        _act("merge", "合并", "desk", OPEN, RUNNING, CLOSED, offered=False),
        _act("out-of-scope", "不受理", "desk", OPEN, RUNNING, CLOSED, offered=False),
        _act("hand-over", "移交", "desk", OPEN, RUNNING, CLOSED, offered=False),
    )
}

LAST_NO = 3
"""The third "not solved": the case goes to the desk above the last handler, without deadlines, supervised."""


@dataclass(frozen=True)
class State:
    """What the table looks at. `reopenable`: closed as unanswered, and not for longer than the policy allows.
    `can_climb`: there is a hand above that the holder may pass it to."""

    phase: str
    on_hold: str | None
    reopenable: bool = False
    can_climb: bool = True


def allows(act: Act, state: State) -> bool:
    """Whether the state allows the act, whoever does it."""
    if not act.offered:
        return False
    if act.name == "answer" and state.reopenable:
        return True
    if act.name == "escalate" and not state.can_climb:
        return False
    return state.phase in act.phases and state.on_hold in act.on_hold


def can(state: State, relations: Iterable[str]) -> list[str]:
    """The acts that someone with these relations to the case has now, in the table's order. A desk above has those of
    the holder as well, on his behalf."""
    mine = frozenset(relations)
    if DESK in mine:
        mine |= {HOLDER}
    return [act.name for act in ACTS.values() if act.by & mine and CLOCK not in act.by and allows(act, state)]
