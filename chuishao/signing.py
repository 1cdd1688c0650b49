"""How to sign in as each role, and where to look next, told with people of this district."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len

from chuishao import store
from chuishao.target import Target, as_owner, console
from chuishao.words import level_name

WIDTH = 22
DEFAULT_DATA = Path("data")


async def show_sign_in(target: Target) -> None:
    """Prints commands as they can be copied: one per role, and some to look around."""
    async with as_owner(target) as conn:
        examples = await store.examples(conn)
    rows = [
        ("居民", "--phone 19900090001"),
        *((level_name(level), f"--post {post}") for level, post in examples.posts),
        *((label, f"--department {code}") for label, code in examples.departments),
        ("指挥中心", "--role command"),
        ("管理员", "--role admin"),
        ("审计", "--role auditor"),
        ("仲裁", "--role arbiter"),
    ]
    console.print("\n[bold]用谁的身份登录[/]（令牌放进 Authorization: Bearer …）")
    _show(target, [(who, f"token {how}") for who, how in rows])
    console.print("\n[bold]接着看[/]")
    phones = [(f"{level_name(level)}的手机", f"phone --post {post}") for level, post in examples.posts[:1]]
    _show(target, [*phones, ("全部动静", "watch"), ("再演一遍", "story"), ("体检", "doctor")])


def _show(target: Target, rows: Sequence[tuple[str, str]]) -> None:
    for what, how in rows:
        console.print(f"  {what}{' ' * (WIDTH - cell_len(what))}{_command(target)} {how}", soft_wrap=True)


def _command(target: Target) -> str:
    """How to call this program from here, with the data directory if it is not the usual one."""
    program = os.path.relpath(sys.argv[0])
    data = target.settings.data
    return program if data == DEFAULT_DATA else f"{program} --data {data}"
