"""How to sign in as each role, told with people of this district."""

from rich.table import Table

from chuishao import store
from chuishao.target import Target, as_owner, console
from chuishao.words import level_name


async def show_sign_in(target: Target, command: str) -> None:
    """Prints a command per role; `command` is how chuishao was called, with the data directory if it matters."""
    async with as_owner(target) as conn:
        examples = await store.examples(conn)
    table = Table.grid(padding=(0, 2))
    rows = [
        ("居民", "--phone 13904740001"),
        *((level_name(level), f"--post {post}") for level, post in examples.posts),
        *((label, f"--department {code}") for label, code in examples.departments),
        ("指挥中心", "--role command"),
        ("管理员", "--role admin"),
        ("审计", "--role auditor"),
        ("仲裁", "--role arbiter"),
    ]
    for who, how in rows:
        table.add_row(who, f"{command} token {how}")
    console.print("\n[bold]用谁的身份登录[/]（令牌放进 Authorization: Bearer …）")
    console.print(table)
