"""`docs/asyncapi.yaml`: AsyncAPI by the standard's own schema, and about every event there is."""

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from chuishao.wiring import SERVICES, TOPICS
from shared.contracts.export import all_contracts

ROOT = Path(__file__).parents[2]
STANDARD = ROOT / "web" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())


@pytest.fixture(scope="module")
def standard() -> jsonschema.protocols.Validator:
    if not STANDARD.exists():
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent("the standard's schema is a tool of web/: python web/build.py check")
    schema = json.loads(STANDARD.read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def test_it_is_valid_by_the_standards_own_schema(standard: jsonschema.protocols.Validator) -> None:
    assert [error.message for error in standard.iter_errors(DOCUMENT)] == []


def test_the_standards_schema_would_tell(standard: jsonschema.protocols.Validator) -> None:
    wrong = deepcopy(DOCUMENT)
    next(iter(wrong["operations"].values()))["action"] = "shout"
    assert list(standard.iter_errors(wrong))


def test_every_reference_leads_somewhere() -> None:
    assert len(references(DOCUMENT)) > 100
    for reference in references(DOCUMENT):
        resolved(reference)


def test_every_event_is_a_message_of_its_topic_and_is_told_by_its_owner() -> None:
    told = {
        (operation["channel"]["$ref"], message["$ref"].rpartition("/")[2])
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "send"
        for message in operation["messages"]
    }
    wanted = {(f"#/channels/{k.topic}", ".".join(k.type.split(".")[3:])) for k in all_contracts().values()}
    assert told == wanted
    assert {message["name"] for message in DOCUMENT["components"]["messages"].values()} == set(all_contracts())
    assert set(DOCUMENT["channels"]) == set(TOPICS)


def test_every_service_hears_what_it_declares() -> None:
    heard = {name for name, operation in DOCUMENT["operations"].items() if operation["action"] == "receive"}
    assert heard == {f"{service.name}.hears.{topic}" for service in SERVICES for topic in service.topics}
