"""`chuishao doctor`: what is wrong, and what to do about it."""

import json
from dataclasses import asdict
from pathlib import Path

import typer

from chuishao.target import DataDir, Json, console, find, run

MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[bold red]✗[/]"}


def doctor(data: DataDir = Path("data"), as_json: Json = False) -> None:
    """体检：连接、迁移、积压、到点没动的、隔离区、日历、空岗 · exit 1 when something is wrong."""
    from chuishao.checks import examine

    findings = run(examine(find(data)))
    healthy = all(finding.state != "fail" for finding in findings)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [asdict(each) for each in findings]}, ensure_ascii=False))
    else:
        width = max(len(finding.check) for finding in findings)
        for finding in findings:
            console.print(f"{MARKS[finding.state]}  {finding.check:<{width}}  {finding.text}", soft_wrap=True)
    raise typer.Exit(0 if healthy else 1)
