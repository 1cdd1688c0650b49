"""`chuishao quarantine`: events that a service could not handle. Ids look like `routing:3`."""

import json
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table
from sqlalchemy import RowMapping

from chuishao.target import DataDir, Json, Target, as_owner, console, fail, find, run
from chuishao.words import clock_time
from shared.messaging import quarantine as store
from shared.service import Service
from shared.telemetry import configure_logging

app = typer.Typer(no_args_is_help=True, help="处理不了的事件 · events that could not be handled")

Id = Annotated[str, typer.Argument(metavar="SERVICE:NUMBER", help="list 里的编号，如 routing:3")]


@app.command("list")
def list_(data: DataDir = Path("data"), as_json: Json = False) -> None:
    """列出来，按重放的先后 · in the order of replay."""
    rows = run(_all(find(data)))
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("编号", "主题", "事项", "序号", "原因", "时间", box=None)
    for row in rows:
        columns = ("id", "topic", "subject", "seq", "reason")
        table.add_row(*(str(row[name] or "–") for name in columns), clock_time(row["at"]))
    console.print(table if rows else "隔离区是空的")


@app.command()
def show(id_: Id, data: DataDir = Path("data")) -> None:
    """看一条的内容（只有编号和代码，没有个人信息） · its content: ids and codes only."""
    row = run(_one(find(data), id_))
    try:
        body: Any = orjson.loads(bytes(row["body"]))
        console.print_json(data=body)
    except orjson.JSONDecodeError:
        console.print(repr(bytes(row["body"])))
    console.print(f"原因：{row['reason']}")


@app.command()
def replay(
    id_: Annotated[str | None, typer.Argument(metavar="[SERVICE:NUMBER]", help="不写就是全部")] = None,
    data: DataDir = Path("data"),
) -> None:
    """修好以后再处理一遍 · applies them again; exit 1 when some are still there."""
    configure_logging("CRITICAL")  # why one is still there stands in the list
    done, left = run(_replay(find(data), id_))
    console.print(f"处理了 {done} 条，还剩 {left} 条")
    raise typer.Exit(1 if left else 0)


@app.command()
def drop(id_: Id, data: DataDir = Path("data")) -> None:
    """放弃一条，后面的接着处理 · gives one up, so that later ones can go on."""
    run(_drop(find(data), id_))
    console.print("放弃了")


def _services() -> dict[str, Service]:
    from chuishao.wiring import SERVICES

    return {service.name: service for service in SERVICES}


def _parse(id_: str) -> tuple[Service, int]:
    name, _, number = id_.partition(":")
    service = _services().get(name)
    if service is None or not number.isascii() or not number.isdigit():
        fail("编号要写成 routing:3", "an id looks like routing:3", 2)
    return service, int(number)


async def _all(target: Target) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in _services():
        async with as_owner(target, schema=name) as conn:
            found += [_line(name, row) for row in await store.quarantined(conn)]
    return found


def _line(service: str, row: RowMapping) -> dict[str, Any]:
    return {
        "id": f"{service}:{row['id']}",
        "topic": row["topic"],
        "subject": str(row["subject"]) if row["subject"] else None,
        "seq": row["seq"],
        "reason": row["reason"],
        "at": row["created_at"].isoformat(),
    }


async def _one(target: Target, id_: str) -> RowMapping:
    service, number = _parse(id_)
    async with as_owner(target, schema=service.name) as conn:
        rows = await store.quarantined(conn, number)
    if not rows:
        fail(f"没有 {id_}", f"there is no {id_}")
    return rows[0]


async def _replay(target: Target, id_: str | None) -> tuple[int, int]:
    wanted = [_parse(id_)] if id_ else [(service, 0) for service in _services().values()]
    done = left = 0
    for service, number in wanted:
        async with target.service(service.name) as context:
            from shared.messaging.consumer import Consumer

            applied, still = await store.replay(Consumer(context, service), number)
        done, left = done + applied, left + still
    return done, left


async def _drop(target: Target, id_: str) -> None:
    service, number = _parse(id_)
    async with as_owner(target, schema=service.name) as conn:
        if not await store.drop(conn, number):
            fail(f"没有 {id_}", f"there is no {id_}")
