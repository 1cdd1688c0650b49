"""`chuishao keys`: a new master key, and all persons' keys under it. When, and in what order: docs/operations.md."""

import secrets
from pathlib import Path

import psutil
import typer

from chuishao import store
from chuishao.target import DataDir, Target, as_owner, console, fail, find, run
from shared.embedded import running
from shared.keys import KEY_FILE, Keys

BATCH = 1000

app = typer.Typer(no_args_is_help=True, help="主密钥 · the master key")


@app.command()
def rotate(data: DataDir = Path("data")) -> None:
    """加一把新的主密钥，旧的留着；然后重启，再 keys rewrap · a new key before the old; restart, then rewrap."""
    path = data / KEY_FILE
    if not path.exists():
        fail(f"{path} 没有：密钥放在别处的，见 docs/operations.md", "the key is kept elsewhere: docs/operations.md")
    Keys.keep(data, [secrets.token_hex(32), *path.read_text().split()])
    console.print("有新的主密钥了。重启，再运行 chuishao keys rewrap；大家要重新登录")


@app.command()
def rewrap(data: DataDir = Path("data")) -> None:
    """每个人的密钥改由最新的主密钥包着；系统照常运行 · wraps persons' keys anew, while all goes on."""
    path, system = data / KEY_FILE, running(data)
    if system and path.exists() and path.stat().st_mtime > psutil.Process(system.pid).create_time():
        fail("系统还不认识新的主密钥：先重启", "the running system does not know the newest key yet: restart it")
    changed = run(_rewrap(find(data)))
    masters = path.read_text().split() if path.exists() else []
    if len(masters) > 2:
        Keys.keep(data, [masters[0], masters[-1]])
    console.print(f"换了 {changed} 个人的。第一把和最后一把主密钥要留着，中间的可以丢了")


async def _rewrap(target: Target) -> int:
    changed, after = 0, None
    while True:
        async with as_owner(target) as conn:
            rows = await store.wrapped_keys(conn, after, BATCH)
            if not rows:
                return changed
            old = {id_: wrapped for id_, wrapped in rows if not target.keys.is_current(wrapped)}
            new = {id_: target.keys.wrap(target.keys.unwrap(wrapped)) for id_, wrapped in old.items()}
            changed += await store.rewrap(conn, old, new)
        after = rows[-1][0]
