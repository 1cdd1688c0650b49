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
    "reopened": ("reopened", "您说没解决，已转给{who}"),
    "closed": ("closed", "{closed}"),
}
_CLOSED = {
    "confirmed": "您说解决了，这件事办结了",
    "unanswered": "等了您几天没有回音，先办结了；30 天内说一声没解决，就接着办",
    "withdrawn": "您撤回了",
    "own": "自办自结",
}


def line(kind: str, *, who: str, how: str | None, words: str | None) -> tuple[str, str] | None:
    """(kind, text) of a line of a resident's history, or None for what is not told."""
    if kind not in _KINDS:
        return None
    shown, template = _KINDS[kind]
    return shown, template.format(who=who, text=words or "", closed=_CLOSED.get(how or "", "办结了"))
