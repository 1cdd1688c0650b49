"""`python -m bench [--only NAME …] [--quick]`: measures, prints a table, writes bench/latest.json.

Exit 1 when a limit is missed. `--quick`: one small run of each, for trying out; writes nothing. `--only`: the other
rows of the file stay as they are.
"""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench import (
    auditor,
    consuming,
    deadlines_bare,
    deadlines_procrastinate,
    deadlines_row_by_row,
    growth,
    lateness,
    memory_idle,
    pipeline,
    relaying,
    reports,
    reports_to_phones,
    rush,
    slot_earliest,
    up_existing,
)
from bench.row import Row
from bench.servers import Bench

LATEST = Path(__file__).parent / "latest.json"
MODULES = (
    deadlines_bare,
    deadlines_row_by_row,
    deadlines_procrastinate,
    growth,
    relaying,
    consuming,
    pipeline,
    up_existing,
    memory_idle,
    slot_earliest,
    auditor,
    rush,
)
ROWS: dict[str, Callable[[Bench], Awaitable[Row]]] = (
    {module.NAME: module.measure for module in MODULES} | lateness.ROWS | reports.ROWS | reports_to_phones.ROWS
)
console = Console(stderr=True)


async def measured(names: Sequence[str], *, quick: bool) -> list[Row]:
    """Measures the rows one after the other."""
    async with AsyncExitStack() as stack:
        bench = Bench(stack, quick=quick, say=lambda line: console.print(line, style="dim"))
        rows = []
        for name in names:
            console.print(name, style="bold")
            rows.append(await ROWS[name](bench))
        return rows


def table(rows: Sequence[Row]) -> Table:
    found = Table("row", box=None)
    for heading in ("ours", "baseline", "ratio", "limit", "unit", "runs", ""):
        found.add_column(heading, justify="right")
    for row in rows:
        limits = (("≥", row.at_least), ("≤", row.at_most))
        limit = " ".join(f"{sign} {value:g}" for sign, value in limits if value is not None)
        figures = (_figure(value) for value in (row.ours, row.baseline, row.ratio))
        found.add_row(row.name, *figures, limit, row.unit, str(row.runs), "✓" if row.kept else "[red]✗")
    return found


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def written(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The file's rows, with these in place of their namesakes."""
    before = json.loads(LATEST.read_text()) if LATEST.exists() else []
    found = {row["name"]: row for row in before} | {row.name: row.as_json() for row in rows}
    return [found[name] for name in ROWS if name in found]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", action="append", choices=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="one small run of each; writes nothing")
    options = parser.parse_args()
    rows = uvloop.run(measured(options.only or list(ROWS), quick=options.quick))
    Console().print(table(rows))
    if not options.quick:
        LATEST.write_text(json.dumps(written(rows), indent=1) + "\n")
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
