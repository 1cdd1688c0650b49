"""Contracts: what would break an event already published is refused; what is published says nothing personal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.compatibility import breaks
from shared.contracts.export import SCHEMAS, all_contracts, broken, export, wanted

Schema = dict[str, Any]
OLD: Schema = {
    "type": "object",
    "properties": {
        "case": {"type": "string", "format": "uuid"},
        "hop": {"type": "integer"},
        "why": {"enum": ["left", "removed"], "type": "string"},
        "how": {"const": "own", "type": "string"},
        "person": {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}], "default": None},
        "skipped": {"type": "array", "items": {"$ref": "#/$defs/Skipped"}},
    },
    "required": ["case", "hop", "why", "how"],
    "$defs": {"Skipped": {"type": "object", "properties": {"rank": {"type": "integer"}}, "required": ["rank"]}},
}


def changed(name: str, **field: Any) -> Schema:
    return {**OLD, "properties": {**OLD["properties"], name: field}}


def without(name: str) -> Schema:
    return {
        **OLD,
        "properties": {k: v for k, v in OLD["properties"].items() if k != name},
        "required": [r for r in OLD["required"] if r != name],
    }


def with_items(**skipped: Any) -> Schema:
    return {**OLD, "$defs": {"Skipped": {"type": "object", **skipped}}}


BREAKING: dict[str, tuple[Schema, str]] = {
    "a field removed": (without("hop"), "hop: removed"),
    "a type changed": (changed("hop", type="string"), "hop: type changed, integer is gone"),
    "a format changed": (changed("case", type="string"), "case: type changed, string uuid is gone"),
    "null no longer allowed": (
        changed("person", type="string", format="uuid"),
        "person: type changed, null is gone",
    ),
    "a new field without default": (
        {**changed("by", type="string"), "required": [*OLD["required"], "by"]},
        "by: new, without a default",
    ),
    "a default taken away": (
        {**OLD, "required": [*OLD["required"], "person"]},
        "person: no longer has a default",
    ),
    "an enum narrowed": (changed("why", enum=["left"], type="string"), "why: fewer values allowed"),
    "a string become an enum": (
        changed("case", type="string", format="uuid", enum=["x"]),
        "case: fewer values allowed",
    ),
    "a const changed": (changed("how", const="merged", type="string"), "how: fewer values allowed"),
    "a limit set": (changed("hop", type="integer", minimum=1), "hop: minimum narrowed"),
    "a field of a list's items removed": (with_items(properties={}), "skipped[].rank: removed"),
    "a field of a list's items changed": (
        with_items(properties={"rank": {"type": "string"}}, required=["rank"]),
        "skipped[].rank: type changed, integer is gone",
    ),
}
HARMLESS: dict[str, Schema] = {
    "nothing": OLD,
    "a new field with a default": changed("note_count", type="integer", default=0),
    "null allowed as well": changed("hop", anyOf=[{"type": "integer"}, {"type": "null"}]),
    "an enum with more values": changed("why", enum=["left", "removed", "placed"], type="string"),
    "a const become an enum that holds it": changed("how", enum=["own", "merged"], type="string"),
    "another description": {**OLD, "description": "words"},
    "a new field of a list's items with a default": with_items(
        properties={"rank": {"type": "integer"}, "why": {"type": "string", "default": ""}}, required=["rank"]
    ),
}


@pytest.mark.parametrize(("new", "why"), BREAKING.values(), ids=BREAKING.keys())
def test_a_change_that_breaks_a_published_event_is_named(new: Schema, why: str) -> None:
    assert breaks(OLD, new) == [why]


@pytest.mark.parametrize("new", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_change_that_every_published_event_survives_is_allowed(new: Schema) -> None:
    assert breaks(OLD, new) == []


def test_a_break_names_contract_and_field() -> None:
    assert broken({"moved.v1.json": OLD}, {"moved.v1.json": without("hop")}) == ["moved.v1: hop: removed"]


def test_a_contract_that_was_published_may_not_go() -> None:
    assert broken({"moved.v1.json": OLD}, {}) == ["moved.v1: the contract is gone"]


def test_a_new_contract_is_allowed() -> None:
    assert broken({}, {"moved.v1.json": OLD}) == []


def test_the_committed_schemas_are_up_to_date() -> None:
    assert export(SCHEMAS, check=True) == []


def test_export_writes_every_contract_and_check_is_then_content(tmp_path: Path) -> None:
    assert export(tmp_path, check=False) == []
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == wanted()
    assert export(tmp_path, check=True) == []


def test_check_fails_when_a_file_is_missing_and_writes_nothing(tmp_path: Path) -> None:
    assert "is not up to date" in export(tmp_path, check=True)[0]
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_a_breaking_change_and_leaves_the_files_alone(tmp_path: Path) -> None:
    export(tmp_path, check=False)
    path = tmp_path / "cn.chuishao.routing.case.opened.v1.json"
    published = json.loads(path.read_text())
    published["properties"]["colour"] = {"type": "string"}
    path.write_text(json.dumps(published))
    assert export(tmp_path, check=False) == ["cn.chuishao.routing.case.opened.v1: colour: removed"]
    assert json.loads(path.read_text()) == published


# What a person wrote or is: such a field would carry it to every listener and into Kafka's log for days.
PERSONAL = {
    *("text", "words", "comment", "reply", "note", "detail", "title", "body", "content", "description"),
    *("phone", "mobile", "name", "address", "openid", "wecom", "email", "contact", "id_card", "door"),
}


def _field_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _field_names(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _field_names(part)


@pytest.mark.parametrize("type_", sorted(all_contracts()))
def test_no_contract_has_a_field_for_free_text_or_personal_data(type_: str) -> None:
    names = set(_field_names(all_contracts()[type_].model_json_schema()))
    assert not {name for name in names if PERSONAL & {name, *name.split("_")}}


@pytest.mark.parametrize("type_", sorted(all_contracts()))
def test_readers_ignore_fields_they_do_not_know(type_: str) -> None:
    assert all_contracts()[type_].model_config["extra"] == "ignore"
