"""Turns a message's parameters (codes, labels, times) into the words of its template."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.notify.domain.slots import ZONE
from services.notify.domain.templates import STRING, TEMPLATES, THING, VARIABLE_LENGTH

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
WHY = {"timeout": "到时间还没人接", "third_no": "居民三次说没解决", "promise": "过了答应居民的日子"}
WHAT = {
    "assigned": "等您接",
    "reminder": "还等着您",
    "night": "夜里已交给社区值班台",
    "received": "收到了",
    "accepted": "有人接了",
    "asked": "想问您一句",
    "resolved": "说办好了，解决了吗",
    "still-asking": "解决了吗",
}
"""Reason → its few words in a digest."""


def values(template: str, params: Mapping[str, Any], *, code: str, now: datetime) -> dict[str, str]:
    """Every variable of the template with its text. `code` opens the issue for its reporter."""
    texts = {"code": code, **_bundle(params)} | {
        "number": str(params["number"]),
        "category": str(params["label"]),
        "place": str(params["place"]),
        "holder": HOLDERS.get((params["level"], params["holder"]), "值班台"),
        "when": spoken_deadline(params.get("by"), now),
        "why": WHY.get(str(params.get("why")), "需要跟一下"),
    }
    wanted = {*VARIABLE.findall(TEMPLATES[template].sms), *TEMPLATES[template].wechat.values()}
    return {name: texts[name] for name in wanted}


def _bundle(params: Mapping[str, Any]) -> dict[str, str]:
    """The issues a message speaks for: `item1` … in a text, shorter `line1` … on a card."""
    listed: Sequence[Mapping[str, Any]] = params.get("items", ())
    lines = [f"{i['label']} {i['number']}" for i in listed]
    items = [f"{line}，{WHAT[i['reason']]}" for line, i in zip(lines, listed, strict=True)]
    texts = {"count": str(len(listed))}
    for name, parts in (("item", items), ("line", lines)):
        shown = parts if len(parts) <= LISTED else [*parts[: LISTED - 1], f"还有{len(parts) - LISTED + 1}件"]
        shown += ["就这些"] * (LISTED - len(shown))
        texts |= {f"{name}{n}": part for n, part in enumerate(shown, start=1)}
    return texts


def spoken_deadline(by: str | None, now: datetime) -> str:
    """`14:30前`, `明天9:00前`, `12月1日9:00前`; `尽快` when there is none. Times of the wall clock in China."""
    if by is None:
        return "尽快"
    at, today = datetime.fromisoformat(by).astimezone(ZONE), now.astimezone(ZONE).date()
    days = {today: "", today + timedelta(days=1): "明天"}
    return f"{days.get(at.date(), f'{at.month}月{at.day}日')}{at.hour}:{at.minute:02d}前"


def fill(channel: str, template: str, texts: Mapping[str, str]) -> dict[str, str]:
    """What a channel's template is filled with: SMS variables or WeChat fields, each within the provider's limit."""
    if channel == "wechat":
        fields = TEMPLATES[template].wechat
        return {f: _fit(texts[name], STRING if f.startswith("character") else THING) for f, name in fields.items()}
    return {name: _fit(texts[name], VARIABLE_LENGTH) for name in VARIABLE.findall(TEMPLATES[template].sms)}


def _fit(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
