"""Turns a message's parameters (codes, labels, times) into the words of its template."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.notify.domain.slots import ZONE
from services.notify.domain.templates import (
    BUTTONS,
    FIELDS,
    PLAIN,
    STRING,
    TEMPLATES,
    TEXTS,
    THING,
    VARIABLE_LENGTH,
    WECOM_LENGTH,
    Ask,
)

VARIABLE = re.compile(r"\$\{(\w+)}")
LISTED = 3
"""Issues a bundle names; the rest are counted."""

HOLDERS: Mapping[tuple[str, str], str] = {
    ("micro", "person"): "单元长",
    ("small", "person"): "楼栋长",
    ("middle", "person"): "小区长",
    ("large", "person"): "网格长",
    ("community", "desk"): "社区值班台",
    ("subdistrict", "desk"): "街道值班台",
    ("district", "desk"): "区指挥中心",
}
WHY = {
    "timeout": "到时间还没人接",
    "third_no": "居民三次说没解决",
    "promise": "过了答应居民的日子",
    "report_in": "部门还没到场",
    "unconfirmed": "部门的结果还没人确认",
}
OVERDUE = {"yellow": "说好的时间到了", "red": "说好的时间过了一半还多", "supervision": "已列入督办"}
OUTCOME = {"opinion": "大家都说了看法", "resolution": "大家商量定了", "no_agreement": "这次没谈拢"}
WHAT = {
    "assigned": "等您接",
    "reminder": "还等着您",
    "night": "夜里已交给社区值班台",
    "received": "收到了",
    "accepted": "有人接了",
    "asked": "想问您一句",
    "resolved": "说办好了，解决了吗",
    "still-asking": "解决了吗",
    "invitation": "请您来商量",
    "moved": "商量的时间改了",
    "cancelled": "商量的会不开了",
    "meeting-reminder": "别忘了来商量",
    "meeting-result": "商量有结果了",
}
"""Reason → its few words in a digest."""
STANDING = {
    "assigned": "已经转给${holder}了",
    "accepted": "${holder}已经接了，不用您跑了",
    "resolved": "已经办好了，在等居民说一声",
    "closed": "已经结了，不用再回",
}
"""A case's phase → why what somebody wanted to do about it is not needed any more."""


def values(
    template: str, params: Mapping[str, Any], *, code: str, now: datetime, marks: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Every variable of the template with its text. `code` opens the issue for its reporter; `marks` are, by issue,
    the digits its reader can answer with."""
    marks = marks or {}
    holder = HOLDERS.get((params.get("level"), params.get("holder")), "值班台")  # type: ignore[arg-type]
    texts = {"code": code, **_bundle(params, marks)} | {
        "number": str(params.get("number")),
        "category": str(params.get("label")),
        "place": str(params.get("place")),
        "holder": holder,
        "when": spoken_deadline(params.get("by"), now),
        "start": spoken_time(params["by"], now) if params.get("by") else "",
        "why": WHY.get(str(params.get("why")), "需要跟一下"),
        "mark": str(next(iter(marks.values()), "")),
        "department": str(params.get("department")),
        "overdue": OVERDUE.get(str(params.get("overdue")), ""),
        "venue": str(params.get("venue")),
        "outcome": OUTCOME.get(str(params.get("kind")), ""),
        "standing": _standing(params, holder),
        "alarm": "有事到点没动，请告诉管理员",
        "due": str(params.get("due")),
        "minutes": str(params.get("minutes")),
    }
    wanted = {*VARIABLE.findall(TEXTS[template]), *TEMPLATES[template.removesuffix(PLAIN)].fields.values()}
    return {name: texts[name] for name in wanted}


def _standing(params: Mapping[str, Any], holder: str) -> str:
    """Why nothing was done: what has become of the case since it was asked about."""
    act, phase = params.get("act"), str(params.get("phase"))
    if act in BUTTONS[Ask.OFFICER]:
        return "的吹哨已经变了，打开看一眼"
    if phase == "accepted" and params.get("mine"):
        return "您已经接了"
    if phase == "accepted" and act in BUTTONS[Ask.RESIDENT]:
        return f"{holder}正在办"
    return STANDING.get(phase, "已经变了").replace("${holder}", holder)


def _bundle(params: Mapping[str, Any], marks: Mapping[str, int]) -> dict[str, str]:
    """The issues a message speaks for: `item1` … in a text, shorter `line1` … on a card."""
    listed: Sequence[Mapping[str, Any]] = params.get("items", ())
    lines = [f"{i['label']} {i['number']}" for i in listed]
    items = [_item(item, marks.get(str(item.get("issue")))) for item in listed]
    texts = {"count": str(len(listed))}
    for name, parts, most in (("item", items, params.get("most", LISTED)), ("line", lines, LISTED)):
        shown = parts if len(parts) <= most else [*parts[: most - 1], f"还有{len(parts) - most + 1}件"]
        shown += ["就这些"] * (LISTED - len(shown))
        texts |= {f"{name}{n}": part for n, part in enumerate(shown, start=1)}
    return texts


def _item(item: Mapping[str, Any], mark: int | None) -> str:
    what = WHAT.get(str(item.get("reason")))
    digits = f"（{item.get('mark') or mark}）" if item.get("mark") or mark else ""
    return f"{item['label']} {item['number']}{digits}" + (f"，{what}" if what else "")


def spoken_deadline(by: str | None, now: datetime) -> str:
    """`14:30前`, `明天9:00前`, `12月1日9:00前`; `尽快` when there is none. Times of the wall clock in China."""
    return f"{spoken_time(by, now)}前" if by else "尽快"


def spoken_time(when: str, now: datetime) -> str:
    """`14:30`, `明天9:00`, `12月1日9:00`."""
    at, today = datetime.fromisoformat(when).astimezone(ZONE), now.astimezone(ZONE).date()
    days = {today: "", today + timedelta(days=1): "明天"}
    return f"{days.get(at.date(), f'{at.month}月{at.day}日')}{at.hour}:{at.minute:02d}"


def fill(channel: str, template: str, texts: Mapping[str, str]) -> dict[str, str]:
    """What a channel's template is filled with: SMS variables, WeChat fields or the lines of a WeCom card, each within
    the provider's limit."""
    if channel == "sms":
        return {name: _fit(texts[name], VARIABLE_LENGTH) for name in VARIABLE.findall(TEXTS[template])}
    fields = TEMPLATES[template].fields
    if channel == "wecom":
        return {FIELDS[name]: _fit(texts[name], WECOM_LENGTH) for name in fields.values()}
    return {f: _fit(texts[name], STRING if f.startswith("character") else THING) for f, name in fields.items()}


def _fit(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
