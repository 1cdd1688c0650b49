"""A Hypothesis state machine over one case on real PostgreSQL: every act in any order by anybody, duplicates, ticks,
posts emptied and filled, days and policies edited, a crash between commit and reply; after each step the case is
compared with a plain model, and with its own history replayed."""

import os
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from sqlalchemy import text

from services.directory import commands as directory
from services.routing import closing, commands, following, jobs, requesting
from services.routing.commands import Answered, Wish
from services.routing.domain.terms import Term
from services.routing.governing import Decision, set_days, use_policy
from services.routing.policy import load
from services.routing.requesting import Plea
from shared.attaching import Photos
from shared.auth import Principal
from shared.contracts.issue import IssueReported
from shared.db import transaction
from shared.embedded import Endpoints
from shared.ids import new_id
from tests.model import calendar
from tests.model.plain import DESKS, POSTS, RANKS, C, Case, District, common, path, rank_of
from tests.model.system import NEAR, START, Machine, walk
from tests.replaying import as_it_is, replay

SEQUENCES = int(os.environ.get("CHUISHAO_MODEL_SEQUENCES", "300"))
NIGHT = int(os.environ.get("CHUISHAO_MODEL_NIGHT", "10000"))
STEPS = int(os.environ.get("CHUISHAO_MODEL_STEPS", "50"))
PLACES = sorted({grid for grid, _ in POSTS} | {f"{C}-L1-M1-S1-U3", C, "150902-01-02", "150902-01"})
PLACES += [f"{C}-L1-M1-S2-U1", f"{C}-L1-M1-S1-U1"] * 4  # where the rules have most to decide
NEIGHBOURS = [f"{C}-L1-M1-S1-U1", f"{C}-L1-M1-S1-U2", f"{C}-L1-M1-S2-U1", f"{C}-L1-M2-S1-U1", C, "150902-01-02"]
AWAY = ["P016", "P014", "P012", "P010", "P018", "P022"]
PEOPLE = ["P016", "P017", "P014", "P012", "P010", "P003", "P002", "P001", "P046", "P018", "P020", "P022", "P026"]


