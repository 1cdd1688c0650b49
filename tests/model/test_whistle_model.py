"""A Hypothesis state machine over the whistles of three cases on real PostgreSQL: every act in any order by anybody,
stale versions, repeated requests, ticks just before and after each deadline, topics and reporters that come between;
after each step whistles and cases are compared with a plain model."""

import os
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from services.routing import blowing, commands, deliberating, jobs, whistling
from services.routing.blowing import Blow
from services.routing.commands import Answered, Wish
from services.routing.store import reading
from shared.attaching import Photos
from shared.auth import Principal
from shared.contracts import REGISTRY
from shared.contracts.issue import IssueReported
from shared.db import transaction
from shared.embedded import Endpoints
from shared.ids import new_id
from tests.model.plain import DESKS, C, District
from tests.model.system import NEAR, START, Machine, walk
from tests.model.whistles import ACTS, CONFIRM, DECIDE, OFFICERS, TERMS, Blown, Town, Whistle, due_by

SEQUENCES = int(os.environ.get("CHUISHAO_MODEL_SEQUENCES", "100"))
STEPS = int(os.environ.get("CHUISHAO_MODEL_STEPS", "30"))
U1, U2 = f"{C}-L1-M1-S1-U1", f"{C}-L1-M1-S1-U2"
DAY = timedelta(days=1)
ROLES = ("command", "admin", "auditor", "arbiter")
BLOWERS = ["P003", "P004", "P002", "P010"]
PEOPLE = [*OFFICERS, *BLOWERS, "P001", "P005", "P006", "P012", "P016", "P026", "P046", *ROLES]
DEPARTMENTS = ["WATER", "CITY", "HOUSING"]


