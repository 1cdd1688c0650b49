"""Who is told what: every row of the table."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.notify.domain.audience import Hold, Telling, Who, tell
from services.notify.domain.table import CASE as CASE_ROWS
from services.notify.domain.table import REPLY, TABLE, closes
from shared.contracts import case as c

CASE, PLACE, GRID, LEADER, REPORTER = (UUID(int=n) for n in range(1, 6))
SOON = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


def fact(kind: type[c.CaseEvent], **more: Any) -> c.CaseEvent:
    given: dict[str, Any] = {
        "number": "20261124-00001",
        "category": "FAC.light",
        "urgency": "ordinary",
        "place": PLACE,
        "phase": "assigned",
        "level": "micro",
        "grid": GRID,
        "hop": 1,
        "holder_kind": "person",
        "holder_person": LEADER,
        "reporter": REPORTER,
        "accept_by": SOON,
        "resolve_by": SOON,
        "promised_by": SOON,
        "policy": "p",
    }
    return kind(**(given | more))


def told(kind: type[c.CaseEvent], seq: int = 1, **more: Any) -> dict[str, Telling]:
    return {t.key: t for t in tell(CASE_ROWS, kind.__name__, fact(kind, **more), case=CASE, seq=seq)}


DESK = {"holder_kind": "desk", "holder_person": None, "level": "community"}
MOVED = {"from_level": "micro", "from_hop": 1}


def test_an_opened_case_tells_its_holder_and_its_reporter() -> None:
    messages = told(c.CaseOpened)
    assert set(messages) == {f"assigned:{CASE}.1", f"received:{CASE}:1"}
    assert messages[f"assigned:{CASE}.1"].person == LEADER
    assert messages[f"received:{CASE}:1"].person == REPORTER


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (c.CaseEscalated, {"reason": "accept_timeout", **MOVED}),
        (c.CaseMoved, {"reason": "left", **MOVED}),
        (c.CaseReopened, {"count": 1, **MOVED}),
    ],
)
def test_a_later_hop_tells_its_holder_only(kind: type[c.CaseEvent], more: dict[str, Any]) -> None:
    assert set(told(kind, hop=2, seq=4, **more)) == {f"assigned:{CASE}.2"}


def test_a_desk_is_told_as_a_whole_and_at_any_hour() -> None:
    desk = told(c.CaseEscalated, hop=5, reason="escalated", **DESK, **MOVED)[f"assigned:{CASE}.5"]
    assert (desk.row.who, desk.person, desk.grid, desk.hold) == (Who.HOLDER, None, GRID, Hold.NEVER)


def test_a_volunteer_is_left_alone_at_night_unless_it_is_an_emergency() -> None:
    assert told(c.CaseOpened)[f"assigned:{CASE}.1"].hold is Hold.VOLUNTEER
    assert told(c.CaseOpened, urgency="emergency")[f"assigned:{CASE}.1"].hold is Hold.NEVER


def test_one_s_own_find_is_told_to_nobody() -> None:
    assert told(c.CaseOpened, own=True, phase="accepted", reporter=LEADER) == {}


def test_each_clock_has_its_own_reminder() -> None:
    accept, resolve = told(c.CaseReminded, clock="accept"), told(c.CaseReminded, clock="resolve")
    assert {k: t.template for k, t in (accept | resolve).items()} == {
        f"reminder:{CASE}.1:accept": "reminder-accept",
        f"reminder:{CASE}.1:resolve": "reminder-resolve",
    }


def test_who_was_passed_over_at_night_reads_it_in_the_digest() -> None:
    skipped = [
        c.Skipped(hop=1, level="micro", grid=PLACE, reason="night", person=LEADER),
        c.Skipped(hop=2, level="small", grid=GRID, reason="vacant"),
    ]
    messages = told(c.CaseOpened, urgency="urgent", hop=3, skipped=skipped, **DESK)
    night = messages[f"night:{CASE}"]
    assert (night.person, night.hold, night.urgent, night.hop) == (LEADER, Hold.DIGEST, False, None)


def test_case_26_the_desk_is_told_who_cannot_be_reached() -> None:
    skipped = [c.Skipped(hop=1, level="micro", grid=UUID(int=9), reason="unreachable", person=LEADER)]
    message = told(c.CaseOpened, hop=2, level="small", skipped=skipped)[f"unreachable:{CASE}.1"]
    assert (message.row.who, message.grid, message.place) == (Who.COMMUNITY_DESK, UUID(int=9), UUID(int=9))
    assert (message.hop, message.facts["level"]) == (1, "micro")


def test_an_emergency_alarms_everyone_on_the_way_up_at_once() -> None:
    alarm = told(c.CaseOpened, urgency="emergency", level="large", recused=[LEADER])[f"emergency:{CASE}"]
    assert (alarm.row.who, alarm.grid, alarm.urgent, alarm.hold) == (Who.ALARM, PLACE, True, Hold.NEVER)
    assert alarm.recused == [LEADER]


@pytest.mark.parametrize(
    ("kind", "more", "key"),
    [
        (c.CaseAccepted, {}, f"accepted:{CASE}:3"),
        (c.CaseClaimed, {}, f"accepted:{CASE}:3"),
        (c.CaseAsked, {}, f"asked:{CASE}:3"),
        (c.CaseAskReminded, {}, f"asked:{CASE}:3"),
        (c.CaseResolved, {}, f"resolved:{CASE}:3"),
        (c.CaseStillAsking, {"n": 1}, f"still-asking:{CASE}.1:3"),
        (c.CaseStillAsking, {"n": 2}, f"still-asking:{CASE}.1:6"),
    ],
)
def test_the_resident_is_told(kind: type[c.CaseEvent], more: dict[str, Any], key: str) -> None:
    messages = told(kind, seq=3, **more)
    assert set(messages) == {key}
    assert (messages[key].person, messages[key].hold, messages[key].hop) == (REPORTER, Hold.RESIDENT, None)


def test_supervision_tells_the_district_and_the_level() -> None:
    message = told(c.CaseSupervised, why="timeout", **DESK)[f"supervision:{CASE}"]
    assert (message.row.who, message.grid, message.facts["why"]) == (Who.SUPERVISORS, GRID, "timeout")


@pytest.mark.parametrize(("kind", "more"), [(c.CaseClosed, {"how": "confirmed"}), (c.CaseReplied, {"by": "clock"})])
def test_nobody_is_told(kind: type[c.CaseEvent], more: dict[str, Any]) -> None:
    assert told(kind, **more) == {}


def test_only_what_has_to_be_done_at_once_goes_by_two_channels() -> None:
    urgent = {t.row.reason: t.urgent for t in told(c.CaseOpened, urgency="urgent").values()}
    assert urgent == {"assigned": True, "received": False}


def test_every_reason_is_the_first_word_of_its_key() -> None:
    assert all(row.reason and ":" not in row.reason for row in TABLE)


def answered(kind: type[c.CaseEvent], **more: Any) -> list[Telling]:
    return list(tell(REPLY, kind.__name__, fact(kind, **more), case=CASE, seq=3))


@pytest.mark.parametrize(
    ("kind", "more", "act"),
    [
        (c.CaseAccepted, {"by": LEADER}, "accept"),
        (c.CaseClaimed, {"by": LEADER}, "accept"),
        (c.CaseEscalated, {"reason": "escalated", **MOVED}, "escalate"),
        (c.CaseClosed, {"how": "confirmed"}, "solved"),
        (c.CaseReopened, {"count": 1, **MOVED}, "not_solved"),
    ],
)
def test_whoever_acted_by_a_text_hears_by_a_text_what_came_of_it(
    kind: type[c.CaseEvent], more: dict[str, Any], act: str
) -> None:
    (answer,) = answered(kind, **more)
    assert (answer.row.who, answer.row.act, answer.channel) == (Who.REPLIED, act, "sms")
    assert (answer.key, answer.template, answer.hold) == (f"reply:{CASE}:3", f"reply-{act}", Hold.NEVER)
    assert answer.person == (LEADER if act == "accept" else None), "an acceptance by somebody else answers nobody"


def test_nobody_s_text_is_answered_by_a_climb_of_the_clock() -> None:
    assert answered(c.CaseEscalated, reason="accept_timeout", **MOVED) == []


def test_a_refusal_goes_back_the_way_the_act_came() -> None:
    (answer,) = answered(
        c.CaseReplyRefused, person=REPORTER, act="accept", why="already-moved", channel="wecom", phase="accepted"
    )
    assert (answer.person, answer.channel, answer.key) == (REPORTER, "wecom", f"reply:{CASE}:3")
    assert answer.facts["phase"] == "accepted"
    assert "mine" not in answer.facts


@pytest.mark.parametrize(
    ("kind", "more", "settled"),
    [
        (c.CaseOpened, {}, ["resident"]),
        (c.CaseEscalated, {"reason": "accept_timeout", **MOVED}, ["resident"]),
        (c.CaseEscalated, {"reason": "escalated", **MOVED}, ["leader", "resident"]),
        (c.CaseMoved, {"reason": "left", **MOVED}, ["leader", "resident"]),
        (c.CaseAccepted, {"phase": "accepted"}, ["leader", "resident"]),
        (c.CaseResolved, {"phase": "resolved"}, ["leader"]),
        (c.CaseClosed, {"phase": "closed", "how": "confirmed"}, ["leader", "resident"]),
    ],
)
def test_a_question_is_open_while_its_answer_can_do_something(
    kind: type[c.CaseEvent], more: dict[str, Any], settled: list[str]
) -> None:
    assert closes(kind.__name__, fact(kind, **more)) == settled
