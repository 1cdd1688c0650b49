"""Residents and leaders as clients of the public interfaces: they retry with the same key until they are answered, and
remember what was acknowledged."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx2

from chuishao import store
from chuishao.target import Target, as_owner
from shared.auth import Principal, issue_token
from shared.keys import Keys

C = "150902-01-01"
PLACES: Sequence[Mapping[str, str]] = (
    *({"grid": f"{C}-{place}"} for place in ("L1-M1-S1-U1", "L1-M1-S1-U2", "L1-M1-S1-U3", "L1-M1-S2-U1")),
    *({"grid": f"{C}-{place}"} for place in ("L1-M1-S2-U2", "L1-M2-S1-U1", "L2-M1-S1-U1", "L1-M1", "L2")),
    {"grid": C},
    {"grid": "150902-01-02"},
    {"address": "河东市场北门"},
)
CATEGORIES = {"FAC.light": 6, "HYG.garbage": 4, "WAT.leak": 3, "LIFT.fault": 2, "SAF.gas": 1, "DIS.neighbour": 1}
FATES: Mapping[str, tuple[Sequence[str], int]] = {
    "nobody acts": ((), 8),
    "accepted and left lying": (("accept",), 2),
    "solved": (("accept", "resolve", "yes"), 3),
    "not solved": (("accept", "resolve", "no"), 2),
    "never answered": (("accept", "resolve"), 1),
    "handed on": (("escalate", "escalate"), 2),
    "asked": (("ask", "reply"), 2),
    "asked in vain": (("ask",), 1),
    "withdrawn": (("withdraw",), 1),
}
"""What is done to an issue, and how often that happens to one."""
HOLDER_ACTS: Mapping[str, Mapping[str, str]] = {
    "accept": {},
    "escalate": {"reason": "不归我管"},
    "ask": {"text": "是哪一盏灯？"},
    "resolve": {"reply": "换好了"},
}
RESIDENT_ACTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "yes": ("answer", {"solved": "yes", "satisfied": 5}),
    "no": ("answer", {"solved": "no", "comment": "还是不亮"}),
    "reply": ("reply", {"text": "二楼那一盏"}),
    "withdraw": ("withdraw", {}),
}
HISTORY = {
    "accept": "accepted",
    "escalate": "escalated",
    "ask": "asked",
    "resolve": "resolved",
    "yes": "closed",
    "no": "reopened",
    "reply": "replied",
    "withdraw": "closed",
}
"""An act -> the kind of history row it leaves behind."""
DESKS = {C: "P003", "150902-01-02": "P006", "150902-01": "P002", "150902": "P001"}
COMMAND = Principal(role="command")
PATIENCE = 90.0


@dataclass
class Remembered:
    """What the system has acknowledged: it must never forget it."""

    issues: dict[UUID, str] = field(default_factory=dict)
    """Issue -> its fate."""
    acts: Counter[tuple[UUID, str]] = field(default_factory=Counter)
    """(issue, kind of history row) -> how often."""
    retries: int = 0


class Residents:
    """Everybody who uses one system."""

    def __init__(self, http: httpx2.AsyncClient, keys: Keys, people: Mapping[str, UUID], chance: random.Random) -> None:
        self.http = http
        self.keys = keys
        self._people = people
        self._chance = chance
        self.remembered = Remembered()

    # -- being a client -----------------------------------------------------------------------------------
    async def insist(self, method: str, path: str, caller: Principal | None = None, **more: Any) -> httpx2.Response:
        """One request with one key, again and again until it is answered. A 503 says when to come back; any other
        fault of the server's is a failure of the test."""
        headers = {"Authorization": f"Bearer {issue_token(self.keys, caller)}"} if caller else {}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, f"{method} {path} was not answered for {PATIENCE:.0f} s"
            try:
                answer = await self.http.request(method, path, headers=headers, **more)
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code != 503:
                assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
                return answer
            assert answer is None or answer.headers["Retry-After"]
            self.remembered.retries += 1
            await asyncio.sleep(self._chance.uniform(0.1, 0.4))

    # -- what they do -------------------------------------------------------------------------------------
    async def report(self, place: Mapping[str, str] | None = None, category: str | None = None) -> "Issue":
        chance = self._chance
        body = {
            "category": category or chance.choices(list(CATEGORIES), list(CATEGORIES.values()))[0],
            "text": "楼道灯不亮了",
            "place": place or chance.choice(PLACES),
            "phone": f"1391240{chance.randrange(100):04}",
        }
        answer = await self.insist("POST", "/api/intake/issues", json=body)
        assert answer.status_code == 201, answer.text
        issue = Issue(UUID(answer.json()["id"]), answer.json()["track"])
        assert issue.id not in self.remembered.issues, "two reports, one issue"
        self.remembered.issues[issue.id] = "nobody acts"
        return issue

    async def live(self) -> None:
        """Reports something somewhere; then happens what happens to issues."""
        issue = await self.report()
        fate = self._chance.choices(list(FATES), [weight for _, weight in FATES.values()])[0]
        self.remembered.issues[issue.id] = fate
        for act in FATES[fate][0]:
            if not await self.act(issue, act):
                return

    async def act(self, issue: "Issue", act: str) -> bool:
        """Whoever may does it. False when the clock, or somebody else, left nothing to do."""
        for _ in range(20):
            case = await self.case(issue)
            if case is None:
                await asyncio.sleep(0.1)
                continue
            answer = await self._try(issue, act, case)
            if answer.status_code == 200:
                self.remembered.acts[issue.id, HISTORY[act]] += 1
                return True
            assert answer.status_code == 409, f"{act}: {answer.status_code} {answer.text}"
            if answer.json()["type"].endswith("wrong-state"):
                return False
        return False

    async def case(self, issue: "Issue") -> dict[str, Any] | None:
        """The case as command sees it; None before it has opened."""
        answer = await self.insist("GET", f"/api/routing/cases/{issue.id}", COMMAND)
        return dict(answer.json()) if answer.status_code == 200 else None

    async def _try(self, issue: "Issue", act: str, case: dict[str, Any]) -> httpx2.Response:
        base = f"/api/routing/cases/{issue.id}"
        if act in RESIDENT_ACTS:
            name, body = RESIDENT_ACTS[act]
            return await self.insist("POST", f"{base}/{name}?code={issue.code}", json=body)
        holder = case["holder"]
        no = holder["id"] if holder["kind"] == "person" else DESKS[holder["id"]]
        caller = Principal(person=self._people[no], no=no)
        return await self.insist("POST", f"{base}/{act}", caller, json={"version": case["version"], **HOLDER_ACTS[act]})


@dataclass(frozen=True)
class Issue:
    """An issue as its reporter holds it."""

    id: UUID
    code: str


async def people(target: Target) -> dict[str, UUID]:
    """编号 -> person of everybody who acts in the small district."""
    async with as_owner(target) as conn:
        found = [await store.find_person(conn, f"P{number:03}") for number in range(1, 47)]
    return {person.no: person.id for person in found if person}
