"""`chuishao calendar`: holidays of a new year, and what is known by now."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.table import Table

from chuishao.target import DataDir, Target, as_owner, console, errors, fail, find, run
from chuishao.words import SHANGHAI

if TYPE_CHECKING:
    from services.routing.policy_schemas import PublishedYear

app = typer.Typer(no_args_is_help=True, help="日历：节假日和调休 · holidays and make-up days")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="YAML：year、holidays、workdays")],
    reason: Annotated[str, typer.Option(help="为什么，留给以后查的人")] = "公布了",
    data: DataDir = Path("data"),
) -> None:
    """导入一年的放假和调休，没到的期限随着重算 · a published year; open deadlines follow."""
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        fail(f"读不了 {file}（{type(error).__name__}）", "the file cannot be read")
    run(_import(find(data), _check(told, reason)))
    console.print("导入了")


def _check(told: Any, reason: str) -> "PublishedYear":
    from services.routing.policy_schemas import PublishedYear
    from shared.problems import words

    if not isinstance(told, dict):
        fail("应当是一张表：year、holidays、workdays", "must be a mapping")
    lists = {name: [str(day) for day in days] for name, days in told.items() if isinstance(days, list)}
    try:
        return PublishedYear.model_validate({**told, **lists, "reason": reason})
    except ValidationError as error:
        for each in error.errors():
            zh, en = words(each)
            errors.print(f"{'.'.join(map(str, each['loc'])) or 'YAML'}: {zh} / {en}", markup=False)
        fail("什么也没导入", "nothing was imported")


@app.command()
def show(data: DataDir = Path("data")) -> None:
    """现在用的日历，公布到哪天，区里自己改了哪几天 · the calendars, and the district's own days."""
    calendars, until, days = run(_show(find(data)))
    table = Table("日历", "时间", "哪些日子", box=None)
    for row in calendars:
        table.add_row(row.id, row.hours, "工作日" if row.days == "working" else "每天")
    console.print(table)
    last = until and (until - timedelta(microseconds=1)).astimezone(SHANGHAI)
    console.print(f"节假日公布到 {last:%Y-%m-%d}" if last else "没有按工作日算的日历")
    for row in days:
        console.print(f"{row.day:%Y-%m-%d} 区里{'上班' if row.open else '放假'}")


async def _import(target: Target, told: "PublishedYear") -> None:
    from services.routing.governing import Decision, Year, import_year

    async with as_owner(target) as conn:
        await import_year(conn, Year(told.year, told.holidays, told.workdays), Decision(reason=told.reason))


async def _show(target: Target) -> tuple[Any, Any, Any]:
    from services.routing.store import governing as store
    from shared.calendar.store import published_until

    async with as_owner(target, schema="routing") as conn:
        calendars = (await conn.execute(store.CALENDARS)).all()
        return calendars, await published_until(conn), (await conn.execute(store.DAYS)).all()
