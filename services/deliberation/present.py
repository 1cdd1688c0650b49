"""Topics and meetings as interfaces show them: codes and numbers of the workbook, times of the place."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from services.deliberation.access import Access
from services.deliberation.domain.openings import CHINA
from services.deliberation.domain.seats import RESIDENT
from services.deliberation.domain.states import MEETING
from services.deliberation.store.reading import SeatRow


def local(at: datetime | None) -> datetime | None:
    return at.astimezone(CHINA) if at else None


def topic(found: Access, tasks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    t = found.topic
    return {
        "id": t.id,
        "case": t.case_id,
        "number": t.number,
        "category": t.category,
        "community": t.community_code,
        "state": t.state,
        "how": t.ended_how,
        "title": t.title,
        "n": t.called,
        "screen_by": local(t.screen_by),
        "meeting": t.meeting,
        "tasks": [task(each) for each in tasks if each["meeting"] == t.meeting],
        "version": t.version,
        "now": local(t.now),
        "can": found.can,
    }


def task(row: Mapping[str, Any]) -> dict[str, Any]:
    """A task's id is its case's; for a department it becomes a whistle."""
    owner = {"grid": row["grid"]} if row["grid"] else {"department": row["department"]}
    kind = "case" if row["grid"] else "whistle"
    return {"id": row["id"], "kind": kind, "text": row["text"], **owner, "due": local(row["due"])}


def meeting(found: Access, seats: Sequence[SeatRow], door: str | None = None) -> dict[str, Any]:
    """`door`: the code at the door, where it is asked for by whoever runs the meeting."""
    t = found.topic
    shown = {
        "id": t.meeting,
        "topic": t.id,
        "case": t.case_id,
        "title": t.title,
        "state": MEETING[t.state],
        "how": t.ended_how,
        "venue": t.venue_code,
        "venue_label": t.venue_label,
        "starts": local(t.starts),
        "ends": local(t.ends),
        "seats": [seat(found, each) for each in seats],
        "quorum": quorum(found, seats),
        "moves_left": t.moves_left,
        "result": t.result,
        "version": t.version,
        "now": local(t.now),
        "can": found.can,
    }
    return {**shown, "door": door} if door and found.runs_it else shown


def seat(found: Access, row: SeatRow) -> dict[str, Any]:
    """Who the resident is, only those know who run the meeting: a neighbour never learns who reported."""
    known = found.runs_it or row.kind != RESIDENT or found.person == row.person
    return {
        "kind": row.kind,
        "person": (row.no or row.person) if known else None,
        "required": row.required,
        "filled_by": row.filled_by,
        "reply": row.reply,
        "substitute": row.substitute_no,
        "present": row.present_at is not None,
    }


def quorum(found: Access, seats: Iterable[SeatRow]) -> dict[str, int]:
    """Only the standing seats count."""
    present = sum(each.required and each.present_at is not None for each in seats)
    return {"needed": found.topic.quorum, "present": present}


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """JSON types only: what is kept as an idempotent answer must come back equal."""
    result: dict[str, Any] = orjson.loads(orjson.dumps(value, default=str))
    return result
