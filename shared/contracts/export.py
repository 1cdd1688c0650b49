"""`python -m shared.contracts.export [--check]`: one JSON Schema per contract, beside the code, for readers in other
languages and as the record of what was published.

A change that would break an event already published is refused, and nothing is written. `--check` writes nothing and
fails as well when files are not up to date. A contract that never left this checkout may be changed: delete its file.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import shared.contracts
from shared.contracts import REGISTRY, Contract
from shared.contracts.compatibility import breaks

SCHEMAS = Path(__file__).parent / "schemas"


def all_contracts() -> dict[str, type[Contract]]:
    """Every contract by its CloudEvents type; imports all modules of this package."""
    for module in pkgutil.iter_modules(shared.contracts.__path__, "shared.contracts."):
        importlib.import_module(module.name)
    return {type_: kind for type_, kind in REGISTRY.items() if kind.__module__.startswith("shared.contracts.")}


def rendered(kind: type[Contract]) -> str:
    """A contract's JSON Schema as its file holds it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{kind.type}",
        "x-topic": kind.topic,
        **kind.model_json_schema(),
    }
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def wanted() -> dict[str, str]:
    """File name -> content, for every contract."""
    return {f"{type_}.json": rendered(kind) for type_, kind in sorted(all_contracts().items())}


def broken(published: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """What would break a published event, as `contract: field: why`."""
    found = [f"{name}: the contract is gone" for name in sorted(published.keys() - present.keys())]
    for name in sorted(published.keys() & present.keys()):
        found += [f"{name}: {why}" for why in sorted(breaks(published[name], present[name]))]
    return [line.replace(".json: ", ": ", 1) for line in found]


def export(folder: Path, *, check: bool) -> list[str]:
    """Writes the files, or with `check` only compares. Returns what is wrong; then nothing was written."""
    present = wanted()
    found = {path.name: path.read_text() for path in folder.glob("*.json")}
    wrong = broken(_parsed(found), _parsed(present))
    stale = [name for name, content in present.items() if found.get(name) != content]
    if check:
        wrong += [f"{name} is not up to date: run python -m shared.contracts.export" for name in stale]
    elif not wrong:
        folder.mkdir(exist_ok=True)
        for name in stale:
            (folder / name).write_text(present[name])
    return wrong


def _parsed(files: Mapping[str, str]) -> dict[str, Any]:
    return {name: json.loads(content) for name, content in files.items()}


def main(arguments: list[str]) -> int:
    wrong = export(SCHEMAS, check="--check" in arguments)
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
