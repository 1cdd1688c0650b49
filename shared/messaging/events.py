"""Events as services see them, and their form on the wire: CloudEvents 1.0 in JSON, structured mode."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from shared.contracts import REGISTRY, Contract


@dataclass(frozen=True)
class Event:
    """An event as heard. `seq` counts from 1 per topic and subject; `data` is None for a type nobody here knows."""

    topic: str
    subject: UUID
    seq: int
    type: str
    time: datetime
    data: Any
    traceparent: str | None = None


@dataclass(frozen=True)
class NewEvent:
    """An event to be told: the contract says topic and type."""

    subject: UUID
    seq: int
    data: Contract


class BadEvent(ValueError):
    """Bytes that are no event of ours; the text says why, without the bytes."""


def encode(source: str, row: RowMapping) -> bytes:
    """An outbox row as CloudEvents JSON."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(row["event"]),
            "source": f"/chuishao/{source}",
            "type": row["type"],
            "subject": str(row["subject"]),
            "time": row["at"],
            "datacontenttype": "application/json",
            "traceparent": row["traceparent"],
            "seq": row["seq"],
            "data": row["data"],
        },
        default=str,  # asyncpg's UUID is a subclass, which orjson leaves to us
    )


def decode(topic: str, raw: bytes) -> Event:
    """Bytes from Kafka as an event. Raises BadEvent."""
    try:
        body = orjson.loads(raw)
        kind = REGISTRY.get(body["type"])
        return Event(
            topic=topic,
            subject=UUID(body["subject"]),
            seq=int(body["seq"]),
            type=body["type"],
            time=datetime.fromisoformat(body["time"]),
            data=kind.model_validate(body["data"]) if kind else None,
            traceparent=body.get("traceparent"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # pydantic's text quotes the input; only the kind of trouble is kept.
        raise BadEvent(type(error).__name__) from None
