"""How to sign in as each role, told with people of this district."""

import os
import sys
from pathlib import Path

from rich.cells import cell_len

from chuishao import store
from chuishao.target import Target, as_owner, console
from chuishao.words import level_name

WIDTH = 22
DEFAULT_DATA = Path("data")


async def show_sign_in(target: Target) -> None:
    """Prints a command per role, as it can be copied."""
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
    for who, how in rows:
        console.print(f"  {who}{' ' * (WIDTH - cell_len(who))}{_command(target)} token {how}", soft_wrap=True)


def _command(target: Target) -> str:
    """How to call this program from here, with the data directory if it is not the usual one."""
    program = os.path.relpath(sys.argv[0])
    data = target.settings.data
    return program if data == DEFAULT_DATA else f"{program} --data {data}"
