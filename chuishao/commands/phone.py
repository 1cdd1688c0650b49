"""`chuishao phone`: what arrived at a telephone of the sandbox, and texts sent from it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.panel import Panel

from chuishao.people import Who, principal
from chuishao.target import DataDir, Json, Target, as_owner, console, fail, find, run
from chuishao.telephones import Bubble, Telephone, arrived, send, telephone_of, telephone_of_number
from chuishao.words import CHANNELS, REASONS, clock_time


def phone(
    number: Annotated[str | None, typer.Argument(help="手机号")] = None,
    person: Annotated[str | None, typer.Option(help="人员编号，如 P016")] = None,
    post: Annotated[str | None, typer.Option(help="网格编码[:party|:desk|:secretary]")] = None,
    text: Annotated[str | None, typer.Option("--send", help="从这个号发一条短信")] = None,
    data: DataDir = Path("data"),
    as_json: Json = False,
) -> None:
    """沙箱里的一部手机收到了什么，或者从它发一条 · what arrived at a sandbox telephone, or send from it."""
    who = Who(phone=number, person=person, post=post)
    who.check()
    target = find(data)
    if text is not None:
        if number is None:
            fail("发短信要写手机号", "--send needs a number", 2)
        heard, answer = run(send(target, number, text))
        print(heard)
        if answer:
            print(answer.text)
        return
    bubbles = run(_arrived(target, who))
    if as_json:
        print(json.dumps([each.as_json() for each in bubbles], ensure_ascii=False))
        return
    for each in bubbles:
        console.print(bubble(each))
    if not bubbles:
        console.print("还没有消息")


async def _arrived(target: Target, who: Who) -> list[Bubble]:
    return await arrived(target, await _telephone(target, who))


async def _telephone(target: Target, who: Who) -> Telephone:
    if who.phone:
        return await telephone_of_number(target, who.phone)
    async with as_owner(target) as conn:
        person = (await principal(conn, target, who)).person
        assert person is not None, "only roles are nobody in particular"
        return await telephone_of(conn, target, person)


def bubble(message: Bubble) -> Panel:
    """The message as it looks on the telephone."""
    reason = REASONS.get(message.reason or "", message.reason or "")
    title = f"{CHANNELS.get(message.channel, message.channel)} {clock_time(message.at)}"
    return Panel(message.text, title=title, subtitle=reason, title_align="left", width=60, highlight=False)
