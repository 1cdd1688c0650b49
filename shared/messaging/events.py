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
    traceparent: str | None = None
    """Of whose trace it is; None: of what is being done at the moment."""


class BadEvent(ValueError):
    """Bytes that are no event of ours; the text says why, without the bytes. Subject and seq if they could be read:
    then it is known what waits behind them."""

    def __init__(self, why: str, subject: UUID | None = None, seq: int | None = None) -> None:
        super().__init__(why)
        self.subject = subject
        self.seq = seq


def encode(source: str, row: RowMapping) -> bytes:
    """An outbox row, with ids and `data` as text, as CloudEvents JSON."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": row["event"],
            "source": f"/chuishao/{source}",
            "type": row["type"],
            "subject": row["subject"],
            "time": row["at"],
            "datacontenttype": "application/json",
            "traceparent": row["traceparent"],
            "seq": row["seq"],
            "data": orjson.Fragment(row["data"]),
        }
    )


def decode(topic: str, raw: bytes) -> Event:
    """Bytes from Kafka as an event. Raises BadEvent."""
    place: tuple[UUID, int] | tuple[()] = ()
    try:
        body = orjson.loads(raw)
        place = UUID(body["subject"]), _seq(body["seq"])
        kind = REGISTRY.get(body["type"])
        return Event(
            topic=topic,
            subject=place[0],
            seq=place[1],
            type=body["type"],
            time=datetime.fromisoformat(body["time"]),
            data=kind.model_validate(body["data"]) if kind else None,
            traceparent=body.get("traceparent"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # pydantic's text quotes the input; only the kind of trouble is kept.
        raise BadEvent(type(error).__name__, *place) from None


def _seq(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value < 2**63:
        raise ValueError("seq")
    return value
