"""Cases as interfaces show them: to whoever works on one, and to the resident."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import RowMapping

from services.routing.domain.ladder import can_climb
from services.routing.domain.states import CLOSED, State
from services.routing.domain.telling import line, whistle_line
from services.routing.policy import Policy
from shared.contracts.levels import LEVEL
from shared.contracts.titles import title

ZONE = ZoneInfo("Asia/Shanghai")


def label_of(row: RowMapping) -> str:
    """Grid and title, such as 1号楼1单元 单元长."""
    courtyard = row["grid_kind"] == "courtyard"
    called = title(row["grid_level"], row["holder_post"], courtyard=courtyard, village=row["village"])
    return f"{row['grid_label']} {called}"


def holder(row: RowMapping) -> dict[str, Any] | None:
    if row["holder_kind"] is None:
        return None
    return {
        "kind": row["holder_kind"],
        "id": row["holder_no"] if row["holder_kind"] == "person" else row["grid_code"],
        "level": LEVEL[row["rank"]],
        "grid": row["grid_code"],
        "label": label_of(row),
    }


def state(row: RowMapping, policy: Policy) -> State:
    """`policy`: the case's own; it says for how long a case closed as unanswered may be reopened, and who sleeps."""
    closed = row["phase"] == CLOSED and row["closed_how"] == "unanswered"
    age = (row["now"] - row["closed_at"]).total_seconds() * 1_000_000 if closed else 0
    return State(
        row["phase"],
        row["on_hold"],
        reopenable=closed and age < policy.microseconds(policy.reopen),
        can_climb=can_climb(row["rank"], row["noes"]),
        can_return=row["can_return"] and not policy.is_night(row["urgency"], row["now"]),
        can_extend=row["resolve_by"] is not None and not row["extension_asked"],
        requested=row["request"],
        followed=row["followers"] > 0,
    )


def case(
    row: RowMapping, can: Collection[str], hops: Sequence[RowMapping] | None = None, *, skips: bool = False
) -> dict[str, Any]:
    """A case for leaders and desks; `skips`: whether the reader may know of skipped levels."""
    shown = {
        "id": row["id"],
        "number": row["number"],
        "category": row["category"],
        "urgency": row["urgency"],
        "place": {"grid": row["place_code"] if row["placed"] else None, "label": row["place_label"]},
        "phase": row["phase"],
        "on_hold": row["on_hold"],
        "closed_how": row["closed_how"],
        "level": LEVEL[row["rank"]],
        "grid": row["grid_code"],
        "holder": holder(row),
        "accepted_at": row["accepted_at"],
        "accept_by": row["accept_by"],
        "resolve_by": row["resolve_by"],
        "promised_by": row["promised_by"],
        "wake_at": _wake_at(row),
        "request": _request(row),
        "provisional": bool(row["provisional"]),
        "opened_at": row["opened_at"],
        "now": row["now"],
        "version": row["version"],
        "policy": row["policy"],
        "supervised": row["supervised_at"] is not None,
        "merged_into": row["merged_into"],
        "followers": row["followers"],
        "whistles": [],
        "can": list(can),
    }
    if hops is not None:
        shown["hops"] = [hop(h) for h in hops if skips or h["skipped"] is None]
    return shown


def _wake_at(row: RowMapping) -> Any:
    """When a suspended case goes on by itself."""
    return row["wait_by"] if row["on_hold"] == "suspended" else None


def _request(row: RowMapping) -> dict[str, Any] | None:
    """What waits for a second person; `by` is null if command asked."""
    if row["request"] is None:
        return None
    return {
        "act": row["request"],
        "by": row["asked_by_no"],
        "for": row["asked_for_no"],
        "until": row["asked_until"],
        "reason": row["asked_text"],
        "at": row["asked_at"],
    }


def hop(row: RowMapping) -> dict[str, Any]:
    return {
        "hop": row["hop"],
        "level": LEVEL[row["rank"]],
        "grid": row["grid_code"],
        "holder": holder(row),
        "since": row["since"],
        "until": row["until"],
        "ended_by": row["ended_by"],
        "skipped": row["skipped"],
        "accepted_at": row["accepted_at"],
    }


def lines(history: Sequence[RowMapping], *, shared: bool = False) -> list[dict[str, Any]]:
    """What a resident reads of what happened: titles, times, words; no names, no skip reasons, nobody's silence.
    `shared`: of the case that hers follows, which somebody else told."""
    found = []
    for item in history:
        who = label_of(item) if item["grid_label"] else ""
        detail = item["detail"]
        until = day(detail["until"]) if detail.get("until") else None
        why = detail.get("why")
        told = line(
            item["kind"], who=who, how=detail.get("how"), words=item["text"], why=why, until=until, shared=shared
        )
        if told:
            at = {"at": item["at"], "kind": told[0], "level": LEVEL[item["rank"]], "label": who}
            found.append({**at, "text": told[1]})
    return found


def track(row: RowMapping, can: Collection[str]) -> dict[str, Any]:
    """A case for its resident, without its history."""
    return {
        "number": row["number"],
        "category": row["category"],
        "phase": row["phase"],
        "on_hold": row["on_hold"],
        "closed_how": row["closed_how"],
        "promised_by": row["promised_by"],
        "now": row["now"],
        "lead": None,
        "can": list(can),
        **_track_hand(row),
    }


def track_lead(lead: RowMapping) -> dict[str, Any]:
    """The same of the case that hers follows: in whose hand it is, until when, and what was replied."""
    how = {"phase": lead["phase"], "on_hold": lead["on_hold"], "closed_how": lead["closed_how"]}
    return {"lead": how, **_track_hand(lead)}


def _track_hand(row: RowMapping) -> dict[str, Any]:
    hand = {"level": LEVEL[row["rank"]], "label": label_of(row), "until": row["accept_by"] or row["resolve_by"]}
    return {
        "holder": None if row["phase"] == CLOSED else hand,
        "wake_at": _wake_at(row),
        "reply": row["reply"],
    }


def day(at: str) -> str:
    """`3月1日`, of the wall clock in China."""
    local = datetime.fromisoformat(at).astimezone(ZONE)
    return f"{local.month}月{local.day}日"


def whistle_lines(rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """What residents read of the departments that were called."""
    lines = []
    for row in rows:
        if words := whistle_line(row["kind"], department=row["department"]):
            lines.append({"at": row["at"], "kind": "whistle", "level": "community", "text": words})
    return lines


def received(now: Any) -> dict[str, Any]:
    """A report that has not become a case yet: for a moment, or while routing is away."""
    return {
        "phase": "received",
        "on_hold": None,
        "closed_how": None,
        "holder": None,
        "wake_at": None,
        "promised_by": None,
        "now": now,
        "reply": None,
        "lead": None,
        "attachments": [],
        "history": [],
        "can": [],
    }


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """JSON types only: what is kept as an idempotent answer must come back equal."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(value, default=str))
    return plain
