"""A stage for stories: one issue, everybody who has to do with it, and their telephones; all through the public
interfaces and the sandbox."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from chuishao import store
from chuishao.client import Client, RefusedError
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
        self.past: list[Case] = []
        """Hops as they were told, with their holders."""

    # -- what happens -----------------------------------------------------------------------------------
    async def report(self, place: str, category: str, words: str) -> None:
        self._telephones["居民"] = await telephone_of_number(self._target, self._phone)
        said = {"category": category, "text": words, "phone": self._phone}
        taken = await self._client.post("/api/intake/issues", {**said, "place": {"grid": place}})
        self._issue, self._code = taken["id"], taken["track"]
        self._telephones["居民"] = await telephone_of_number(self._target, self._phone)
        console.print(f"   编号 {taken['number']}，查询码 {taken['track']}")
        await self.until(lambda case: bool(case["holder"]))

    async def nobody_acts_until(self, level: str) -> None:
        """Waits for the clock; where the policy gives hours, the holders hand on themselves."""
        while (case := await self.case())["level"] != level:
            if _seconds_left(case) > LONG:
                console.print(f"   [dim]这里的时限还有 {span(_seconds_left(case))}，不等了，按“往上报”[/]")
                await self.act("escalate", {"reason": "不归我管"})
            await self.until(_has_left(case["level"]))

    async def accept(self) -> None:
        await self.act("accept", {})
        await self.watch_for(READING)

    async def resolve(self, reply: str) -> None:
        console.print(f"   办完了，告诉居民：“{reply}”")
        await self.act("resolve", {"reply": reply})
        await self.until(lambda case: case["phase"] in ("resolved", "closed"))
        await self.watch_for(READING)

    async def answer(self, solved: str, words: str) -> None:
        before = (await self.case())["version"]
        body = {"solved": solved, "satisfied": 5 if solved == "yes" else 2, "comment": words}
        await self._client.post(f"/api/routing/cases/{self._issue}/answer", body, code=self._code)
        await self.until(lambda case: case["version"] != before)

    async def tell_track(self) -> None:
        """What the resident sees of it all."""
        await self.watch_for(READING)
        track = await self._client.get(f"/api/routing/track/{self._issue}", code=self._code)
        for line in track["history"]:
            console.print(f"   {clock_time(line['at'])}  {line['text']}", markup=False, soft_wrap=True)

    # -- how it is done -----------------------------------------------------------------------------------
    async def case(self) -> Case:
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
        self.past.append(hop)
        await self.watch_telephone(hop["holder"]["label"], await self.person_of(hop["holder"]))

    async def _show_messages(self) -> None:
        for name, telephone in self._telephones.items():
            for bubble in await arrived(self._target, telephone):
                mark = (name, bubble.text, bubble.at)
                if bubble.issue == self._issue and mark not in self._shown:
                    self._shown.add(mark)
                    channel = CHANNELS.get(bubble.channel, bubble.channel)
                    text = " · ".join(bubble.text.splitlines())
                    console.print(f"             [green]✉ {name}的{channel}[/]  [dim]{text}[/]", soft_wrap=True)

    async def until(self, reached: Callable[[Case], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached(await self.case()):
            await self._show_messages()
            if time.monotonic() > deadline:
                fail("等了三分钟没有动静，看看 chuishao doctor", "nothing happened for three minutes: chuishao doctor")
            await asyncio.sleep(LOOK_EVERY)
        await self._show_messages()

    async def watch_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self._show_messages()
            await asyncio.sleep(LOOK_EVERY)

    async def act(self, act: str, body: dict[str, Any], who: Principal | None = None) -> None:
        """The holder acts, or `who`; the clock may have been faster, then whoever has it now."""
        for _ in range(3):
            case = await self.case()
            caller = who or await self.person_of(case["holder"]) or COMMAND
            try:
                path = f"/api/routing/cases/{self._issue}/{act}"
                await self._client.acting_as(caller).post(path, {"version": case["version"], **body})
                return
            except RefusedError as error:
                if error.status != 409:
                    raise
        fail("一直有人抢先", "somebody else was always faster")

    # -- people ---------------------------------------------------------------------------------------------
    async def person_of(self, holder: dict[str, Any]) -> Principal | None:
        """The person who holds it, or the first one at the desk that does."""
        if holder["kind"] == "person":
            return await self.numbered(holder["id"])
        return await self.at_post(holder["id"], "desk")

    async def numbered(self, no: str) -> Principal | None:
        async with as_owner(self._target) as conn:
            found = await store.find_person(conn, no)
        return Principal(person=found.id, no=found.no) if found else None

    async def at_post(self, grid: str, post: str) -> Principal | None:
        async with as_owner(self._target) as conn:
            found = await store.find_by_post(conn, grid, post)
        return Principal(person=found.id, no=found.no) if found else None

    async def officer(self, department: str) -> Principal | None:
        async with as_owner(self._target) as conn:
            found = await store.find_officer(conn, department)
        return Principal(person=found.id, no=found.no, department=department) if found else None

    async def watch_telephone(self, name: str, who: Principal | None) -> None:
        """Messages about this issue that arrive there are shown from now on."""
        if who and who.person:
            async with as_owner(self._target) as conn:
                self._telephones[name] = await telephone_of(conn, self._target, who.person)

    def client_of(self, who: Principal | None) -> Client:
        return self._client.acting_as(who or COMMAND)

    @property
    def issue(self) -> str:
        return self._issue


def _has_left(level: str) -> Callable[[Case], bool]:
    return lambda case: case["level"] != level


def _seconds_left(case: Case) -> float:
    if not case.get("accept_by"):
        return 0.0
    return (datetime.fromisoformat(case["accept_by"]) - datetime.fromisoformat(case["now"])).total_seconds()
