"""Breaks the rules of ladder, clock and whistle on purpose, one at a time, and tells which breaks the tests notice.

`python -m tests.model.mutants [NAME …]`: each mutant is a text replaced in a copy of the tree; its model test runs on
it with 100 sequences. Exit 1 if one survives.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parents[2]
MOVE = "services/routing/store/move.sql"
WRITING = "services/routing/store/writing.py"
JOBS = "services/routing/jobs.py"
LADDER = "services/routing/domain/ladder.py"
STATES = "services/routing/domain/states.py"
COMMANDS = "services/routing/commands.py"
WHISTLES = "services/routing/store/whistles.py"
WHISTLE_RULES = "services/routing/domain/whistle.py"
HOLDING = "services/routing/holding.py"
CASE_TEST, WHISTLE_TEST = "tests/model/test_case_model.py", "tests/model/test_whistle_model.py"


@dataclass(frozen=True)
class Mutant:
    """A rule and how it is broken: `old` must stand in `file`, once or more often."""

    name: str
    file: str
    old: str
    new: str
    test: str = CASE_TEST


MUTANTS = (
    Mutant(
        "off by one level", MOVE, "coalesce(i.first, c.rank + 1) AS first", "coalesce(i.first, c.rank + 2) AS first"
    ),
    Mutant("escalates early", WRITING, "accept_by <= public.clock_now() OR", "accept_remind <= public.clock_now() OR"),
    Mutant(
        "escalates twice",
        MOVE,
        "accept_by = CASE WHEN m.accepted THEN NULL ELSE k.accept_by END",
        "accept_by = c.accept_by",
    ),
    Mutant(
        "forgets the pause",
        WRITING,
        "ELSE greatest(0, accept_left - public.open_between(accept_calendar, accept_since, public.clock_now())) END",
        "ELSE accept_left END",
    ),
    Mutant("the clock runs on while waiting for the resident", WRITING, "{_STILL},\n       wait_by", "wait_by"),
    Mutant("skips nobody who held it lower", WRITING, "AND h.rank < p.rank", "AND h.rank < 0"),
    Mutant(
        "a reporter gets his own case", WRITING, "NOT seat.away AND seat.person <> ALL (m.recused)", "NOT seat.away"
    ),
    Mutant(
        "ignores absences", WRITING, "a.person IS NOT NULL AND (a.stand_in IS NULL", "false AND (a.stand_in IS NULL"
    ),
    Mutant("ignores the stand-in", WRITING, "coalesce(a.stand_in, c.person) AS person", "c.person AS person"),
    Mutant("tries the unreachable", WRITING, "AND NOT {_HELD_LOWER} AND {_REACHABLE})", "AND NOT {_HELD_LOWER})"),
    Mutant("no night", MOVE, "(p.rank >= 5 OR NOT m.night)", "true"),
    Mutant("a timeout climbs past community", JOBS, '"top": ladder.COMMUNITY}', '"top": ladder.SUBDISTRICT}'),
    Mutant(
        "the same hand after a no",
        LADDER,
        "    return by_hand(rank)\n",
        "    return Climb(rank, COMMUNITY if rank < COMMUNITY else SUBDISTRICT)\n",
    ),
    Mutant("the third no keeps its clocks", LADDER, "clocks=False, supervised=True", "clocks=True, supervised=True"),
    Mutant("only the fourth no counts", LADDER, "if noes >= 3:", "if noes >= 4:"),
    Mutant(
        "accepting leaves the accept clock running",
        WRITING,
        "accept_left = NULL, accept_by = NULL, accept_remind = NULL\n WHERE id = :id",
        "accept_left = NULL\n WHERE id = :id",
    ),
    Mutant("a reminder at half the term", MOVE, "t.accept_term - t.accept_term / 4", "t.accept_term / 2"),
    Mutant("a reminder whose deadline has passed is told", WRITING, "AND accept_by > public.clock_now())", ")"),
    Mutant(
        "the resolve clock starts at acceptance",
        MOVE,
        "resolve_by = k.resolve_by, resolve_remind",
        "resolve_by = NULL, resolve_remind",
    ),
    Mutant("a claim after acceptance", STATES, '"former bound", {ASSIGNED}, RUNNING', '"former bound", OPEN, RUNNING'),
    Mutant(
        "silence closes a day early",
        WRITING,
        "wait_by = public.clock_now() + :wait * interval '1 microsecond',\n       nags",
        "wait_by = public.clock_now() + :wait * interval '0.86 microsecond',\n       nags",
    ),
    Mutant("a stale version is taken", COMMANDS, 'if wish.version != case["version"]:', "if False:"),
    Mutant(
        "the promise is listed again and again",
        WRITING,
        "promise_listed = promise_listed OR :why = 'promise'",
        "promise_listed = promise_listed",
    ),
    Mutant(
        "a leaver keeps his cases",
        "services/routing/opening.py",
        'rows = (await conn.execute(writing.LOCK_DISPLACED, {"grid": grid})).mappings().all()',
        "rows = []",
    ),
    Mutant(
        "a whistle does not stop the clock",
        WHISTLES,
        "accept_by = NULL, accept_remind = NULL, resolve_by = NULL, resolve_remind = NULL, wait_by = NULL, nags",
        "wait_by = NULL, nags",
        WHISTLE_TEST,
    ),
    Mutant(
        "less than four hours are left after a whistle",
        WHISTLES,
        "SET resolve_left = greatest(resolve_left, :rest)",
        "SET resolve_left = greatest(resolve_left, :rest / 1000)",
        WHISTLE_TEST,
    ),
    Mutant(
        "one whistle's end releases what another holds",
        HOLDING,
        'if await whistles.scalars(conn, whistles.OPEN_OF_CASE, case=case["id"]):',
        "if False:",
        WHISTLE_TEST,
    ),
    Mutant("a third return", WHISTLE_RULES, "MAX_RETURNS = 2", "MAX_RETURNS = 3", WHISTLE_TEST),
    Mutant("a third transfer", WHISTLE_RULES, "MAX_TRANSFERS = 2", "MAX_TRANSFERS = 3", WHISTLE_TEST),
    Mutant("a dispute after the limit", WHISTLE_RULES, "return now.in_time and not", "return not", WHISTLE_TEST),
    Mutant("a second extension", WHISTLE_RULES, "return not now.extended", "return True", WHISTLE_TEST),
    Mutant("red only at 200 %", WHISTLES, "* 3 / 2)", "* 2)", WHISTLE_TEST),
    Mutant(
        "a new lead stays overdue for the former one",
        WHISTLES,
        '_IN_TIME = "overdue = NULL, supervised_at = NULL, supervised_why = NULL"',
        '_IN_TIME = "supervised_at = NULL"',
        WHISTLE_TEST,
    ),
    Mutant("a second whistle is no addition", WHISTLES, "AND blown_at > public", "AND blown_at < public", WHISTLE_TEST),
    Mutant(
        "a department assisting acts as the lead",
        WHISTLES,
        "o.person = :person AND o.department = w.lead) AS leads",
        "o.person = :person AND o.department IN (w.lead, w.assisting[1])) AS leads",
        WHISTLE_TEST,
    ),
    Mutant(
        "a reporter's withdrawal takes the department from the others",
        WHISTLES,
        "WHERE k.whistle = w.id AND c.phase IN ('assigned', 'accepted'))",
        "WHERE k.whistle = w.id AND false)",
        WHISTLE_TEST,
    ),
)


def caught(mutant: Mutant) -> tuple[bool, float]:
    """Whether the model test goes red on the mutant, and the seconds it took."""
    with tempfile.TemporaryDirectory(prefix="chuishao-mutant-") as folder:
        tree = Path(folder) / "tree"
        files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        for name in files:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
        path = tree / mutant.file
        source = path.read_text()
        if mutant.old not in source:
            raise SystemExit(f"{mutant.name}: its text is no longer in {mutant.file}")
        path.write_text(source.replace(mutant.old, mutant.new))
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", mutant.test],
            cwd=tree,
            env={**os.environ, "CHUISHAO_MODEL_SEQUENCES": "100", "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
        )
        if done.returncode not in (0, 1):
            raise SystemExit(f"{mutant.name}: the tests did not run\n{done.stdout[-2000:]}")
        return done.returncode == 1, time.monotonic() - began


def main(names: list[str]) -> int:
    console, tried, survived = Console(), 0, 0
    for mutant in MUTANTS:
        if names and mutant.name not in names:
            continue
        found, seconds = caught(mutant)
        survived += not found
        tried += 1
        console.print(f"{'caught  ' if found else 'SURVIVED'}  {seconds:4.0f} s  {mutant.name}")
    console.print(f"{tried - survived} of {tried} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
