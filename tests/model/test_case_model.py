"""A Hypothesis state machine over one case on real PostgreSQL: every act in any order by anybody, duplicates, ticks,
posts emptied and filled, a crash between commit and reply; after each step the case is compared with a plain model."""

import os
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from sqlalchemy import text

from services.directory import commands as directory
from services.routing import commands, jobs, opening
from services.routing.commands import Answered, Wish
from shared.attaching import Photos
from shared.auth import Principal
from shared.contracts.issue import IssueReported
from shared.db import transaction
from shared.embedded import Endpoints
from shared.ids import new_id
from tests.model.plain import DESKS, POSTS, RANKS, C, Case, District, path
from tests.model.system import NEAR, START, Machine, walk

SEQUENCES = int(os.environ.get("CHUISHAO_MODEL_SEQUENCES", "200"))
STEPS = int(os.environ.get("CHUISHAO_MODEL_STEPS", "40"))
PLACES = sorted({grid for grid, _ in POSTS} | {f"{C}-L1-M1-S1-U3", C, "150902-01-02", "150902-01"})
PLACES += [f"{C}-L1-M1-S2-U1", f"{C}-L1-M1-S1-U1"] * 4  # where the rules have most to decide
AWAY = ["P016", "P014", "P012", "P010", "P018", "P022"]
PEOPLE = ["P016", "P017", "P014", "P012", "P010", "P003", "P002", "P001", "P046", "P018", "P020", "P022", "P026"]


