"""The command line. Only puts the commands together; each lives in a module of its own.

Commands import the services only when they run: `token` answers in a second instead of three.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from chuishao.commands import clock, district, doctor, keys, outbox, phone, quarantine, serve, story, token, up, watch

app = typer.Typer(
    name="chuishao",
    help="吹哨报到：网格事项逐级上报 · the issue escalation ladder of a neighbourhood",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals may hold personal data
)
app.command()(up.up)
app.command()(story.story)
app.command()(watch.watch)
app.command()(phone.phone)
app.command()(token.token)
app.command()(clock.clock)
app.command()(doctor.doctor)
app.add_typer(district.app, name="district")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(outbox.app, name="outbox")
app.add_typer(keys.app, name="keys")
app.command()(serve.serve)
app.command()(serve.migrate)


@app.callback()
def main(
    data: Annotated[Path | None, typer.Option(help="数据目录；写在命令前后都行 · data directory")] = None,
) -> None:
    """Every command finds the running system by --data, before or after its name, or by CHUISHAO_DATA."""
    if data is not None:
        os.environ["CHUISHAO_DATA"] = str(data)
