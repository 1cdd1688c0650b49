"""`chuishao token`: a bearer token for a local deployment, alone on standard output."""

from pathlib import Path
from typing import Annotated

import typer

from chuishao.people import Who, principal
from chuishao.target import DataDir, Target, as_owner, find, run
from shared.auth import issue_token


def token(
    person: Annotated[str | None, typer.Option(help="人员编号，如 P016")] = None,
    post: Annotated[str | None, typer.Option(help="网格编码[:party|:desk|:secretary]，默认是长")] = None,
    department: Annotated[str | None, typer.Option(help="部门编码，如 WATER")] = None,
    phone: Annotated[str | None, typer.Option(help="居民的手机号")] = None,
    role: Annotated[str | None, typer.Option(help="command、admin、auditor 或 arbiter")] = None,
    hours: Annotated[float, typer.Option(help="有效几小时", min=0.01, max=8760)] = 24,
    data: DataDir = Path("data"),
) -> None:
    """发一个登录令牌（只用于本机部署） · a bearer token, alone on stdout."""
    who = Who(person, post, department, phone, role)
    who.check()
    print(run(_token(find(data), who, hours)))


async def _token(target: Target, who: Who, hours: float) -> str:
    async with as_owner(target) as conn:
        return issue_token(target.keys, await principal(conn, target, who), hours)
