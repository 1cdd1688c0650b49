"""The climb, drawn: a ladder with the resident's unit at the bottom and the subdistrict at the top."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chuishao.store import Rung
from chuishao.words import ENDED, HOLDS, HOW, PHASES, SKIPPED, level_name, limit_time, span
from shared.contracts.labels import category_label

NOW, DONE, LATER, PASSED_OVER = "●", "✓", "○", "⊘"


def draw(case: dict[str, Any], ladder: Sequence[Rung], log: Sequence[str]) -> RenderableType:
    """The ladder of a case (as its GET gives it) with the latest lines of what happened below."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=1)
    table.add_column(min_width=22)
    table.add_column()
    for rung in ladder:
        table.add_row(*_rung(case, rung))
    table.add_row(
        Text("⌂"), Text("居民"), Text(f"{category_label(case['category'])}  {case['place']['label']}", style="dim")
    )
    lines = Text("\n".join(log), style="dim")
    return Group(Panel(table, title=f"[bold]{case['number']}[/]", subtitle=_state(case), expand=False), lines)


def _rung(case: dict[str, Any], rung: Rung) -> tuple[Text, Text, Text]:
    hops = [hop for hop in case["hops"] if hop["grid"] == rung.code]
    name = f"{rung.label}"
    here = case["grid"] == rung.code and case["phase"] != "closed"
    if here:
        style = "bold blue"
        return Text(NOW, style), Text(case["holder"]["label"], style), Text(_time_left(case), style)
    if not hops:
        return Text(LATER, "dim"), Text(name, "dim"), Text(level_name(rung.level), "dim")
    last = hops[-1]
    if last["skipped"]:
        why = SKIPPED.get(last["skipped"], last["skipped"])
        return (
            Text(PASSED_OVER, "yellow"),
            Text(name, "yellow"),
            Text(f"{limit_time(last['since'], case['now'])} 跳过：{why}", "yellow"),
        )
    ended = ENDED.get(last["ended_by"] or "", "")
    until = limit_time(last["until"], case["now"]) if last["until"] else ""
    holder = last["holder"]["label"] if last["holder"] else name
    return (
        Text(DONE, "green"),
        Text(holder),
        Text(f"{limit_time(last['since'], case['now'])} 送到  {until} {ended}", "dim"),
    )


def _time_left(case: dict[str, Any]) -> str:
    if case["on_hold"]:
        return HOLDS.get(case["on_hold"], str(case["on_hold"]))
    limit, what = (case["accept_by"], "接") if case["phase"] == "assigned" else (case["resolve_by"], "办完")
    if case["phase"] == "resolved" or limit is None:
        return PHASES[case["phase"]]
    left = (datetime.fromisoformat(limit) - datetime.fromisoformat(case["now"])).total_seconds()
    return f"还有 {span(left)} · 最晚 {limit_time(limit, case['now'])} 有人{what}"


def _state(case: dict[str, Any]) -> str:
    if case["phase"] == "closed":
        return f"结了：{HOW.get(case['closed_how'], case['closed_how'])}"
    return PHASES[case["phase"]] + (" · 督办" if case["supervised"] else "")
