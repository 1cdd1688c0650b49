"""The case's state machine as one table, read by code, tests, docs and pages (domain rules of a case, 办理).

`phase` is assigned -> accepted -> resolved -> closed; `on_hold` lies beside it and says why the clocks stand still.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

ASSIGNED, ACCEPTED, RESOLVED, CLOSED = "assigned", "accepted", "resolved", "closed"
OPEN = frozenset({ASSIGNED, ACCEPTED})
RUNNING: frozenset[str | None] = frozenset({None})
ASKING: frozenset[str | None] = frozenset({None, "reporter"})
SLEEPING: frozenset[str | None] = frozenset({"suspended"})
QUIET: frozenset[str | None] = frozenset({None, "reporter", "suspended"})
"""Nobody but the holder is at work on it: no department, no meeting."""
HELD: frozenset[str | None] = frozenset({None, "reporter", "suspended", "whistle", "deliberation"})

HOLDER, FORMER, BOUND, REPORTER, DESK, CLOCK = "holder", "former", "bound", "reporter", "desk", "clock"
AUTHORITY, SENIOR, ASKER = "authority", "senior", "asker"
"""Who acts: the present holder (or a desk above for them), a level the case has passed, a bound party member, the
resident, a desk above the holder, and time itself; the community's desk or a higher one that is not below the holder,
whoever has a post at a level above, and whoever asked for what waits for a second person."""


@dataclass(frozen=True)
class Act:
    """One row: who may do it, in which states, and the phase afterwards (None: as before). With `granted_by` it takes
    two: the first call asks, and one of these grants it by calling the same, or declines."""

    name: str
    zh: str
    by: frozenset[str]
    phases: frozenset[str]
    on_hold: frozenset[str | None]
    then: str | None
    granted_by: frozenset[str] = frozenset()


def _act(
    name: str,
    zh: str,
    by: str,
    phases: Iterable[str],
    on_hold: frozenset[str | None],
    then: str | None,
    *,
    granted_by: str = "",
) -> Act:
    return Act(name, zh, frozenset(by.split()), frozenset(phases), on_hold, then, frozenset(granted_by.split()))


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
        _act("return", "退回", "holder", OPEN, RUNNING, ASSIGNED),
        _act("suspend", "挂账", "holder", OPEN, ASKING, None, granted_by="authority"),
        _act("resume", "接着办", "holder authority", OPEN, SLEEPING, None),
        _act("wake", "挂账到期", "clock", OPEN, SLEEPING, None),
        _act("extend", "延期", "holder", {ACCEPTED}, RUNNING, None, granted_by="senior"),
        _act("decline", "不同意", "authority senior", OPEN, HELD, None),
        _act("merge", "合并", "authority", OPEN, QUIET, CLOSED),
        _act("out-of-scope", "不受理", "authority", OPEN, QUIET, CLOSED, granted_by="authority"),
        _act("hand-over", "移交", "authority", OPEN, QUIET, CLOSED),
    )
}

LAST_NO = 3
"""The third "not solved": the case goes to the desk above the last handler, without deadlines, supervised."""


@dataclass(frozen=True)
class State:
    """What the table looks at.

    `reopenable`: closed as unanswered, and not for longer than the policy allows. `can_climb`: there is a hand above
    that the holder may pass it to; `can_return`: one below had it, and it was not given back before. `can_extend`: it
    has a deadline for which no extension was asked yet. `requested`: the act that waits for a second person.
    `followed`: other reports of the same thing wait for it.
    """

    phase: str
    on_hold: str | None
    reopenable: bool = False
    can_climb: bool = True
    can_return: bool = False
    can_extend: bool = False
    requested: str | None = None
    followed: bool = False


def allows(act: Act, state: State) -> bool:
    """Whether the state allows the act, whoever does it."""
    if act.name == "answer" and state.reopenable:
        return True
    return state.phase in act.phases and state.on_hold in act.on_hold and _fits(act, state)


def _fits(act: Act, state: State) -> bool:
    """What an act asks for beyond phase and hold."""
    if act.granted_by and state.requested is not None:
        return state.requested == act.name
    match act.name:
        case "escalate":
            return state.can_climb
        case "return":
            return state.can_return
        case "extend":
            return state.can_extend
        case "decline":
            return state.requested is not None
        case "withdraw":
            return not state.followed
    return True


def awaited(act: Act, state: State) -> bool:
    """Whether the act would decide what somebody has asked for."""
    return state.requested is not None and act.name in ("decline", state.requested)


def hands(act: Act, state: State) -> frozenset[str]:
    """Who may do the act now: while it waits for a second person, that one."""
    if state.requested is not None and awaited(act, state):
        return ACTS[state.requested].granted_by
    return act.by


def is_own_request(act: Act, state: State, relations: Collection[str]) -> bool:
    """Whether the caller would be his own second person."""
    return awaited(act, state) and ASKER in relations


def can(state: State, relations: Iterable[str]) -> list[str]:
    """The acts that someone with these relations to the case has now, in the table's order. A desk above has those of
    the holder as well, on his behalf."""
    mine = frozenset(relations)
    if DESK in mine:
        mine |= {HOLDER}
    return [
        act.name
        for act in ACTS.values()
        if hands(act, state) & mine and allows(act, state) and not is_own_request(act, state, mine)
    ]
