"""The notice for the board (公示): what, when, where, which kinds have a seat, and what came of it. It holds no
person's name, number or telephone; the title and the result are written by desk and chair for this board."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_WEEKDAYS = "一二三四五六日"
_OUTCOMES = {"opinion": "形成意见", "resolution": "形成决议", "no_agreement": "没有谈拢"}


@dataclass(frozen=True)
class Notice:
    """Times are local. `kinds`: the seats' kinds, each once; `tasks`: text, owner, day."""

    community: str
    title: str
    category: str
    venue: str
    starts: datetime
    ends: datetime
    kinds: Sequence[str]
    cancelled: bool
    outcome: str | None = None
    result: str | None = None
    tasks: Sequence[tuple[str, str, datetime]] = ()


def compose(notice: Notice) -> str:
    """As lines of text, to be printed and hung up."""
    day, until = notice.starts, notice.ends
    lines = [
        f"{notice.community}议事公示" + ("（已取消）" if notice.cancelled else ""),
        "",
        f"议题：{notice.title}（{notice.category}）",
        f"时间：{day.year}年{day.month}月{day.day}日 周{_WEEKDAYS[day.weekday()]} {day:%H:%M}—{until:%H:%M}",
        f"地点：{notice.venue}",
        f"参加：{'、'.join(dict.fromkeys(notice.kinds))}",
    ]
    if notice.outcome:
        lines += ["", f"结果：{_OUTCOMES[notice.outcome]}", notice.result or ""]
        lines += [f"  {n}. {text}——{owner}，{due.month}月{due.day}日前" for n, (text, owner, due) in _numbered(notice)]
    return "\n".join(lines) + "\n"


def _numbered(notice: Notice) -> list[tuple[int, tuple[str, str, datetime]]]:
    return list(enumerate(notice.tasks, 1))
