"""Questions: what people may answer by two digits or a button, and what their answers do."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import store
from services.notify.domain.templates import BY_TEXT, PLAIN, TEMPLATES, TEXTS

Marks = Mapping[str, int]
"""Issue → the two digits its reader can answer with."""


async def ask(conn: AsyncConnection, rows: Iterable[Row[Any]]) -> dict[UUID, Marks]:
    """Opens the questions of messages that go out now (the system). Returns their marks, by message."""
    asked = [(row, item, asks) for row in rows for item in _items(row) if (asks := TEMPLATES[item["template"]].asks)]
    wishes = [
        {
            "person": str(row.person),
            "issue": item["issue"],
            "asks": asks,
            "message": str(row.message),
            "facts": {"number": item["number"], "label": item["label"]},
        }
        for row, item, asks in asked
        if asks in BY_TEXT
    ]
    given = await store.allot(conn, wishes)
    marks: dict[UUID, dict[str, int]] = {}
    for row, item, asks in asked:
        mark = given.get((row.person, UUID(item["issue"]), asks))
        if mark is not None:
            marks.setdefault(row.message, {})[item["issue"]] = mark
    return dict(marks)


def _items(row: Row[Any]) -> Iterable[Mapping[str, Any]]:
    """What a message is about: itself, or what it speaks for."""
    if "items" in row.params:
        return [item for item in row.params["items"] if "template" in item]
    number, label = row.params.get("number"), row.params.get("label")
    return [{"template": row.template, "issue": str(row.issue), "number": number, "label": label}]


def text_name(row: Row[Any], marks: Marks) -> str:
    """The text of a message; the plain one when nobody can answer it by digits."""
    plain = row.template + PLAIN
    return plain if not marks and plain in TEXTS else str(row.template)