class CaseMachine(Machine):
    """One case and its model."""

    def __init__(self) -> None:
        super().__init__()
        self.district = District()
        self.id = new_id()

    def deadlines(self) -> list[datetime]:
        m = self.model
        found = [at for clock in (m.accept, m.resolve) if clock for at in (clock.by, clock.remind)]
        return sorted(at for at in (*found, m.wait_by, *m.nags, None) if at and at > self.now)

    # -- the beginning ------------------------------------------------------------------------------------
    @initialize(
        place=st.sampled_from(PLACES),
        urgency=st.sampled_from(["ordinary", "ordinary", "urgent", "emergency"]),
        reporter=st.sampled_from(["resident", "resident", "P016", "P014", "P018"]),
        about_leader=st.booleans(),
        own=st.booleans(),
        hour=st.sampled_from([0, 0, 5, 13, 20]),
        away=st.dictionaries(st.sampled_from(AWAY), st.sampled_from([None, "P025", "P026"]), max_size=3),
    )
    def report(
        self,
        place: str,
        urgency: str,
        reporter: str,
        about_leader: bool,
        own: bool,
        hour: int,
        away: dict[str, str | None],
    ) -> None:
        for who, stand_in in away.items():
            self.leader_goes_away_or_comes_back(who, stand_in, False)
        self.offset = timedelta(hours=hour, minutes=7)  # off the hour, or a millisecond would decide at 22:00
        self.set_clock()
        person = self.system.people.get(reporter) or new_id()
        own_posts = [g for g in path(place).values() if g in self.district.posts_of(reporter)]
        own = own and bool(own_posts)
        about_leader = about_leader and not own
        issue = IssueReported(
            number="1",
            category="FAC.light",
            urgency=urgency,
            start="large" if urgency == "emergency" else "micro",
            place=self.system.grids[place],
            reporter=person,
            own=own,
            about_leader=about_leader,
        )
        self.deliver(self.id, issue)
        self.deliver(self.id, issue)  # a duplicate, as after a crash between commit and offset
        self.model = Case(place, urgency, reporter, about_leader, self.now, self.district, own=own)
        self.open_model(own_posts, about_leader)
        self.begun = True

    def open_model(self, own_posts: list[str], about_leader: bool) -> None:
        m, place = self.model, self.model.place
        rank = min(path(place))
        if m.own:
            lowest = next(r for r, grid in sorted(path(place).items()) if grid in own_posts)
            m.go("opened", "", lowest, 7, self.now, to=(lowest, m.reporter), accepted=True)
            return
        m.recused = {m.reporter} if m.reporter != "resident" else set()
        if about_leader:
            m.recused |= {who for (grid, _), who in self.district.posts.items() if grid == place}
            m.recused |= {who for who in self.system.people if place in District({}, {}).posts_of(who)}
        first = max(rank, 4 if m.urgency == "emergency" else 1)
        above = min(first + 1, 7) if about_leader and rank >= 5 else 5
        m.go("opened", "", first, max(first, above), self.now)

    # -- acts -------------------------------------------------------------------------------------------------
    EFFECTS: ClassVar[dict[str, Any]] = {
        "accept": commands.accept,
        "claim": commands.claim,
        "escalate": lambda c, a: commands.escalate(c, a, "办不了"),
        "ask": lambda c, a: commands.ask(c, a, "哪一层？"),
        "resolve": lambda c, a: commands.resolve(c, a, "换好了", None, Photos()),
    }

    @rule(act=st.sampled_from(sorted(EFFECTS)), who=st.sampled_from(PEOPLE), stale=st.booleans(), again=st.booleans())
    def somebody_tries(self, act: str, who: str, stale: bool, again: bool) -> None:
        self.leader_act(act, who, self.EFFECTS[act], stale, again)

    @precondition(lambda self: self.model.phase in ("assigned", "accepted"))
    @rule(act=st.sampled_from(["accept", "resolve", "escalate", "ask"]), again=st.booleans())
    def the_holder_acts(self, act: str, again: bool) -> None:
        self.leader_act(act, self.some_holder(), self.EFFECTS[act], False, again)

    @precondition(lambda self: self.model.phase in ("assigned", "accepted") and self.model.on_hold is None)
    @rule()
    def the_holder_accepts_and_resolves_and_the_resident_says_no(self) -> None:
        if self.model.phase == "assigned":
            self.leader_act("accept", self.some_holder(), self.EFFECTS["accept"], False, False)
        if not self.model.own:
            self.leader_act("resolve", self.some_holder(), self.EFFECTS["resolve"], False, False)
            self.answer("no", False)

    @precondition(lambda self: self.model.phase in ("assigned", "accepted") and self.model.on_hold is None)
    @rule(minutes=st.sampled_from([1, 17, 50, 200]), more=st.sampled_from([1, 50, 700]))
    def time_passes_and_the_holder_asks_and_is_answered(self, minutes: int, more: int) -> None:
        self.time_passes(minutes)
        self.leader_act("ask", self.some_holder(), self.EFFECTS["ask"], False, False)
        self.time_passes(more)
        self.reply(False)

    @precondition(lambda self: any(self.model.claims(who) for who in PEOPLE))
    @rule(who=st.sampled_from(PEOPLE))
    def a_former_holder_claims(self, who: str) -> None:
        mine = [who for who in PEOPLE if self.model.claims(who)]
        self.leader_act("claim", mine[PEOPLE.index(who) % len(mine)], self.EFFECTS["claim"], False, False)

    @rule(desk=st.sampled_from(["P003", "P002", "P001"]), act=st.sampled_from(["accept", "escalate", "resolve"]))
    def desk_acts_for_the_holder(self, desk: str, act: str) -> None:
        self.leader_act(act, desk, self.EFFECTS[act], False, False, acting_for=self.model.holder)

    @rule(said=st.sampled_from(["yes", "partly", "no", "no"]), again=st.booleans())
    def answer(self, said: str, again: bool) -> None:
        m = self.model
        reopenable = m.closed_how == "unanswered" and m.closed_at and self.now < m.closed_at + timedelta(days=30)
        allowed = (m.phase == "resolved") or bool(reopenable)
        self.resident_act("answer", lambda c, a: commands.answer(c, a, Answered(said)), allowed, again)
        if allowed and said == "no":
            m.say_no(self.now)
        elif allowed:
            m.close("confirmed", "resolved", self.now)

    @rule(again=st.booleans())
    def reply(self, again: bool) -> None:
        allowed = self.model.on_hold == "reporter"
        self.resident_act("reply", lambda c, a: commands.reply(c, a, "三楼"), allowed, again)
        if allowed:
            self.model.resume(self.now)

    @precondition(lambda self: len(self.model.hops) > 2)
    @rule()
    def withdraw(self) -> None:
        allowed = self.model.phase != "closed"
        self.resident_act("withdraw", commands.withdraw, allowed, False)
        if allowed:
            self.model.close("withdrawn", "withdrawn", self.now)

    def some_holder(self) -> str:
        return DESKS.get(self.model.holder, [self.model.holder])[0]

    def leader_act(
        self, name: str, who: str, effect: Any, stale: bool, again: bool, acting_for: str | None = None
    ) -> None:
        """Does the act, twice if the reply got lost the first time, and expects what the model expects."""
        self.set_clock()
        wish = Wish(self.model.version - stale, acting_for)
        expected = self.expect(name, who, stale, acting_for)
        caller = Principal(person=self.system.people[who], no=who)
        key, first = str(new_id()), None
        for _ in range(1 + again):
            outcome = self.attempt(commands.act(self.system.routing, caller, self.id, name, wish, effect, key, b""))
            assert outcome[0] == expected, (name, who, outcome, expected)
            first = first or outcome
        if expected == "ok":
            assert outcome == first, "a repeated act gives its first answer"
        if expected == "ok":
            self.apply(name, who)

    def resident_act(self, name: str, effect: Any, allowed: bool, again: bool) -> None:
        self.set_clock()
        key = str(new_id())
        for _ in range(1 + again):
            outcome = self.attempt(
                commands.resident_act(self.system.routing, self.id, name, None, "code", key, b"", effect)
            )
            assert outcome[0] == ("ok" if allowed else "wrong-state"), (name, outcome)

    def expect(self, name: str, who: str, stale: bool, acting_for: str | None) -> str:
        """What the rules say: 404, 403, then the state, then the version and the hands."""
        m = self.model
        if not m.sees(who):
            return "not-found"
        ranks = {RANKS[grid] for grid in path(m.place).values() if who in DESKS.get(grid, [])}
        above = {rank for rank in ranks if rank > m.rank}
        if m.noes >= 3:
            above &= {7}
        if name == "claim":
            if m.claims(who) is None and not m.held(who):
                return "forbidden"
        elif not (m.holds(who) or m.held(who) or above):
            return "forbidden"
        if not self.allowed(name):
            return "wrong-state"
        if stale:
            return "already-moved"
        if name == "claim":
            return "ok" if m.claims(who) else "already-moved"
        if m.holds(who):
            return "ok" if acting_for is None else "invalid"
        if not above:
            return "already-moved"
        if acting_for is None:
            return "ok" if m.holder in DESKS and 7 in ranks else "forbidden"
        return "invalid" if acting_for in DESKS else "ok"

    def allowed(self, name: str) -> bool:
        m = self.model
        if name == "accept":
            return m.phase == "assigned" and m.on_hold in (None, "reporter")
        if name == "claim":
            return m.phase == "assigned" and m.on_hold is None
        if name == "escalate":
            return m.phase in ("assigned", "accepted") and m.rank < 6 and m.noes < 3
        if name == "ask":
            return m.phase in ("assigned", "accepted") and m.on_hold is None
        return m.phase == "accepted"

    def apply(self, name: str, who: str) -> None:
        m, now = self.model, self.now
        if name == "accept":
            m.taken_up()
        elif name == "claim":
            to = m.claims(who)
            bound = to is not None and not any(h.holder == to[1] or who in str(h.holder) for h in m.held(who))
            m.go("claimed", "taken", 0, 0, now, to=to, accepted=True)
            m.bound = bound
        elif name == "escalate":
            m.go("escalated", "escalated", m.rank + 1, 6 if m.rank >= 5 else 5, now)
        elif name == "ask":
            m.ask(now)
        elif m.own:
            m.close("own", "resolved", now)
        else:
            m.resolved(now)

    # -- time -----------------------------------------------------------------------------------------------
    @rule(minutes=st.sampled_from([1, 17, 50, 200, 700, 3000, 8000]))
    def time_passes(self, minutes: int) -> None:
        self.advance(self.now + timedelta(minutes=minutes))

    @rule()
    def until_just_before_the_next_deadline(self) -> None:
        """Never early."""
        if ahead := self.deadlines():
            self.advance(max(self.now, ahead[0] - 2 * NEAR))

    @rule()
    def until_just_after_the_next_deadline(self) -> None:
        if ahead := self.deadlines():
            self.advance(ahead[0] + NEAR)

    def advance(self, to: datetime) -> None:
        if self.offset > timedelta(days=40):
            return  # the model's calendar looks only so far
        while any(abs(at - to) < NEAR for at in self.deadlines()):
            to += 2 * NEAR  # a tie within the seconds a step takes would say nothing
        self.offset = to - START
        self.set_clock()
        for _ in range(4):
            self.run(jobs.tick(self.system.routing))
        self.model.tick(self.now)

    # -- people -----------------------------------------------------------------------------------------------
    @rule(post=st.sampled_from(sorted(POSTS)), who=st.sampled_from([None, None, "P024", "P025", "P026", "P016"]))
    def post_changes_hands(self, post: tuple[str, str], who: str | None) -> None:
        self.set_clock()
        self.run(self.set_post(*post, who))
        if who is None:
            self.district.posts.pop(post, None)
        else:
            self.district.posts[post] = who
        if self.model.holder_left() and path(self.model.place)[self.model.rank] == post[0]:
            self.model.go("moved", "moved", self.model.rank, max(self.model.rank, 5), self.now)

    async def set_post(self, grid: str, kind: str, who: str | None) -> None:
        async with transaction(self.system.directory.engine) as conn:
            await directory.set_post(conn, Principal(role="command"), grid, kind, who)
        async with transaction(self.system.routing.engine) as conn:
            await opening.move_displaced(conn, self.system.grids[grid])

    @rule(
        who=st.sampled_from(AWAY),
        stand_in=st.sampled_from([None, "P025", "P026"]),
        back=st.booleans(),
    )
    def leader_goes_away_or_comes_back(self, who: str, stand_in: str | None, back: bool) -> None:
        self.run(self.set_absence(who, stand_in, back))
        if back:
            self.district.away.pop(who, None)
        else:
            self.district.away[who] = stand_in

    async def set_absence(self, who: str, stand_in: str | None, back: bool) -> None:
        async with transaction(self.system.directory.engine) as conn:
            if back:
                await directory.end_absence(conn, who)
                return
            away = directory.Absence(START - timedelta(days=1), START + timedelta(days=90), stand_in)
            await directory.set_absence(conn, who, away)

    # -- the comparison -------------------------------------------------------------------------------------
    def compare(self) -> None:
        m = self.model
        case, hops, kinds, events = self.run(self.read())
        holder = self.system.numbers.get(case["holder_person"]) or self.system.codes[case["grid"]]
        assert (case["phase"], case["on_hold"], case["closed_how"]) == (m.phase, m.on_hold, m.closed_how)
        assert (case["rank"], holder, case["noes"]) == (m.rank, m.holder, m.noes)
        assert [(h["rank"], self.hop_holder(h), h["ended_by"], h["skipped"]) for h in hops] == [
            (h.rank, h.holder, h.ended_by, h.skipped) for h in m.hops
        ]
        assert kinds == m.kinds, f"{kinds} != {m.kinds}"
        assert events == list(range(1, len(kinds) + 1)), "one event per history row, without gaps"
        assert (case["version"], case["supervised_at"] is not None) == (m.version, m.supervised)
        self.same_time(case["accept_by"], m.accept.by if m.accept else None)
        self.same_time(case["resolve_by"], m.resolve.by if m.resolve else None)
        self.same_time(case["wait_by"], m.wait_by)

    def hop_holder(self, hop: Any) -> str | None:
        if hop["holder_kind"] is None:
            return None
        return self.system.numbers.get(hop["holder_person"]) or self.system.codes[hop["grid"]]

    async def read(self) -> Any:
        async with transaction(self.system.owner) as conn:

            async def rows(statement: str) -> Any:
                return (await conn.execute(text(statement), {"id": self.id})).mappings().all()

            case = (await rows("SELECT * FROM routing.cases WHERE id = :id"))[0]
            hops = await rows("SELECT * FROM routing.hops WHERE case_id = :id ORDER BY hop")
            kinds = [r["kind"] for r in await rows("SELECT kind FROM routing.history WHERE case_id = :id ORDER BY seq")]
            events = [r["seq"] for r in await rows("SELECT seq FROM routing.outbox WHERE subject = :id ORDER BY id")]
        return case, hops, kinds, events

    def teardown(self) -> None:
        """Everything back to the first day, for the next sequence."""
        super().teardown()
        for post in {*POSTS, *self.district.posts}:
            if self.district.posts.get(post) != POSTS.get(post):
                self.run(self.set_post(*post, POSTS.get(post)))


@pytest.mark.model
def test_the_case_does_what_the_plain_model_does(instance: Endpoints) -> None:
    walk(CaseMachine, instance, SEQUENCES, STEPS)
