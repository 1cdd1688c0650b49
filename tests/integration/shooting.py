"""Asks every operation of some services' OpenAPI documents what schemathesis makes up: `python -m
tests.integration.shooting`, told what and whom by JSON on standard input, tells what it saw as JSON.

A process of its own, so that several shoot side by side and the server has an interpreter to itself.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import Failure, FailureGroup

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CAREFUL = ("content-security-policy", "referrer-policy", "x-content-type-options", "x-frame-options", "cache-control")
KINDS = ("grids", "places", "people", "whistles", "topics", "meetings")
WRONG = GenerationMode.NEGATIVE


@dataclass
class Shooter:
    """What was asked, what was answered, and what must not be."""

    base: str
    tokens: Mapping[str, str]
    known: Mapping[str, list[str]]
    """Kind of thing -> ids, codes or numbers of some there are; made-up ones would be 404 for ever."""
    times: int
    answers: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    _number: Iterator[int] = field(default_factory=count)

    def shoot(self, mount: str, part: int, parts: int) -> None:
        """Every `parts`-th operation, with every token."""
        schema = schemathesis.openapi.from_url(f"{self.base}{mount}/openapi.json")
        for number, found in enumerate(schema.get_all_operations()):
            operation = found.ok()
            if number % parts == part and not operation.path.endswith("/live"):  # a stream has no end
                for who, token in self.tokens.items():
                    for mode, times in ((GenerationMode.POSITIVE, self.times), (WRONG, self.times // 4)):
                        self._operation(operation, mode, times, who, {"Authorization": f"Bearer {token}"}, mount)

    def _operation(
        self, operation: Any, mode: GenerationMode, times: int, who: str, headers: dict[str, str], mount: str
    ) -> None:
        session = requests.Session()

        @seed(1)
        @settings(
            max_examples=times,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Case) -> None:
            if mode is not WRONG:
                self._name_what_there_is(case)
            response = case.call(base_url=f"{self.base}{mount}", headers=headers, session=session, timeout=30)
            self.answers[str(response.status_code)] += 1
            self._judge(case, response, f"{operation.method.upper()} {mount}{operation.path} as {who}")

        run: Callable[[], None] = one
        # An operation without a parameter, or that takes any string for one, cannot be asked wrongly.
        with suppress(Unsatisfiable) if mode is WRONG else nullcontext():
            run()

    def _judge(self, case: Case, response: Any, what: str) -> None:
        try:
            case.validate_response(response, checks=CHECKS)
            missing = [name for name in CAREFUL if name not in response.headers]
            assert not missing, f"no {', '.join(missing)}"
        except (FailureGroup, Failure, AssertionError) as error:
            why = "; ".join(map(str, getattr(error, "exceptions", [error])))
            self.faults.setdefault(
                f"{what}: {response.status_code}",
                f"{why[:600]}\n{case.path_parameters} {case.query} {str(case.body)[:300]}\n{response.text[:300]}",
            )

    def _name_what_there_is(self, case: Case) -> None:
        """Two times of three a thing in the path is one that there is."""
        number = next(self._number)
        if number % 3 == 2:
            return
        kind = next((kind for kind in KINDS if f"/{kind}/" in case.operation.path), "cases")
        for name in case.path_parameters or {}:
            if name in ("id", "code", "no") and self.known[kind]:
                case.path_parameters[name] = self.known[kind][number % len(self.known[kind])]


def main() -> None:
    asked = json.load(sys.stdin)
    shooter = Shooter(asked["base"], asked["tokens"], asked["known"], asked["times"])
    for mount in asked["mounts"]:
        shooter.shoot(mount, asked["part"], asked["parts"])
    json.dump({"answers": shooter.answers, "faults": shooter.faults}, sys.stdout)


if __name__ == "__main__":
    main()