class WhistleMachine(Machine):
    """Three cases, two of them at one place, and what is blown from them."""

    # -- the beginning --------------------------------------------------------------------------------------
    @initialize(
        urgencies=st.tuples(*[st.sampled_from(["ordinary", "ordinary", "urgent", "emergency"])] * 3),
        about_leader=st.booleans(),
        noes=st.sampled_from([0, 0, 0, 1, 3]),
        hour=st.sampled_from([0, 0, 5, 13]),
        who=st.sampled_from(BLOWERS),
        occasion=st.sampled_from(sorted(TERMS)),
    )
    def report(
        self, urgencies: tuple[str, str, str], about_leader: bool, noes: int, hour: int, who: str, occasion: str
    ) -> None:
        self.offset = timedelta(hours=hour, minutes=7)  # off the hour, or a millisecond would decide at 22:00
        self.set_clock()
        self.town, self.ids, self.whistle_ids = Town(), {}, list[UUID]()
        for name, place, urgency in zip("ABD", (U1, U1, U2), urgencies, strict=True):
            self.open_case(name, place, urgency, about_leader and name == "A")
        if urgencies[0] != "emergency":
            for _ in range(noes):
                self.not_solved("A")
        self.begun = True
        self.blow("A", who, occasion, "WATER", ["CITY"], False, False)

    def open_case(self, name: str, place: str, urgency: str, about_leader: bool) -> None:
        id_ = self.ids[name] = new_id()
        start = "large" if urgency == "emergency" else "micro"
        issue = IssueReported(
            number=name,
            category="FAC.light",
            urgency=urgency,
            start=start,
            place=self.system.grids[place],
            reporter=new_id(),
            own=False,
            about_leader=about_leader,
        )
        self.deliver(id_, issue)
        case = self.town.cases[name] = Blown(place, urgency, "resident", about_leader, self.now, District(), name=name)
        if about_leader:
            case.recused = {who for who in self.system.people if place in case.district.posts_of(who)}
        first = 4 if urgency == "emergency" else 1
        case.go("opened", "", first, 5, self.now)

    def not_solved(self, name: str) -> None:
        """Whoever holds it does it, and it is not solved."""
        who = self.holder(name)
        for act in ("accept", "resolve"):
            self.case_acts(name, act, who)
        self.resident_acts(name, "no")

    def holder(self, name: str) -> str:
        held_by = self.town.cases[name].holder
        return DESKS.get(held_by, [held_by])[0]

    # -- blowing ----------------------------------------------------------------------------------------------
    @rule(
        name=st.sampled_from("ABD"),
        who=st.sampled_from([*BLOWERS, "P001", "P016", "P026", "P030", "command", "arbiter"]),
        lead=st.sampled_from(["WATER", "WATER", "NOBODY"]),
        assisting=st.lists(st.sampled_from(["HOUSING", "CITY", "FIRE", "WATER"]), max_size=2),
        stale=st.booleans(),
    )
    def somebody_tries_to_blow(self, name: str, who: str, lead: str, assisting: list[str], stale: bool) -> None:
        self.blow(name, who, "demand", lead, assisting, stale, False)

    @rule(
        name=st.sampled_from("ABBD"),
        who=st.sampled_from(BLOWERS),
        occasion=st.sampled_from(sorted(TERMS)),
        lead=st.sampled_from(["WATER", "WATER", "CITY"]),
        again=st.booleans(),
    )
    def a_desk_blows(self, name: str, who: str, occasion: str, lead: str, again: bool) -> None:
        self.blow(name, who, occasion, lead, ["HOUSING"], False, again)

    def blow(
        self, name: str, who: str, occasion: str, lead: str, assisting: list[str], stale: bool, again: bool
    ) -> None:
        self.set_clock()
        case = self.town.cases[name]
        expected = self.expect_blow(case, who, lead, assisting, stale)
        wish = Blow(case.version - stale, occasion, lead, tuple(assisting), "请到场看一看")
        key, first = str(new_id()), None
        for _ in range(1 + again):
            outcome, answer = self.attempt(
                blowing.blow(self.system.routing, self.caller(who), self.ids[name], wish, key, b"")
            )
            assert outcome == expected, (name, who, outcome, expected)
            first = first or answer
            assert answer == first, "a repeated act gives its first answer"
        if expected != "ok":
            return
        whistle = self.town.blow(case, who, occasion, lead, assisting, self.now)
        is_new = len(self.whistle_ids) < len(self.town.whistles)
        if is_new:
            self.whistle_ids.append(UUID(first[1]["id"]))
        assert (first[0], first[1]["id"]) == (201 if is_new else 200, str(self.id_of(whistle)))

    def expect_blow(self, case: Blown, who: str, lead: str, assisting: list[str], stale: bool) -> str:
        called = any(
            w.state != "draft" and OFFICERS.get(who) in (w.lead, *w.assisting)
            for w in self.town.whistles
            if case in w.cases
        )
        if not (case.sees(who) or called or who in ("command", "admin", "auditor")):
            return "not-found"
        if case.blower(who) is None:
            return "forbidden"
        if lead not in DEPARTMENTS or "FIRE" in assisting or len({lead, *assisting}) <= len(assisting):
            return "invalid"
        if not case.is_open or case.on_hold not in (None, "reporter", "whistle"):
            return "wrong-state"
        return "already-moved" if stale else "ok"

    # -- acts on a whistle --------------------------------------------------------------------------------------
    @precondition(lambda self: self.town.whistles)
    @rule(
        n=st.integers(0, 9),
        act=st.sampled_from(sorted(ACTS)),
        who=st.sampled_from([*PEOPLE, *OFFICERS, "P003", "P003", "arbiter"]),
        stale=st.booleans(),
        how=st.integers(0, 9),
    )
    def somebody_tries(self, n: int, act: str, who: str, stale: bool, how: int) -> None:
        self.whistle_act(n, act, who, stale, False, how)

    @precondition(lambda self: self.town.whistles)
    @rule(n=st.integers(0, 9), act=st.sampled_from([*sorted(ACTS), "extend", "return"]), how=st.integers(0, 9))
    def its_own_side_tries(self, n: int, act: str, how: int) -> None:
        """Whoever it is for, in whatever state it is."""
        self.by_its_side(n, act, how)

    def by_its_side(self, n: int, act: str, how: int) -> None:
        whistle = self.town.whistles[n % len(self.town.whistles)]
        side = ACTS[act].split()[0]
        who = next(who for who in (*OFFICERS, "P003", "P002", "arbiter") if side in whistle.sides(who))
        self.whistle_act(n, act, who, False, False, how)

    @precondition(lambda self: self.may("send", "acknowledge", "report-in", "result", "confirm", "return", "rate"))
    @rule(pick=st.integers(0, 99), again=st.booleans(), how=st.integers(0, 9))
    def it_goes_on(self, pick: int, again: bool, how: int) -> None:
        self.one_of("send acknowledge report-in result confirm return rate", pick, again, how)

    @precondition(lambda self: self.may("acknowledge", "report-in", "result"))
    @rule(pick=st.integers(0, 99), again=st.booleans())
    def the_lead_goes_on(self, pick: int, again: bool) -> None:
        self.one_of("acknowledge report-in result", pick, again, 0)

    @precondition(lambda self: self.may("confirm", "return"))
    @rule(pick=st.integers(0, 99))
    def the_whistler_answers(self, pick: int) -> None:
        self.one_of("return" if pick % 3 and self.may("return") else "confirm", pick, False, 0)

    @precondition(lambda self: self.may("dispute", "decide"))
    @rule(pick=st.integers(0, 99), how=st.integers(0, 9))
    def a_dispute_goes_on(self, pick: int, how: int) -> None:
        self.one_of("dispute decide", pick, False, how)

    @precondition(lambda self: self.may("acknowledge", "report-in"))
    @rule(pick=st.integers(0, 99), times=st.sampled_from([1, 3]))
    def it_is_disputed_and_handed_on(self, pick: int, times: int) -> None:
        """As often as the leads like, not as often as they may."""
        fresh = self.may("acknowledge", "report-in")
        n = fresh[pick % len(fresh)][0]
        whistle = self.town.whistles[n]
        for _ in range(times):
            self.by_its_side(n, "dispute", 0)
            if whistle.disputed:
                others = [code for code in DEPARTMENTS if code != whistle.lead]
                self.by_its_side(n, "decide", 1 + DEPARTMENTS.index(others[pick % 2]))

    @precondition(lambda self: self.may("result", "return"))
    @rule(pick=st.integers(0, 99), times=st.sampled_from([1, 3]))
    def a_result_is_returned(self, pick: int, times: int) -> None:
        """As often as the whistler likes, not as often as he may."""
        now = self.may("result", "return")
        n = now[pick % len(now)][0]
        for _ in range(times):
            if self.town.whistles[n].state == "reported_in":
                self.by_its_side(n, "result", 0)
            self.by_its_side(n, "return", 0)

    @precondition(lambda self: self.may("extend", "withdraw"))
    @rule(pick=st.integers(0, 99), how=st.integers(0, 9))
    def time_is_given_or_it_is_taken_back(self, pick: int, how: int) -> None:
        self.one_of("withdraw" if pick % 4 == 0 else "extend", pick, False, how)

    def may(self, *acts: str) -> list[tuple[int, str, str]]:
        """(whistle, act, somebody who may do it) now."""
        return [
            (n, act, who)
            for n, whistle in enumerate(self.town.whistles)
            for who in (*OFFICERS, "P003", "P002", "arbiter")
            for act in whistle.can(who, self.now)
            if act in acts
        ]

    def one_of(self, acts: str, pick: int, again: bool, how: int) -> None:
        if now := self.may(*acts.split()):
            n, act, who = now[pick % len(now)]
            self.whistle_act(n, act, who, False, again, how)

    def whistle_act(self, n: int, act: str, who: str, stale: bool, again: bool, how: int) -> None:
        whistle = self.town.whistles[n % len(self.town.whistles)]
        if whistle.blown_at and self.now - whistle.blown_at < NEAR:
            self.offset += NEAR / 2  # the clock was set back to the beginning of the step in which it was blown
        self.set_clock()
        effect, refused = self.effect(whistle, act, how)
        expected = self.expect(whistle, act, who, stale) or refused or "ok"
        key, first = str(new_id()), None
        for _ in range(1 + again):
            work = whistling.act(
                self.system.routing,
                self.caller(who),
                self.id_of(whistle),
                act,
                whistle.version - stale,
                effect,
                key,
                b"",
            )
            outcome, answer = self.attempt(work)
            assert outcome == expected, (whistle, act, who, outcome, expected)
            first = first or answer
            assert answer == first, "a repeated act gives its first answer"
        if expected == "ok":
            self.apply(whistle, act, who, how, first)

    def expect(self, whistle: Whistle, act: str, who: str, stale: bool) -> str | None:
        """The refusal that the rules give before anything is looked at: 404, 403, then the state, then the version."""
        if not whistle.sees(who):
            return "not-found"
        sides = [side for side in ACTS[act].split() if side in whistle.sides(who)]
        if not sides:
            return "forbidden"
        if not whistle.allows(act, sides[0], self.now):
            return "wrong-state"
        return "already-moved" if stale else None

    def effect(self, whistle: Whistle, act: str, how: int) -> tuple[Any, str | None]:
        """What is sent, and the refusal it deserves. An odd `how` sends something wrong where one can."""
        wrong = how % 4 == 3
        if act == "report-in":
            at = self.now + timedelta(hours=1) if wrong else self.now
            return (lambda c, d: whistling.report_in(c, d, "P030", at)), ("invalid" if wrong else None)
        if act == "decide":
            lead = self.new_lead(whistle, how)
            outcome = "upheld" if lead is None else "reassign"
            wrong = lead == whistle.lead
            return (lambda c, d: whistling.decide(c, d, outcome, lead)), ("invalid" if wrong else None)
        if act == "extend":
            until = self.until(whistle, wrong)
            return (lambda c, d: whistling.extend(c, d, until, "等配件")), ("invalid" if wrong else None)
        if act == "send":
            return blowing.send, (None if self.town.may_send(whistle) else "wrong-state")
        return self.PLAIN[act], None

    PLAIN: ClassVar[dict[str, Any]] = {
        "acknowledge": whistling.acknowledge,
        "result": lambda c, d: whistling.result(c, d, "换了一段管", Photos()),
        "confirm": whistling.confirm,
        "return": lambda c, d: whistling.return_(c, d, "还在漏"),
        "withdraw": lambda c, d: whistling.withdraw(c, d, "居民自己修好了"),
        "dispute": lambda c, d: whistling.dispute(c, d, "不归我们"),
        "rate": lambda c, d: whistling.rate(c, d, 5, None),
    }

    def new_lead(self, whistle: Whistle, how: int) -> str | None:
        """None: it stays. At times the present one, which is refused."""
        return [None, *DEPARTMENTS, *DEPARTMENTS][how % 7]

    def until(self, whistle: Whistle, wrong: bool) -> datetime:
        limit = max(whistle.result_by or self.now, self.now)
        return limit - timedelta(hours=1) if wrong else limit + timedelta(days=2)

    def apply(self, whistle: Whistle, act: str, who: str, how: int, answer: dict[str, Any]) -> None:
        w, now = whistle, self.now
        if act == "send":
            assert answer["id"] == str(self.id_of(self.town.send(w, now)))
        elif act == "report-in":
            w.start_result(now)
            w.reported_in = True
            w.tell("reported-in")
        elif act == "return":
            w.returns += 1
            w.start_result(now)
            w.tell("returned")
        elif act in ("confirm", "withdraw"):
            self.town.end(w, "confirmed" if act == "confirm" else "withdrawn", now)
        elif act == "rate":
            w.rated.add("lead" if "lead" in w.sides(who) else "desk")
        elif act == "decide":
            self.decided(w, self.new_lead(w, how))
        else:
            w.version += 1
            self.noted(w, act)

    def noted(self, w: Whistle, act: str) -> None:
        """Acts that change no more than the whistle's own row."""
        if act == "acknowledge":
            w.state = "acknowledged"
        elif act == "result":
            w.state, w.confirm_by, w.overdue = "result", due_by(CONFIRM, self.now), None
        elif act == "dispute":
            w.disputed = w.dispute_used = True
            w.decide_by = due_by(DECIDE, self.now)
        elif act == "extend":
            until = self.until(w, False)
            w.extended, w.result_by, w.overdue = True, until, None
            w.stages = [until, until + (until - self.now) / 2]
        w.tell({"acknowledge": "acknowledged", "result": "resulted", "dispute": "disputed", "extend": "extended"}[act])

    def decided(self, w: Whistle, lead: str | None) -> None:
        """It stays, or the new lead begins as if it had been called first."""
        w.disputed, w.decide_by = False, None
        if lead is None:
            w.version += 1
        else:
            w.lead, w.assisting = lead, [code for code in w.assisting if code != lead]
            w.transfers += 1
            w.dispute_used = w.extended = w.reported_in = False
            w.result_by = None
            w.start_report_in(self.now)
        w.tell("decided")

    # -- the cases ----------------------------------------------------------------------------------------------
    CASE_ACTS: ClassVar[dict[str, Any]] = {
        "accept": commands.accept,
        "escalate": lambda c, a: commands.escalate(c, a, "办不了"),
        "ask": lambda c, a: commands.ask(c, a, "哪一层？"),
        "resolve": lambda c, a: commands.resolve(c, a, "换好了", None, Photos()),
    }

    @rule(name=st.sampled_from("ABD"), act=st.sampled_from(sorted(CASE_ACTS)))
    def the_holder_acts(self, name: str, act: str) -> None:
        self.case_acts(name, act, self.holder(name))

    def case_acts(self, name: str, act: str, who: str) -> None:
        self.set_clock()
        case = self.town.cases[name]
        wish = Wish(case.version)
        work = commands.act(
            self.system.routing, self.caller(who), self.ids[name], act, wish, self.CASE_ACTS[act], None, b""
        )
        outcome, _ = self.attempt(work)
        assert outcome == ("ok" if self.case_allows(case, act) else "wrong-state"), (name, act, outcome)
        if outcome == "ok":
            self.case_acted(case, act)

    def case_allows(self, case: Blown, act: str) -> bool:
        if not case.is_open or case.on_hold not in (None, "reporter"):
            return False
        if act == "escalate":
            return case.rank < 6 and case.noes < 3
        if act == "ask":
            return case.on_hold is None
        return case.phase == ("assigned" if act == "accept" else "accepted")

    def case_acted(self, case: Blown, act: str) -> None:
        if act == "escalate":
            case.go("escalated", "escalated", case.rank + 1, 6 if case.rank >= 5 else 5, self.now)
        elif act == "ask":
            case.ask(self.now)
        elif act == "accept":
            case.taken_up()
        else:
            case.resolved(self.now)

    @rule(name=st.sampled_from("ABD"), solved=st.sampled_from(["yes", "no", "no"]))
    def the_resident_answers(self, name: str, solved: str) -> None:
        self.resident_acts(name, solved)

    def resident_acts(self, name: str, solved: str) -> None:
        self.set_clock()
        case = self.town.cases[name]
        reopenable = case.closed_how == "unanswered" and case.closed_at and self.now < case.closed_at + 30 * DAY
        allowed = case.phase == "resolved" or bool(reopenable)
        self.resident(name, "answer", lambda c, a: commands.answer(c, a, Answered(solved)), allowed)
        if allowed and solved == "no":
            case.say_no(self.now)
        elif allowed:
            case.close("confirmed", "resolved", self.now)

    @rule(name=st.sampled_from("ABD"), is_sure=st.sampled_from([False, False, True]))
    def the_resident_withdraws(self, name: str, is_sure: bool) -> None:
        if not is_sure:
            return
        self.set_clock()
        case = self.town.cases[name]
        allowed = case.phase != "closed"
        self.resident(name, "withdraw", commands.withdraw, allowed)
        if allowed:
            case.close("withdrawn", "withdrawn", self.now)
            self.town.case_is_over(case, self.now)

    @precondition(lambda self: any(w.is_open and len(w.cases) > 1 for w in self.town.whistles))
    @rule(first=st.booleans())
    def a_resident_of_several_withdraws(self, first: bool) -> None:
        cases = next(w.cases for w in self.town.whistles if w.is_open and len(w.cases) > 1)
        self.the_resident_withdraws(cases[0 if first else -1].name, True)

    def resident(self, name: str, act: str, effect: Any, allowed: bool) -> None:
        work = commands.resident_act(self.system.routing, self.ids[name], act, None, "code", None, b"", effect)
        outcome, _ = self.attempt(work)
        assert outcome == ("ok" if allowed else "wrong-state"), (name, act, outcome)

    # -- topics ---------------------------------------------------------------------------------------------------
    @precondition(lambda self: any(case.topic is None and case.is_open for case in self.town.cases.values()))
    @rule(name=st.sampled_from("ABD"))
    def a_topic_is_screened(self, name: str) -> None:
        case = self.town.cases[name]
        if case.topic is None:
            self.set_clock()
            topic = new_id()
            self.run(self.in_transaction(deliberating.hold, self.ids[name], topic))
            self.town.screen(case, str(topic), self.now)

    @precondition(lambda self: any(case.topic for case in self.town.cases.values()))
    @rule()
    def a_topic_is_over(self) -> None:
        name = next(name for name, case in self.town.cases.items() if case.topic)
        case = self.town.cases[name]
        self.set_clock()
        assert case.topic
        self.run(self.in_transaction(deliberating.release, self.ids[name], UUID(case.topic)))
        self.town.topic_over(case, case.topic, self.now)

    async def in_transaction(self, act: Any, *given: Any) -> None:
        async with transaction(self.system.routing.engine) as conn:
            await act(conn, *given)

    # -- time -------------------------------------------------------------------------------------------------------
    def deadlines(self) -> list[datetime]:
        ahead = [at for whistle in self.town.whistles for at in whistle.ahead()]
        for case in self.town.cases.values():
            clocks = [clock for clock in (case.accept, case.resolve) if clock]
            ahead += [at for clock in clocks for at in (clock.by, clock.remind) if at]
            ahead += [at for at in (case.wait_by, *case.nags) if at]
        return sorted(at for at in ahead if at > self.now)

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

    @precondition(lambda self: any(whistle.is_open for whistle in self.town.whistles))
    @rule()
    def until_just_after_the_next_deadline_of_a_whistle(self) -> None:
        ahead = [at for w in self.town.whistles if w.is_open for at in w.ahead() if at > self.now]
        if ahead:
            self.advance(min(ahead) + NEAR)

    def advance(self, to: datetime) -> None:
        if to > START + timedelta(days=40):
            return  # the model's calendar looks only so far
        while any(abs(at - to) < NEAR for at in self.deadlines()):
            to += 2 * NEAR  # a tie within the seconds a step takes would say nothing
        self.offset = to - START
        self.set_clock()
        for _ in range(4):
            self.run(jobs.tick(self.system.routing))
            self.run(jobs.chase(self.system.routing))
        for case in self.town.cases.values():
            case.tick(self.now)
        for whistle in self.town.whistles:
            whistle.tick(self.now)

    # -- the comparison -----------------------------------------------------------------------------------------------
    @precondition(lambda self: self.town.whistles)
    @rule(who=st.sampled_from(PEOPLE))
    def somebody_looks(self, who: str) -> None:
        """What one sees, and what one can do, alone and in the list."""
        self.set_clock()
        seen = {}
        for whistle in self.town.whistles:
            outcome, answer = self.attempt(self.show(who, self.id_of(whistle)))
            assert (outcome == "ok") == whistle.sees(who), (who, whistle)
            if answer:
                seen[answer["id"]] = answer["can"]
                assert answer["can"] == whistle.can(who, self.now), (who, whistle)
        assert self.run(self.list_(who)) == seen, who

    async def show(self, who: str, id_: UUID) -> Any:
        async with transaction(self.system.routing.engine) as conn:
            return await whistling.show(conn, self.caller(who), id_)

    async def list_(self, who: str) -> Any:
        async with transaction(self.system.routing.engine) as conn:
            rows = await whistling.page_of(conn, self.caller(who), department=None, state=None, after=None, limit=100)
        return {str(row["id"]): row["can"] for row in rows}

    def caller(self, who: str) -> Principal:
        if who in ROLES:
            return Principal(role=who)  # type: ignore[arg-type]
        return Principal(person=self.system.people[who], no=who)

    def id_of(self, whistle: Whistle) -> UUID:
        return self.whistle_ids[next(n for n, each in enumerate(self.town.whistles) if each is whistle)]

    def compare(self) -> None:
        found = self.run(self.read())
        for name, case in self.town.cases.items():
            self.compare_case(case, found["cases"][self.ids[name]], found)
        assert set(found["whistles"]) == set(self.whistle_ids)
        for whistle in self.town.whistles:
            self.compare_whistle(whistle, found["whistles"][self.id_of(whistle)], found)
        listed = {(self.whistle_ids[int(n)], why) for n, why in self.town.supervision()}
        assert found["supervised"] == listed

    def compare_case(self, m: Blown, row: Any, found: Any) -> None:
        holder = self.system.numbers.get(row["holder_person"]) or self.system.codes[row["grid"]]
        assert (row["phase"], row["on_hold"], row["closed_how"]) == (m.phase, m.on_hold, m.closed_how)
        assert (row["rank"], holder, row["noes"], row["version"]) == (m.rank, m.holder, m.noes, m.version)
        assert (str(row["topic"]) if row["topic"] else None) == m.topic
        assert (row["supervised_at"] is not None) == m.supervised
        self.same_time(row["accept_by"], m.accept.by if m.accept else None)
        self.same_time(row["resolve_by"], m.resolve.by if m.resolve else None)
        self.same_time(row["wait_by"], m.wait_by)
        assert found["history"].get(row["id"], []) == m.kinds
        events = [event for event in found["events"] if event["subject"] == row["id"]]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), "without gaps"

    def compare_whistle(self, w: Whistle, row: Any, found: Any) -> None:
        assert (row["state"], row["lead"], row["assisting"]) == (w.state, w.lead, w.assisting)
        assert self.system.codes[row["desk"]] == w.desk
        assert (row["overdue"], row["disputed"], row["extended"]) == (w.overdue, w.disputed, w.extended)
        assert (row["returns"], row["transfers"], row["version"]) == (w.returns, w.transfers, w.version)
        assert max(row["returns"], row["transfers"]) <= 2
        for name in ("report_in_by", "result_by", "confirm_by", "decide_by"):
            self.same_time(row[name], getattr(w, name))
        assert (row["reported_in_at"] is not None) == w.reported_in
        assert row["supervised_why"] == w.supervised
        sides = {"department": "lead", "desk": "desk"}
        assert {sides[side] for whistle, side in found["ratings"] if whistle == row["id"]} == w.rated
        cases = {id_ for whistle, id_ in found["of"] if whistle == row["id"]}
        assert cases == {self.ids[case.name] for case in w.cases}
        assert found["told"].get(row["id"], []) == w.kinds
        events = [event["kind"] for event in found["events"] if event["data"]["whistle"] == str(row["id"])]
        assert events == [kind for kind in w.kinds if kind != "drafted"], "one event per line, but for a draft"

    async def read(self) -> dict[str, Any]:
        rows = self.system.rows
        history: dict[UUID, list[str]] = {}
        for each in await rows("SELECT case_id, kind FROM routing.history ORDER BY seq"):
            history.setdefault(each["case_id"], []).append(each["kind"])
        told: dict[UUID, list[str]] = {}
        for each in await rows("SELECT whistle, kind FROM routing.whistle_history ORDER BY id"):
            told.setdefault(each["whistle"], []).append(each["kind"])
        events = await rows("SELECT subject, seq, type, data FROM routing.outbox WHERE topic = 'whistle' ORDER BY id")
        for event in events:
            REGISTRY[event["type"]].model_validate(event["data"])
        async with transaction(self.system.routing.engine) as conn:
            listed = await reading.supervision(conn, person=None, everything=True, grid=None, after=None, limit=200)
        return {
            "cases": {row["id"]: row for row in await rows("SELECT * FROM routing.cases")},
            "whistles": {row["id"]: row for row in await rows("SELECT * FROM routing.whistles")},
            "history": history,
            "told": told,
            "events": [{**event, "kind": event["type"].split(".")[-2]} for event in events],
            "ratings": [tuple(r.values()) for r in await rows("SELECT whistle, side FROM routing.whistle_ratings")],
            "of": [tuple(r.values()) for r in await rows("SELECT whistle, case_id FROM routing.whistle_cases")],
            "supervised": {(row["id"], row["why"]) for row in listed if row["kind"] == "whistle"},
        }


@pytest.mark.model
def test_whistles_do_what_the_plain_model_does(instance: Endpoints) -> None:
    walk(WhistleMachine, instance, SEQUENCES, STEPS)
