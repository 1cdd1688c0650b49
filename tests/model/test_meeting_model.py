"""A Hypothesis state machine over the topics of three cases on real PostgreSQL: every act in any order by anybody,
stale versions, repeated requests, meetings that compete for rooms and people, ticks just before and after each
deadline; after each step topics, meetings, seats and bookings are compared with a plain model."""

import os
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from services.deliberation import commands, jobs, planning
from services.deliberation.commands import Result, Task, Wish
from shared.contracts.case import CaseClosed
from shared.embedded import Endpoints
from shared.ids import new_id
from tests.model.meeting_system import CASES, Attempt, Deliberating
from tests.model.meetings import CHAIR, DAY, DESKS, QUORUM, SIX, SLOT, Topic
from tests.model.plain import C
from tests.model.system import walk

SEQUENCES = int(os.environ.get("CHUISHAO_MODEL_SEQUENCES", "60"))
STEPS = int(os.environ.get("CHUISHAO_MODEL_STEPS", "40"))
SEATED = tuple(SIX.values())
PEOPLE = [*DESKS, CHAIR, *SEATED, "resident A", "resident B", "P046", "P006", "P016", "command"]
CASE, MAYBE, NUMBER = st.sampled_from("AABD"), st.sampled_from([False, False, True]), st.integers(0, 59)
EXISTS = precondition(lambda self: self.begun and bool(self.town.topics))
MEETS = precondition(lambda self: self.begun and any(topic.meeting for topic in self.town.topics))


def mostly(*who: str) -> st.SearchStrategy[str]:
    """One of these three times of four, else anybody."""
    return st.integers(0, 3).flatmap(lambda n: st.sampled_from(PEOPLE if n == 0 else who))


