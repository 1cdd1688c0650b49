"""`chuishao policy`: what a district decides about hours, and what would have come of other ones."""

import json
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.table import Table

from chuishao.target import DataDir, Json, Target, as_owner, console, errors, fail, find, run
from chuishao.words import SHANGHAI, date_time

if TYPE_CHECKING:
    from services.routing.policy import BadPolicy, Policy

app = typer.Typer(no_args_is_help=True, help="政策：时限、日历、夜间 · what a district decides")

File = Annotated[str, typer.Argument(help="政策文件，或 default、demo")]
Reason = Annotated[str, typer.Option(help="为什么，留给以后查的人")]
Replayed = Annotated[str, typer.Option("--policy", help="拿哪个政策文件试算")]
Since = Annotated[str, typer.Option("--from", help="从哪天报上来的，如 2026-10-01")]
Until = Annotated[str, typer.Option("--to", help="到哪天为止（不含）")]
Picture = Annotated[Path | None, typer.Option(help="画成图，写到哪个 .svg")]


@app.command()
def check(file: File) -> None:
    """只看对不对，什么也不改 · every mistake with its line; exit 1 if there is one."""
    policy = _read(file)
    console.print(f"没有错：{policy.id}")


@app.command()
def save(file: File, reason: Reason, data: DataDir = Path("data")) -> None:
    """存下来，从现在起用于新的事 · saved and in force for new cases; open ones keep theirs."""
    from services.routing.policy import read_source

    policy = _read(file)
    run(_save(find(data), read_source(file), reason))
    console.print(f"用上了：{policy.id}")


@app.command("list")
def list_(data: DataDir = Path("data"), as_json: Json = False) -> None:
    """存过哪些，哪个在用 · which were saved, and which is in force."""
    rows = run(_list(find(data)))
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    table = Table("政策", "存于", "谁", "为什么", "在用", box=None)
    for row in rows:
        mark = "✓" if row["in_force"] else ""
        table.add_row(row["id"], date_time(row["created_at"]), row["created_by"] or "–", row["reason"] or "–", mark)
    console.print(table)


@app.command()
def show(id_: Annotated[str, typer.Argument(metavar="ID")], data: DataDir = Path("data")) -> None:
    """一个政策的原文 · its YAML."""
    print(run(_show(find(data), id_)), end="")


@app.command()
def reapply(
    reason: Reason,
    before: Annotated[str | None, typer.Option("--from", help="写错的那个政策；不写就是所有别的")] = None,
    data: DataDir = Path("data"),
) -> None:
    """还没办完的事改用现在的政策 · open cases get the policy in force, what was used of a term taken off."""
    count = run(_reapply(find(data), before, reason))
    console.print(f"{count} 件改用了现在的政策")


@app.command()
def replay(
    policy: Replayed,
    since: Since,
    until: Until,
    picture: Picture = None,
    data: DataDir = Path("data"),
    as_json: Json = False,
) -> None:
    """拿过去的事试算另一个政策：各级多少、多少按时、多少没人动 · the record under other hours; changes nothing."""
    wanted = _read(policy)
    begins, ends = _day(since, "--from"), _day(until, "--to")
    if ends <= begins:
        fail("--to 要晚于 --from", "--to must be later than --from", 2)
    found = run(_replay(find(data), wanted, begins, ends))
    from chuishao import replay_picture

    if picture:
        picture.write_text(replay_picture.picture(found), encoding="utf-8")
    if as_json:
        print(json.dumps(found, ensure_ascii=False, default=str))
        return
    console.print(f"{found['cases']} 件，走法不同的 {found['changed']} 件（记录 → 试算）")
    console.print(replay_picture.table(found))


def _read(file: str) -> "Policy":
    from services.routing.policy import BadPolicy, parse_text, read_source

    try:
        return parse_text(read_source(file))
    except BadPolicy as error:
        _refuse(error)


def _refuse(error: "BadPolicy") -> NoReturn:
    from services.routing.policy import said

    for each in error.errors:
        errors.print(said(each), markup=False, soft_wrap=True)
    fail(f"{len(error.errors)} 处不对", "the policy is refused")


def _day(text: str, option: str) -> datetime:
    """A day or a time, of Asia/Shanghai unless it says otherwise."""
    try:
        at = datetime.fromisoformat(text) if len(text) > 10 else datetime.combine(date.fromisoformat(text), time())
    except ValueError:
        fail(f"{option} 要写成 2026-10-01", f"{option} is no day", 2)
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)


async def _save(target: Target, source: str, reason: str) -> None:
    from services.routing.governing import Decision, save_policy

    async with as_owner(target) as conn:
        await save_policy(conn, source, Decision(reason=reason))


async def _list(target: Target) -> list[dict[str, Any]]:
    from services.routing.store.governing import POLICIES

    async with as_owner(target, schema="routing") as conn:
        rows = await conn.execute(POLICIES, {"after": None, "after_id": None, "limit": 1_000})
        return [dict(row) for row in rows.mappings()]


async def _show(target: Target, id_: str) -> str:
    from services.routing.governing import policy_source

    async with as_owner(target) as conn:
        found = await policy_source(conn, id_)
    if found is None:
        fail(f"没有 {id_}", f"there is no {id_}")
    return found


async def _reapply(target: Target, before: str | None, reason: str) -> int:
    from services.routing.governing import Decision, policy_source
    from services.routing.governing import reapply as reapply_policy

    async with as_owner(target) as conn:
        if before is not None and await policy_source(conn, before) is None:
            fail(f"没有 {before}", f"there is no {before}")
        return await reapply_policy(conn, before, Decision(reason=reason))


async def _replay(target: Target, policy: "Policy", since: datetime, until: datetime) -> dict[str, Any]:
    from services.routing.replaying import replay_policy

    async with as_owner(target) as conn:
        return await replay_policy(conn, policy, since, until)
