"""A case's history, folded: what happened says what the case is by now."""

from collections.abc import Iterable, Mapping
from typing import Any

CLOCKS_GO_ON = frozenset({"replied", "released", "woken"})
NEW_HAND = frozenset({"opened", "claimed", "escalated", "returned", "moved", "reopened"})
COMPARED = ("phase", "on_hold", "closed_how", "hop", "rank", "noes", "supervised", "merged_into", "reply", "seq")


def replay(history: Iterable[Mapping[str, Any]], *, own: bool) -> dict[str, Any]:
    """The case after these rows (in the order of `seq`), without its clocks. `own`: a leader's own find. Raises
    AssertionError where a row is missing."""
    case: dict[str, Any] = dict.fromkeys(COMPARED) | {"noes": 0, "supervised": False, "seq": 0}
    for row in history:
        assert row["seq"] == case["seq"] + 1, "a row is missing"
        case |= {"seq": row["seq"], "hop": row["hop"], "rank": row["rank"], **_after(case, row, own)}
    return case


def _after(case: Mapping[str, Any], row: Mapping[str, Any], own: bool) -> dict[str, Any]:
    kind, detail = row["kind"], row["detail"]
    if kind in NEW_HAND:
        accepted = kind == "claimed" or (kind == "opened" and own)
        again = {"noes": case["noes"] + 1} if kind == "reopened" else {}
        return {"phase": "accepted" if accepted else "assigned", "on_hold": None, "closed_how": None, **again}
    if kind in CLOCKS_GO_ON:
        return {"on_hold": None}
    match kind:
        case "accepted":
            return {"phase": "accepted"}
        case "asked":
            return {"on_hold": "reporter"}
        case "held":
            return {"on_hold": detail["why"]}
        case "suspended":
            return {"on_hold": "suspended"}
        case "resolved":
            return {"phase": "resolved", "on_hold": None, "reply": row["text"]}
        case "closed":
            ended = {"phase": "closed", "on_hold": None, "closed_how": detail["how"]}
            return ended | ({"merged_into": detail["into"]} if "into" in detail else {}) | _reply(row)
        case "supervised":
            return {"supervised": True}
    return {}


def _reply(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"reply": row["text"]} if row["text"] else {}


def as_it_is(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same of the case's own row."""
    found = {name: row[name] for name in COMPARED if name in row}
    found["supervised"] = row["supervised_at"] is not None
    found["merged_into"] = str(row["merged_into"]) if row["merged_into"] else None
    return found