class MeetingMachine(Deliberating):
    @initialize(hour=st.sampled_from([0, 0, 5, 13]), come=st.tuples(*[st.integers(0, 3)] * 5))
    def begin(self, hour: int, come: tuple[int, ...]) -> None:
        """Some topics have come some way already: sequences alone would rarely see the end of a meeting."""
        self.offset = timedelta(hours=hour)
        self.start()
        proposed, screened, planned, there, opened = (min(come[: n + 1]) for n in range(5))
        for name in list(CASES)[:proposed]:
            self.propose(name, "P003", False)
        for _ in range(screened):
            self.screen(1, CHAIR, False, False)
        for _ in range(planned):
            self.plan(1, "P003", False)
        for _ in range(there):
            self.four_are_there_in_time(1)
        for _ in range(opened):
            self.open(1, CHAIR, False, False)

    # -- topics ---------------------------------------------------------------------------------------------------
    @rule(name=CASE, who=mostly(*DESKS), again=MAYBE)
    def propose(self, name: str, who: str, again: bool) -> None:
        self.set_clock()
        expected = "ok"
        if who not in DESKS:
            expected = "not-found"
        elif name in self.closed or self.town.open_topic(name):
            expected = "wrong-state"
        wish = Wish(self.caller(who), str(new_id()), b"")
        for _ in range(1 + again):
            work = commands.propose(self.system.deliberation, wish, self.cases[name], "灯", [])
            outcome, answer = self.attempt(work)
            assert outcome == expected, (who, outcome, expected)
        if expected == "ok":
            _, urgency, room = CASES[name]
            self.town.topics.append(Topic(name, urgency, room, self.now + 3 * DAY))
            self.ids.append(UUID(answer["id"]))

    @EXISTS
    @rule(number=NUMBER, who=mostly(CHAIR), stale=MAYBE, again=MAYBE)
    def screen(self, number: int, who: str, stale: bool, again: bool) -> None:
        topic, act = self.topic(number, "screen"), "screen"
        effect = lambda c, f, w: commands.accept_topic(c, f, w, None)  # noqa: E731
        expected = self.may(topic, act, who, stale)
        then = lambda: topic.go("screened", "topic.screened")  # noqa: E731
        self.do(Attempt(topic, act, who, effect, expected, then, stale, again))

    @EXISTS
    @rule(number=NUMBER, who=mostly(CHAIR), is_sure=MAYBE)
    def refuse(self, number: int, who: str, is_sure: bool) -> None:
        topic, act = self.topic(number, "refuse"), "refuse"
        effect = lambda c, f, w: commands.refuse_topic(c, f, w, "先找物业")  # noqa: E731
        if is_sure:
            then = lambda: topic.end("refused", "refused")  # noqa: E731
            self.do(Attempt(topic, act, who, effect, self.may(topic, act, who), then))

    @EXISTS
    @rule(number=NUMBER, who=mostly(*DESKS), is_sure=MAYBE, stale=MAYBE, again=MAYBE)
    def withdraw(self, number: int, who: str, is_sure: bool, stale: bool, again: bool) -> None:
        topic, act = self.topic(number, "withdraw"), "withdraw"
        effect = lambda c, f, w: commands.withdraw_topic(c, f, w, "谈好了")  # noqa: E731
        if is_sure:
            then = lambda: topic.end("withdrawn", "withdrawn")  # noqa: E731
            self.do(Attempt(topic, act, who, effect, self.may(topic, act, who, stale), then, stale, again))

    @EXISTS
    @rule(number=NUMBER, who=mostly(*DESKS), again=MAYBE)
    def plan(self, number: int, who: str, again: bool) -> None:
        topic = self.topic(number, "plan")
        self.set_clock()
        wish = Wish(self.caller(who), str(new_id()), b"")
        expected = self.may(topic, "plan", who)
        for _ in range(1 + again):
            outcome, _ = self.attempt(planning.plan_topic(self.system.deliberation, wish, self.id_of(topic)))
            assert outcome == expected, (who, outcome, topic)
        if expected == "ok":
            self.town.plan(topic, self.now)

    # -- seats ----------------------------------------------------------------------------------------------------
    @MEETS
    @rule(
        number=NUMBER,
        who=mostly(*SEATED, "resident A"),
        answer=st.sampled_from(["come", "cannot", "cannot", "substitute"]),
        other=st.sampled_from(["P046", "P046", "P016", "P041", CHAIR]),
        again=MAYBE,
    )
    def reply(self, number: int, who: str, answer: str, other: str, again: bool) -> None:
        topic, meeting = self.with_meeting(number, "reply")
        substitute = other if answer == "substitute" else None
        seat, expected = meeting.seat_of(who), self.may(topic, "reply", who)
        if expected in ("ok", "wrong-state"):
            if seat is None or seat.person != who:
                expected = "forbidden"
            elif substitute and meeting.seat_of(substitute):
                expected = "invalid"
        effect = lambda c, f, w: commands.reply(c, f, w, answer, substitute)  # noqa: E731
        then = lambda: self.town.reply(topic, seat, answer, substitute) if seat else None  # noqa: E731
        self.do(Attempt(topic, "reply", who, effect, expected, then, again=again))

    @MEETS
    @rule(
        number=NUMBER,
        who=mostly(CHAIR, *SEATED),
        other=st.sampled_from([None, None, *SEATED, *SEATED, "P046", "P016"]),
        code=st.sampled_from(["right", "right", "old", "wrong"]),
        again=MAYBE,
    )
    def check_in(self, number: int, who: str, other: str | None, code: str, again: bool) -> None:
        topic, meeting = self.with_meeting(number, "check-in")
        door = None if other else self.door(topic, meeting.sequence - (code == "old")) if code != "wrong" else "x"
        expected = self.may(topic, "check-in", who)
        if expected in ("ok", "wrong-state"):
            if other and who != CHAIR:
                expected = "forbidden"
            elif (other and meeting.seat_of(other) is None) or (not other and code != "right"):
                expected = "invalid"
        self.is_there(topic, who, other, door, expected, again)

    def is_there(
        self, topic: Topic, who: str, other: str | None, door: str | None, expected: str, again: bool = False
    ) -> None:
        ctx = self.system.deliberation
        effect = lambda c, f, w: commands.check_in(c, f, w, ctx, door, other)  # noqa: E731
        seat = topic.meeting.seat_of(other or who) if topic.meeting else None
        then = lambda: setattr(seat, "present", True)  # noqa: E731
        self.do(Attempt(topic, "check-in", who, effect, expected, then, again=again))

    @precondition(lambda self: self.begun and any(topic.state == "scheduled" for topic in self.town.topics))
    @rule(number=st.integers(1, 4))
    def four_are_there_in_time(self, number: int) -> None:
        topic, meeting = self.with_meeting(number, "open")
        self.offset += max(timedelta(0), meeting.starts + timedelta(minutes=1) - self.now)
        for person in SEATED[:QUORUM]:
            self.is_there(topic, CHAIR, person, None, "ok")

    # -- the meeting ------------------------------------------------------------------------------------------------
    @MEETS
    @rule(number=NUMBER, who=mostly(CHAIR), stale=MAYBE, again=MAYBE)
    def open(self, number: int, who: str, stale: bool, again: bool) -> None:
        topic, meeting = self.with_meeting(number, "open")
        expected = self.may(topic, "open", who, stale)
        if expected in ("ok", "already-moved") and meeting.starts > self.now:
            expected = "wrong-state"
        if expected == "ok" and meeting.quorum < QUORUM:
            expected = "no-quorum"
        then = lambda: topic.go("held", "meeting.opened")  # noqa: E731
        self.do(Attempt(topic, "open", who, commands.open_meeting, expected, then, stale, again))

    @MEETS
    @rule(
        number=NUMBER,
        who=mostly(CHAIR),
        task=st.sampled_from([None, "grid", "department", "late", "outside"]),
        stale=MAYBE,
        again=MAYBE,
    )
    def result(self, number: int, who: str, task: str | None, stale: bool, again: bool) -> None:
        topic, meeting = self.with_meeting(number, "result")
        grid = {"department": None, "outside": "150902-01-02"}.get(str(task), C)
        due = self.now + (DAY if task != "late" else -DAY)
        tasks = [Task("换灯", grid, None if grid else "HOUSING", due)] if task else []
        expected = self.may(topic, "result", who, stale)
        if expected not in ("not-found", "forbidden"):
            if task in ("late", "outside"):
                expected = "invalid"
            elif topic.state in ("scheduled", "held") and meeting.quorum < QUORUM:
                expected = "no-quorum"

        def then() -> None:
            meeting.tasks = len(tasks)
            topic.go("done", "meeting.held", *["task.made"] * len(tasks), "topic.ended", how="resolution")

        effect = lambda c, f, w: commands.post_result(c, f, w, Result("resolution", "换", tasks))  # noqa: E731
        self.do(Attempt(topic, "result", who, effect, expected, then, stale, again))

    @MEETS
    @rule(number=NUMBER, who=mostly(CHAIR), stale=MAYBE, again=MAYBE)
    def postpone(self, number: int, who: str, stale: bool, again: bool) -> None:
        topic, meeting = self.with_meeting(number, "postpone")
        expected = self.may(topic, "postpone", who, stale)
        if expected in ("ok", "already-moved") and not meeting.moves_left:
            expected = "wrong-state"

        def then() -> None:
            meeting.moves_left -= 1
            self.town.plan(topic, self.now, meeting.starts + SLOT)

        effect = lambda c, f, w: planning.postpone(c, f, w, "停电")  # noqa: E731
        self.do(Attempt(topic, "postpone", who, effect, expected, then, stale, again))

    # -- what comes by itself ---------------------------------------------------------------------------------------
    @EXISTS
    @rule(name=CASE, is_sure=MAYBE)
    def the_case_is_closed(self, name: str, is_sure: bool) -> None:
        if is_sure and name not in self.closed:
            self.set_clock()
            self.hear(name, CaseClosed, 2, "closed", how="withdrawn")
            self.closed.add(name)
            self.town.close_case(name)

    @rule(by=st.sampled_from([timedelta(minutes=20), timedelta(hours=3), DAY]))
    def time_passes(self, by: timedelta) -> None:
        self.offset += by

    @rule(late=st.booleans())
    def the_next_deadline_comes(self, late: bool) -> None:
        ahead = [at for at in self.town.deadlines() if at > self.now + timedelta(minutes=2)]
        if ahead:
            self.offset += ahead[0] - self.now + timedelta(minutes=1 if late else -1)

    @rule()
    def tick(self) -> None:
        self.set_clock()
        self.run(jobs.tick(self.system.deliberation))
        self.town.tick(self.now)


@pytest.mark.model
def test_topics_and_meetings_do_what_the_plain_model_does(instance: Endpoints) -> None:
    walk(MeetingMachine, instance, SEQUENCES, STEPS)
