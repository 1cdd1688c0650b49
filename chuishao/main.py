"""The command line. Only puts the commands together; each lives in a module of its own."""

import typer

from chuishao.commands.token import token

app = typer.Typer(
    name="chuishao",
    help="吹哨报到：网格事项逐级上报 · the issue escalation ladder of a neighbourhood",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals may hold personal data
)
app.command()(token)


@app.callback()
def main() -> None:
    """Every command finds the running system by --data or CHUISHAO_DATA."""
