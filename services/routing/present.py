"""Cases as interfaces show them: to whoever works on one, and to the resident."""

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import RowMapping

from services.routing.domain.ladder import can_climb
from services.routing.domain.states import CLOSED, State
from services.routing.domain.telling import line, whistle_line
from shared.contracts.levels import LEVEL
from shared.contracts.titles import title


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


def state(row: RowMapping, reopen: int) -> State:
    """`reopen`: microseconds for which a case closed as unanswered may be reopened."""
    closed = row["phase"] == CLOSED and row["closed_how"] == "unanswered"
    age = (row["now"] - row["closed_at"]).total_seconds() * 1_000_000 if closed else 0
    return State(row["phase"], row["on_hold"], closed and age < reopen, can_climb(row["rank"], row["noes"]))


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
        "provisional": bool(row["provisional"]),
        "opened_at": row["opened_at"],
        "now": row["now"],
        "version": row["version"],
        "policy": row["policy"],
        "supervised": row["supervised_at"] is not None,
        "whistles": [],
        "can": list(can),
    }
    if hops is not None:
        shown["hops"] = [hop(h) for h in hops if skips or h["skipped"] is None]
    return shown


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


def track(row: RowMapping, history: Sequence[RowMapping], can: Collection[str]) -> dict[str, Any]:
    """A case for its resident: titles, times, words; no names, no skip reasons, nobody's silence."""
    lines = []
    for item in history:
        who = label_of(item) if item["grid_label"] else ""
        told = line(
            item["kind"], who=who, how=item["detail"].get("how"), words=item["text"], why=item["detail"].get("why")
        )
        if told:
            at = {"at": item["at"], "kind": told[0], "level": LEVEL[item["rank"]], "label": who}
            lines.append({**at, "text": told[1]})
    ended = row["phase"] == CLOSED
    return {
        "number": row["number"],
        "category": row["category"],
        "phase": row["phase"],
        "on_hold": row["on_hold"],
        "closed_how": row["closed_how"],
        "holder": None
        if ended
        else {
            "level": LEVEL[row["rank"]],
            "label": label_of(row),
            "until": row["accept_by"] or row["resolve_by"],
        },
        "promised_by": row["promised_by"],
        "now": row["now"],
        "reply": row["reply"],
        "history": lines,
        "can": list(can),
    }


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
        "promised_by": None,
        "now": now,
        "reply": None,
        "attachments": [],
        "history": [],
        "can": [],
    }


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """JSON types only: what is kept as an idempotent answer must come back equal."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(value, default=str))
    return plain
