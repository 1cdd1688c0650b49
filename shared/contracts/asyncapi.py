"""The events as an AsyncAPI 3.0 document: channels, who tells and who hears, and every message with its schema."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from shared.contracts.base import Contract

PREFIX = "chuishao."
ENVELOPE: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0, structured mode.",
    "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "seq", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid"},
        "source": {"type": "string", "pattern": "^/chuishao/[a-z]+$"},
        "type": {"type": "string", "pattern": r"^cn\.chuishao\."},
        "subject": {"type": "string", "format": "uuid", "description": "What it is about; also the record's key."},
        "time": {"type": "string", "format": "date-time", "description": "By the clock of the rules."},
        "datacontenttype": {"const": "application/json"},
        "traceparent": {"type": ["string", "null"], "description": "W3C trace context; also a header of the record."},
        "seq": {"type": "integer", "minimum": 1, "description": "Counts per topic and subject, without gaps."},
        "data": {"type": "object"},
    },
}
HEADERS: dict[str, Any] = {"type": "object", "properties": {"traceparent": {"type": "string"}}}


def document(kinds: Iterable[type[Contract]], hears: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """`hears`: service -> topics without prefix. Who tells an event stands in its type."""
    kinds = sorted(kinds, key=lambda kind: kind.type)
    _, schemas = models_json_schema(
        [(kind, "serialization") for kind in kinds], ref_template="#/components/schemas/{model}"
    )
    topics = sorted({kind.topic for kind in kinds})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "chuishao events",
            "version": "1",
            "description": "Written by `python docs/generate.py` from `shared/contracts`. Neither free text nor"
            " personal data is in any of them. Fields are only ever added, with a default.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {"broker": {"host": "localhost:9092", "protocol": "kafka"}},
        "channels": {topic: _channel(topic, kinds) for topic in topics},
        "operations": dict(_operations(kinds, hears)),
        "components": {
            "messages": {_name(kind): _message(kind) for kind in kinds},
            "schemas": {"CloudEvent": ENVELOPE, **schemas.get("$defs", {})},
        },
    }


def _name(kind: type[Contract]) -> str:
    """`case.escalated.v1`"""
    return ".".join(kind.type.split(".")[3:])


def _channel(topic: str, kinds: list[type[Contract]]) -> dict[str, Any]:
    return {
        "address": f"{PREFIX}{topic}",
        "description": "`chuishao.` is the setting CHUISHAO_TOPIC_PREFIX.",
        "messages": {
            _name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in kinds if kind.topic == topic
        },
        "bindings": {"kafka": {"partitions": 12, "bindingVersion": "0.5.0"}},
    }


def _operations(kinds: list[type[Contract]], hears: Mapping[str, Iterable[str]]) -> Iterable[tuple[str, Any]]:
    for source, topic in sorted({(kind.type.split(".")[2], kind.topic) for kind in kinds}):
        told = [kind for kind in kinds if (kind.type.split(".")[2], kind.topic) == (source, topic)]
        refs = [{"$ref": f"#/channels/{topic}/messages/{_name(kind)}"} for kind in told]
        yield f"{source}.tells.{topic}", _operation("send", topic, f"{source} tells") | {"messages": refs}
    for service, heard in hears.items():
        for topic in heard:
            yield f"{service}.hears.{topic}", _operation("receive", topic, f"{service} hears")


def _operation(action: str, topic: str, words: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}, "summary": words}


def _message(kind: type[Contract]) -> dict[str, Any]:
    own = {"type": {"const": kind.type}, "data": {"$ref": f"#/components/schemas/{kind.__name__}"}}
    return {
        "name": kind.type,
        "title": kind.__name__,
        "summary": " ".join((kind.__dict__.get("__doc__") or kind.__name__).split()),
        "headers": HEADERS,
        "payload": {"allOf": [{"$ref": "#/components/schemas/CloudEvent"}, {"properties": own}]},
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}, "bindingVersion": "0.5.0"}},
    }