class CaseMachine(Machine):
    """One case and its model."""

    def __init__(self) -> None:
        super().__init__()
        self.district = District()
        self.id = new_id()
        self.other_policy = False

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
        "return": lambda c, a: commands.return_(c, a, "能办"),
        "resume": requesting.resume,
        "decline": lambda c, a: requesting.decline(c, a, "不用"),
        "hand-over": lambda c, a: closing.hand_over(c, a, closing.External("12345", "A-1"), "热线接着办"),
    }

    @rule(act=st.sampled_from(sorted(EFFECTS)), who=st.sampled_from(PEOPLE), stale=st.booleans(), again=st.booleans())
    def somebody_tries(self, act: str, who: str, stale: bool, again: bool) -> None:
        self.leader_act(act, who, self.EFFECTS[act], stale, again)

    DATED: ClassVar[dict[str, Any]] = {"suspend": requesting.suspend, "extend": requesting.extend}

    def plead(self, act: str, who: str, days: int | None, again: bool = False, acting_for: str | None = None) -> None:
        """Asks for an act that takes two, or grants it; whoever grants may leave the date out."""
        until = self.now + timedelta(days=days, seconds=23) if days is not None else None
        if act == "out-of-scope":
            words = None if days is None else "请打 12319"
            self.leader_act(act, who, lambda c, a: closing.out_of_scope(c, a, words), False, again, acting_for, until)
            return
        effect, plea = self.DATED[act], Plea("等材料", until)
        self.leader_act(act, who, lambda c, a: effect(c, a, plea), False, again, acting_for, until)

    @rule(
        act=st.sampled_from(["suspend", "extend"]),
        who=st.sampled_from(PEOPLE),
        days=st.sampled_from([None, -1, 3, 20, 400]),
        again=st.booleans(),
    )
    def somebody_pleads(self, act: str, who: str, days: int | None, again: bool) -> None:
        self.plead(act, who, days, again)

    @precondition(lambda self: self.model.phase in ("assigned", "accepted"))
    @rule(act=st.sampled_from(["suspend", "extend"]), days=st.sampled_from([1, 3, 20]), by_desk=st.booleans())
    def the_holder_pleads(self, act: str, days: int, by_desk: bool) -> None:
        person = self.model.holder not in DESKS
        if by_desk and person:
            self.plead(act, "P003", days, acting_for=self.model.holder)
        else:
            self.plead(act, self.some_holder(), days)

    @precondition(lambda self: self.model.waits() is not None)
    @rule(
        who=st.sampled_from(["P003", "P004", "P002", "P001", "P014", "P012", "P010"]),
        days=st.sampled_from([None, None, None, 5]),
        refuse=st.sampled_from([False, False, False, True]),
    )
    def somebody_decides(self, who: str, days: int | None, refuse: bool) -> None:
        plea = self.model.waits()
        assert plea is not None
        if refuse:
            self.leader_act("decline", who, self.EFFECTS["decline"], False, False)
        else:
            self.plead(plea.act, who, days)

    @precondition(lambda self: len(self.model.hops) > 2)
    @rule(who=st.sampled_from(["P003", "P002", "P001", "P014"]))
    def a_desk_finds_it_out_of_scope(self, who: str) -> None:
        self.plead("out-of-scope", who, 0)

    @precondition(lambda self: self.model.below() is not None)
    @rule()
    def the_holder_gives_it_back(self) -> None:
        self.leader_act("return", self.some_holder(), self.EFFECTS["return"], False, False)

    # -- merging ----------------------------------------------------------------------------------------------
    def neighbour(self, place: str) -> UUID:
        """Another case, told by somebody else a moment ago."""
        id_ = new_id()
        self.set_clock()
        issue = IssueReported(
            number="2",
            category="FAC.light",
            urgency="ordinary",
            start="micro",
            place=self.system.grids[place],
            reporter=new_id(),
        )
        self.deliver(id_, issue)
        return id_

    @rule(place=st.sampled_from(NEIGHBOURS), who=st.sampled_from(["P003", "P003", "P002", "P001", "P014"]))
    def another_case_merges_into_it(self, place: str, who: str) -> None:
        id_, m = self.neighbour(place), self.model
        caller = Principal(person=self.system.people[who], no=who)
        effect = lambda c, a: closing.merge(c, a, caller, self.id)  # noqa: E731
        wish = Wish(1, None, self.id)
        outcome = self.attempt(commands.act(self.system.routing, caller, id_, "merge", wish, effect, None, b""))
        desks = self.desks(who, place)
        if who not in ("P003", "P002", "P001"):
            above = self.district.grids_of(who) & set(path(place).values())
            expected = "forbidden" if above else "not-found"
        elif not desks:
            expected = "not-found"
        else:
            open_ = m.phase in ("assigned", "accepted")
            expected = "ok" if open_ and not m.about_leader and self.holds_both(who, place) else "invalid"
        assert outcome[0] == expected, (who, place, outcome, expected)
        if expected == "ok":
            m.joined(place, self.now)

    @precondition(lambda self: len(self.model.hops) > 3)
    @rule(place=st.sampled_from(NEIGHBOURS), who=st.sampled_from(["P003", "P002"]))
    def it_merges_into_another(self, place: str, who: str) -> None:
        id_ = self.neighbour(place)
        caller = Principal(person=self.system.people[who], no=who)
        sound = not self.model.about_leader and self.holds_both(who, place, rank_of(place))
        self.leader_act(
            "merge", who, lambda c, a: closing.merge(c, a, caller, id_), False, False, into=id_, sound=sound
        )

    def desks(self, who: str, place: str) -> set[int]:
        return {RANKS[grid] for grid in path(place).values() if who in DESKS.get(grid, [])}

    def holds_both(self, who: str, place: str, rank: int | None = None) -> bool:
        """Whether a desk is above both places, and not below whoever has the other case (default: the model's)."""
        m = self.model
        both = self.desks(who, place) & self.desks(who, m.place)
        authority = {desk for desk in self.desks(who, m.place if rank is None else place) if desk >= 5}
        at = m.rank if rank is None else max(5, rank)
        authority = {desk for desk in authority if desk >= at}
        if rank is None and m.noes >= 3:
            authority &= {m.rank, 7}
        return bool(authority) and any(desk >= rank_of(common(place, m.place)) for desk in both)

    @precondition(lambda self: self.model.phase in ("assigned", "accepted"))
    @rule(act=st.sampled_from(["accept", "resolve", "escalate", "ask", "resume"]), again=st.booleans())
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

    @rule(
        desk=st.sampled_from(["P003", "P002", "P001"]),
        act=st.sampled_from(["accept", "escalate", "resolve", "return", "resume"]),
    )
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
        allowed = self.model.phase != "closed" and not self.model.followed
        self.resident_act("withdraw", commands.withdraw, allowed, False)
        if allowed:
            self.model.close("withdrawn", "withdrawn", self.now)

    def some_holder(self) -> str:
        return DESKS.get(self.model.holder, [self.model.holder])[0]

    def leader_act(
        self,
        name: str,
        who: str,
        effect: Any,
        stale: bool,
        again: bool,
        acting_for: str | None = None,
        until: datetime | None = None,
        *,
        into: UUID | None = None,
        sound: bool = True,
    ) -> None:
        """Does the act, twice if the reply got lost the first time, and expects what the model expects. `sound`: what
        the act itself looks at besides is in order."""
        self.set_clock()
        wish = Wish(self.model.version - stale, acting_for, into)
        expected = self.expect(name, who, stale, acting_for)
        if expected == "ok" and not (sound and self.sound_date(name, until)):
            expected = "invalid"
        caller = Principal(person=self.system.people[who], no=who)
        key, first = str(new_id()), None
        for _ in range(1 + again):
            outcome = self.attempt(commands.act(self.system.routing, caller, self.id, name, wish, effect, key, b""))
            assert outcome[0] == expected, (name, who, outcome, expected)
            first = first or outcome
        if expected == "ok":
            assert outcome == first, "a repeated act gives its first answer"
            self.apply(name, who, until)

    def sound_date(self, name: str, until: datetime | None) -> bool:
        """Of what is asked for or granted: ahead, within a year, and later than the deadline it replaces."""
        m = self.model
        if name == "out-of-scope":
            return until is not None or m.waits() is not None
        if name not in ("suspend", "extend"):
            return True
        plea = m.waits()
        at = until or (plea.until if plea else None)
        late = name == "suspend" or not m.resolve or not m.resolve.by or (at is not None and at > m.resolve.by)
        ahead = at is not None and at > self.now
        return ahead and late and (until is None or until <= self.now + timedelta(days=366))

    def resident_act(self, name: str, effect: Any, allowed: bool, again: bool) -> None:
        self.set_clock()
        key = str(new_id())
        for _ in range(1 + again):
            outcome = self.attempt(
                commands.resident_act(self.system.routing, self.id, name, None, "code", key, b"", effect)
            )
            assert outcome[0] == ("ok" if allowed else "wrong-state"), (name, outcome)

    BY: ClassVar[dict[str, set[str]]] = {
        **{key: {"holder"} for key in ["accept", "escalate", "ask", "resolve", "return", "suspend", "extend"]},
        "claim": {"former"},
        "resume": {"holder", "authority"},
        "decline": {"authority", "senior"},
        **{key: {"authority"} for key in ["out-of-scope", "hand-over", "merge"]},
    }
    GRANTED_BY: ClassVar[dict[str, set[str]]] = {
        "suspend": {"authority"},
        "extend": {"senior"},
        "out-of-scope": {"authority"},
    }

    def relations(self, who: str) -> tuple[set[str], set[int]]:
        """What somebody is to the case, and the ranks of his desks above its holder."""
        m = self.model
        ranks = self.desks(who, m.place)
        own = {rank for rank in ranks if rank >= max(5, m.rank)}
        covered = [each for each, stand_in in self.district.away.items() if stand_in == who]
        posts = {grid for each in (who, *covered) for grid in self.district.posts_of(each)}
        senior = {rank for rank, grid in path(m.place).items() if grid in posts and rank > m.rank}
        if m.noes >= 3:
            own, senior = own & {m.rank, 7}, senior & {7}
        if who in m.recused:
            senior = set()
        facts = {
            "holder": m.holds(who),
            "authority": own,
            "senior": senior,
            "former": m.claims(who) is not None,
        }
        return {name for name, found in facts.items() if found}, own - {m.rank}

    def expect(self, name: str, who: str, stale: bool, acting_for: str | None) -> str:
        """What the rules say: 404, 403, then the state, then the version and the hands."""
        m = self.model
        if not m.sees(who):
            return "not-found"
        plea = m.waits()
        decides = plea is not None and name in ("decline", plea.act)
        theirs = self.GRANTED_BY[plea.act] if plea and decides else self.BY[name]
        mine, above = self.relations(who)
        had_it = bool(self.BY[name] & {"holder", "former"} and m.held(who))
        if not (theirs & mine or had_it or ("holder" in theirs and above)):
            return "forbidden"
        if (plea and decides and plea.by == who) or not self.allowed(name) or (decides and not theirs & mine):
            return "wrong-state"
        if stale:
            return "already-moved"
        if "holder" in theirs and "holder" not in mine and (acting_for is not None or not theirs & mine):
            if not above:
                return "already-moved"
            if acting_for is None:
                return "ok" if m.holder in DESKS and 7 in self.desks(who, m.place) else "forbidden"
            return "invalid" if acting_for in DESKS else "ok"
        if acting_for is not None and not decides:
            return "invalid"
        return "ok" if theirs & mine else "already-moved"

    def allowed(self, name: str) -> bool:
        m = self.model
        plea, is_open = m.waits(), m.phase in ("assigned", "accepted")
        asked, calm = m.on_hold in (None, "reporter"), m.on_hold in (None, "reporter", "suspended")
        mine = plea is None or plea.act == name
        may_extend = m.resolve is not None and m.extension_asked != len(m.hops)
        return {
            "accept": m.phase == "assigned" and asked,
            "claim": m.phase == "assigned" and m.on_hold is None,
            "escalate": is_open and asked and m.rank < 6 and m.noes < 3,
            "return": is_open and m.on_hold is None and m.below() is not None and not m.is_night(self.now),
            "ask": is_open and m.on_hold is None,
            "resolve": m.phase == "accepted" and asked,
            "suspend": is_open and asked and mine,
            "extend": m.phase == "accepted" and m.on_hold is None and mine and (plea is not None or may_extend),
            "resume": is_open and m.on_hold == "suspended",
            "decline": plea is not None,
            "out-of-scope": is_open and calm and mine,
            "hand-over": is_open and calm,
            "merge": is_open and calm,
        }[name]

    def apply(self, name: str, who: str, until: datetime | None = None) -> None:
        m, now = self.model, self.now
        if name in self.GRANTED_BY:
            self.plead_model(name, who, until)
        elif name == "accept":
            m.taken_up()
        elif name == "claim":
            to = m.claims(who)
            bound = to is not None and not any(h.holder == to[1] or who in str(h.holder) for h in m.held(who))
            bound = bound or any(h.bound for h in m.held(who))
            m.go("claimed", "taken", 0, 0, now, to=to, accepted=True)
            m.bound = m.hops[-1].bound = bound
        elif name == "escalate":
            m.go("escalated", "escalated", m.rank + 1, 6 if m.rank >= 5 else 5, now)
        elif name == "return":
            m.give_back(now)
        elif name == "ask":
            m.ask(now)
        elif name == "resume":
            m.resume(now, "woken")
        elif name == "decline":
            m.decided("declined")
        elif name in ("hand-over", "merge"):
            how, ended_by = ("merged", "merged") if name == "merge" else ("handed_over", "taken")
            m.close(how, ended_by, now)
        elif m.own:
            m.close("own", "resolved", now)
        else:
            m.resolved(now)

    def plead_model(self, name: str, who: str, until: datetime | None) -> None:
        m, now, plea = self.model, self.now, self.model.waits()
        if plea is None:
            m.ask_for(name, who, until)
            return
        at = until or plea.until
        if name == "suspend" and at:
            m.suspend(at, now)
            m.decided("suspended")
        elif name == "extend" and at:
            m.extend(at, now)
            m.decided("extended")
        else:
            m.plea = None
            m.close("out_of_scope", "taken", now)

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
        self.follow_model(post[0], who)

    def follow_model(self, grid: str | None, who: str | None) -> None:
        """Something changed at a grid or, without one, in a person's absence: a case that it is about moves on."""
        m = self.model
        here = path(m.place)[m.rank]
        concerned = here == grid if grid else who == m.holder or here in self.district.posts_of(str(who))
        if concerned and m.holder_left():
            m.move_on("moved", m.rank, self.now, clocks=m.noes < 3)

    async def set_post(self, grid: str, kind: str, who: str | None) -> None:
        async with transaction(self.system.directory.engine) as conn:
            await directory.set_post(conn, Principal(role="command"), grid, kind, who)
        async with transaction(self.system.routing.engine) as conn:
            await following.posts_changed(conn, [self.system.grids[grid]])

    @rule(
        who=st.sampled_from(AWAY),
        stand_in=st.sampled_from([None, "P025", "P026"]),
        back=st.booleans(),
    )
    def leader_goes_away_or_comes_back(self, who: str, stand_in: str | None, back: bool) -> None:
        self.set_clock()
        self.run(self.set_absence(who, stand_in, back))
        if back:
            self.district.away.pop(who, None)
        else:
            self.district.away[who] = stand_in
        if self.begun:
            self.follow_model(None, who)

    async def set_absence(self, who: str, stand_in: str | None, back: bool) -> None:
        async with transaction(self.system.directory.engine) as conn:
            away = directory.Absence(START - timedelta(days=1), START + timedelta(days=90), stand_in)
            await (directory.end_absence(conn, who) if back else directory.set_absence(conn, who, away))
        async with transaction(self.system.routing.engine) as conn:
            await following.absences_changed(conn, [self.system.people[who]])

    # -- policies and calendars -----------------------------------------------------------------------------
    @rule(days=st.sampled_from([1, 2, 3, 4, 5, 6]), is_open=st.sampled_from([True, False, None]))
    def the_district_changes_a_day(self, days: int, is_open: bool | None) -> None:
        """Days never freeze: every open deadline on that calendar is another."""
        self.set_clock()
        day = (self.now + timedelta(days=days)).date()
        self.run(self.set_day(day, is_open))
        if is_open is None:
            calendar.OWN.pop(day, None)
        else:
            calendar.OWN[day] = is_open
        for clock in (self.model.accept, self.model.resolve):
            if clock:
                clock.begin_again()
        self.advance(self.now)  # what has become due by it moves now

    async def set_day(self, day: date, is_open: bool | None) -> None:
        async with transaction(self.system.owner) as conn:
            await set_days(conn, {day: is_open}, Decision("test", "test"))

    @rule(hours=st.sampled_from([1, 2, 3]))
    def another_policy_is_put_in_force(self, hours: int) -> None:
        """An open case keeps its own."""
        self.set_clock()
        self.run(self.put_policy(hours))

    async def put_policy(self, hours: int | None) -> None:
        policy = load("default")
        if hours is not None:
            ordinary = policy.urgencies["ordinary"]
            accept = {level: Term.parse(f"{hours}h") for level in ordinary.accept}
            urgencies = policy.urgencies | {"ordinary": ordinary.model_copy(update={"accept": accept})}
            policy = policy.model_copy(update={"urgencies": urgencies})
        async with transaction(self.system.owner) as conn:
            await use_policy(conn, policy)
        self.other_policy = hours is not None

    # -- the comparison -------------------------------------------------------------------------------------
    def compare(self) -> None:
        m = self.model
        case, hops, history, events = self.run(self.read())
        kinds = [row["kind"] for row in history]
        assert replay(history, own=m.own) == as_it_is(case), "history, replayed, gives the row"
        holder = self.system.numbers.get(case["holder_person"]) or self.system.codes[case["grid"]]
        assert (case["phase"], case["on_hold"], case["closed_how"]) == (m.phase, m.on_hold, m.closed_how)
        assert (case["rank"], holder, case["noes"]) == (m.rank, m.holder, m.noes)
        assert [(h["rank"], self.hop_holder(h), h["ended_by"], h["skipped"]) for h in hops] == [
            (h.rank, h.holder, h.ended_by, h.skipped) for h in m.hops
        ]
        assert kinds == m.kinds, f"{kinds} != {m.kinds}"
        assert events == list(range(1, len(kinds) + 1)), "one event per history row, without gaps"
        assert (case["version"], case["supervised_at"] is not None) == (m.version, m.supervised)
        self.same_clock(m.accept, case["accept_by"])
        self.same_clock(m.resolve, case["resolve_by"])
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
            history = await rows("SELECT * FROM routing.history WHERE case_id = :id ORDER BY seq")
            events = [r["seq"] for r in await rows("SELECT seq FROM routing.outbox WHERE subject = :id ORDER BY id")]
        return case, hops, history, events

    def teardown(self) -> None:
        """Everything back to the first day, for the next sequence."""
        super().teardown()
        for day in [*calendar.OWN]:
            self.run(self.set_day(day, None))
        calendar.OWN.clear()
        if self.other_policy:
            self.run(self.put_policy(None))
        for post in {*POSTS, *self.district.posts}:
            if self.district.posts.get(post) != POSTS.get(post):
                self.run(self.set_post(*post, POSTS.get(post)))


@pytest.mark.model
def test_the_case_does_what_the_plain_model_does(instance: Endpoints) -> None:
    walk(CaseMachine, instance, SEQUENCES, STEPS)


@pytest.mark.model
@pytest.mark.night
def test_ten_thousand_lives_of_a_case(instance: Endpoints) -> None:
    walk(CaseMachine, instance, NIGHT, STEPS)
