"""The story: one issue from the door to the end, played through the public interfaces and the sandbox's telephones."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2

from chuishao import store
from chuishao.client import Client, RefusedError, connected
from chuishao.target import Target, as_owner, console, fail
from chuishao.telephones import Telephone, arrived, telephone_of, telephone_of_number
from chuishao.words import CHANNELS, ENDED, SKIPPED, clock_time, level_name, limit_time, span
from shared.auth import Principal

LOOK_EVERY = 0.25
PATIENCE = 180.0
READING = 2.5
"""Seconds for whoever watches to read what was just said."""
LONG = 60.0
"""A term longer than this is not waited for: the holder hands on by hand."""
COMMAND = Principal(role="command")
Case = dict[str, Any]


async def play(target: Target) -> None:
    """Plays it once, live. Ends the command with exit code 1 when something does not come about."""
    if target.real_providers:
        fail("这个系统会真的发短信，不演", "this system sends real messages: the story is for the sandbox")
    async with as_owner(target) as conn:
        place = await store.story_place(conn)
    if place is None:
        fail("这个区没有合适的地方演：要有一个中网格空着，上下都有人", "no place in this district fits the story")
    try:
        async with connected(target) as client:
            await _play(Stage(target, client), place)
    except (RefusedError, httpx2.HTTPError) as error:
        fail(f"演不下去：{error}", "the system answered with an error, or not at all: chuishao doctor")


async def _play(stage: "Stage", place: str) -> None:
    await stage.report(place)
    await stage.nobody_acts_until("large")
    await stage.accept_and_resolve("灯泡换好了，您上下楼看看亮不亮。")
    await stage.answer("no", "还是不亮")
    await stage.accept_and_resolve("请电工查了线路，接头松了，已经接好。")
    await stage.answer("yes", "亮了")
    await stage.end()


class Stage:
    """One issue on stage, with everybody who has to do with it and their telephones."""

    def __init__(self, target: Target, client: Client) -> None:
        self._target = target
        self._client = client
        self._phone = f"1990009{random.randrange(10**4):04d}"  # nobody's: generated districts begin at 199 0010
        self._telephones: dict[str, Telephone] = {}
        self._shown: set[tuple[str, str, datetime]] = set()
        self._hops = 0
        self._issue = ""
        self._code = ""
        self._began = time.monotonic()

    # -- what happens -----------------------------------------------------------------------------------
    async def report(self, place: str) -> None:
        self._telephones["居民"] = await telephone_of_number(self._target, self._phone)
        words = {"category": "FAC.light", "text": "楼道灯不亮了，老人上下楼看不见", "phone": self._phone}
        _say("一", f"居民扫门上的码，报了一件事：{words['text']}")
        taken = await self._client.post("/api/intake/issues", {**words, "place": {"grid": place}})
        self._issue, self._code = taken["id"], taken["track"]
        self._telephones["居民"] = await telephone_of_number(self._target, self._phone)
        console.print(f"   编号 {taken['number']}，查询码 {taken['track']}")

    async def nobody_acts_until(self, level: str) -> None:
        """Waits for the clock; where the policy gives hours, the holders hand on themselves."""
        _say("二", "没有人接，看它自己往上走")
        await self._until(lambda case: bool(case["holder"]))
        while (case := await self._case())["level"] != level:
            if _seconds_left(case) > LONG:
                console.print(f"   [dim]这里的时限还有 {span(_seconds_left(case))}，不等了，按“往上报”[/]")
                await self._act("escalate", {"reason": "不归我管"})
            await self._until(_has_left(case["level"]))

    async def accept_and_resolve(self, reply: str) -> None:
        case = await self._case()
        _say("三" if case["level"] == "large" else "五", f"{case['holder']['label']}：我来办")
        await self._act("accept", {})
        await self._watch_for(READING)
        console.print(f"   办完了，告诉居民：“{reply}”")
        await self._act("resolve", {"reply": reply})

    async def answer(self, solved: str, words: str) -> None:
        await self._until_asked()
        _say("四" if solved == "no" else "六", f"居民说：{'解决了' if solved == 'yes' else '没解决'}，{words}")
        before = (await self._case())["version"]
        body = {"solved": solved, "satisfied": 5 if solved == "yes" else 2, "comment": words}
        await self._client.post(f"/api/routing/cases/{self._issue}/answer", body, code=self._code)
        await self._until(lambda case: case["version"] != before)

    async def end(self) -> None:
        await self._until(lambda case: case["phase"] == "closed")
        await self._watch_for(READING)
        track = await self._client.get(f"/api/routing/track/{self._issue}", code=self._code)
        _say("完", f"用了 {span(time.monotonic() - self._began)}。居民看到的经过：")
        for line in track["history"]:
            console.print(f"   {clock_time(line['at'])}  {line['text']}", markup=False)

    # -- how it is done -----------------------------------------------------------------------------------
    async def _case(self) -> Case:
        """The case as command sees it; new hops are told as they are found."""
        try:
            case = await self._client.acting_as(COMMAND).get(f"/api/routing/cases/{self._issue}")
        except RefusedError as error:
            if error.status != 404:
                raise
            return {"level": None, "holder": None, "phase": "received", "hops": [], "version": 0}
        why = ""
        for hop in case["hops"]:
            if hop["hop"] > self._hops:
                await self._tell(case, hop, why)
                self._hops = hop["hop"]
            if hop["ended_by"]:
                why = "居民说没解决" if hop["ended_by"] == "resolved" else ENDED.get(hop["ended_by"], "")
        return case

    async def _tell(self, case: Case, hop: Case, why: str) -> None:
        at = clock_time(hop["since"])
        if hop["skipped"]:
            reason = SKIPPED.get(hop["skipped"], hop["skipped"])
            console.print(f"   {at}  [yellow]⊘ {level_name(hop['level'])}{reason}，当场跳过[/]")
            return
        limit = f"，最晚 {limit_time(case['accept_by'], case['now'])} 有人接" if case["accept_by"] else ""
        console.print(f"   {at}  [blue]● {hop['holder']['label']}[/]{limit}  [dim]{why}[/]")
        holder = hop["holder"]
        async with as_owner(self._target) as conn:
            person = await _person(conn, holder)
            if person:
                self._telephones[holder["label"]] = await telephone_of(conn, self._target, person)

    async def _show_messages(self) -> None:
        for name, telephone in self._telephones.items():
            for bubble in await arrived(self._target, telephone):
                mark = (name, bubble.text, bubble.at)
                if bubble.issue == self._issue and mark not in self._shown:
                    self._shown.add(mark)
                    channel = CHANNELS.get(bubble.channel, bubble.channel)
                    text = " · ".join(bubble.text.splitlines())
                    console.print(f"             [green]✉ {name}的{channel}[/]  [dim]{text}[/]", soft_wrap=True)

    async def _until(self, reached: Callable[[Case], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached(await self._case()):
            await self._show_messages()
            if time.monotonic() > deadline:
                fail("等了三分钟没有动静，看看 chuishao doctor", "nothing happened for three minutes: chuishao doctor")
            await asyncio.sleep(LOOK_EVERY)
        await self._show_messages()

    async def _until_asked(self) -> None:
        """The resident answers once the question has reached her telephone, or is on her page at least."""
        await self._until(lambda case: case["phase"] == "resolved")
        await self._watch_for(READING)

    async def _watch_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self._show_messages()
            await asyncio.sleep(LOOK_EVERY)

    async def _act(self, act: str, body: dict[str, Any]) -> None:
        """The holder acts; the clock may have been faster, then whoever has it now."""
        for _ in range(3):
            case = await self._case()
            async with as_owner(self._target) as conn:
                person = await _person(conn, case["holder"])
                caller = Principal(person=person, no=await store.number_of(conn, person)) if person else COMMAND
            try:
                path = f"/api/routing/cases/{self._issue}/{act}"
                await self._client.acting_as(caller).post(path, {"version": case["version"], **body})
                return
            except RefusedError as error:
                if error.status != 409:
                    raise
        fail("一直有人抢先", "somebody else was always faster")


async def _person(conn: Any, holder: dict[str, Any]) -> UUID | None:
    """The person who holds it, or the first one at the desk that does."""
    if holder["kind"] == "person":
        found = await store.find_person(conn, holder["id"])
    else:
        found = await store.find_by_post(conn, holder["id"], "desk")
    return found.id if found else None


def _has_left(level: str) -> Callable[[Case], bool]:
    return lambda case: case["level"] != level


def _seconds_left(case: Case) -> float:
    if not case.get("accept_by"):
        return 0.0
    return (datetime.fromisoformat(case["accept_by"]) - datetime.fromisoformat(case["now"])).total_seconds()


def _say(number: str, text: str) -> None:
    console.print(f"\n[bold]{number}[/]  {text}")
