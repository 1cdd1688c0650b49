"""What a resident reads of a case: what happened and who has it, by title; never whose silence it was."""

_KINDS: dict[str, tuple[str, str]] = {
    # history kind -> (kind in the interface, words); what is not here is not for residents
    "opened": ("received", "收到了，已经送到{who}手上"),
    "escalated": ("moved", "已转上一级：{who}"),
    "moved": ("moved", "已转给{who}"),
    "accepted": ("accepted", "{who}来办了"),
    "claimed": ("accepted", "{who}来办了"),
    "asked": ("asked", "{who}想问您：{text}"),
    "replied": ("replied", "接着办"),
    "resolved": ("resolved", "{who}说办好了：{text}"),
    "held": ("held", "{held}"),
    "released": ("released", "接着办"),
    "reopened": ("reopened", "您说没解决，已转给{who}"),
    "closed": ("closed", "{closed}"),
}
_CLOSED = {
    "confirmed": "您说解决了，这件事办结了",
    "unanswered": "等了您几天没有回音，先办结了；30 天内说一声没解决，就接着办",
    "withdrawn": "您撤回了",
    "own": "自办自结",
}


_HELD = {"whistle": "在等部门", "deliberation": "要开会商量"}


def line(kind: str, *, who: str, how: str | None, words: str | None, why: str | None = None) -> tuple[str, str] | None:
    """(kind, text) of a line of a resident's history, or None for what is not told."""
    if kind not in _KINDS:
        return None
    shown, template = _KINDS[kind]
    return shown, template.format(
        who=who, text=words or "", closed=_CLOSED.get(how or "", "办结了"), held=_HELD.get(why or "", "先放一放")
    )


_WHISTLE = {
    "blown": "社区吹哨，请{department}到场",
    "added": "社区吹哨，请{department}到场",
    "reported-in": "{department}到场了",
    "resulted": "{department}说办完了，社区在看",
    "confirmed": "社区确认{department}办好了",
    "returned": "社区请{department}接着办",
    "decided": "换{department}来办",
}


def whistle_line(kind: str, *, department: str) -> str | None:
    """A line of a resident's history about a department, or None for what is not told."""
    return _WHISTLE[kind].format(department=department) if kind in _WHISTLE else None
