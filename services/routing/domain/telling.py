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
    "returned": ("moved", "转回给{who}"),
    "suspended": ("suspended", "先放一放：{text}。{until}接着办"),
    "woken": ("woken", "接着办"),
    "extended": ("extended", "要多些时间：{text}。{until}前办好"),
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
    "merged": "和别人报的同一件事合到一起办",
    "out_of_scope": "这件事不归这里办：{text}",
    "handed_over": "转给别的系统接着办，还没办完：{text}",
}
# Of a case that somebody else told: nothing of what that person said or was told.
_SHARED = {
    "escalated",
    "moved",
    "returned",
    "accepted",
    "claimed",
    "held",
    "released",
    "suspended",
    "woken",
    "extended",
    "resolved",
    "reopened",
    "closed",
}
_SHARED_WORDS = {"reopened": "还没解决，已转给{who}"}
_SHARED_CLOSED = {**_CLOSED, "confirmed": "这件事办结了", "unanswered": "这件事办结了"}


_HELD = {"whistle": "在等部门", "deliberation": "要开会商量"}


def line(
    kind: str,
    *,
    who: str,
    how: str | None,
    words: str | None,
    why: str | None = None,
    until: str | None = None,
    shared: bool = False,
) -> tuple[str, str] | None:
    """(kind, text) of a line of a resident's history, or None for what is not told. `until`: a day, in words;
    `shared`: of a case that somebody else told."""
    if kind not in _KINDS or (shared and kind not in _SHARED):
        return None
    shown, template = _KINDS[kind]
    if shared:
        template = _SHARED_WORDS.get(kind, template)
    closed = (_SHARED_CLOSED if shared else _CLOSED).get(how or "", "办结了").format(text=words or "")
    return shown, template.format(
        who=who, text=words or "", until=until or "", closed=closed, held=_HELD.get(why or "", "先放一放")
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
