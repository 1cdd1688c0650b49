"""Deliberation's rules without a database: seats, hours, weeks, states, policy, the notice and the door."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.deliberation.domain import states
from services.deliberation.domain.notice import Notice, compose
from services.deliberation.domain.openings import CHINA, Window, common, parse_opening, week_bounds
from services.deliberation.domain.seats import Standing, fill
from services.deliberation.domain.states import ACTS, State, allows, can
from services.deliberation.door import door_code, opens_door
from services.deliberation.policy import BadPolicy, load
from shared.keys import Keys

STANDING = load("default").seats.six
KINDS = [each.kind for each in STANDING]
CHAIR, RESIDENT, *OTHERS = [UUID(int=n) for n in range(40)]


# -- seats ----------------------------------------------------------------------------------------------------
def everybody() -> dict[str, list[UUID]]:
    return {kind: [OTHERS[2 * n], OTHERS[2 * n + 1]] for n, kind in enumerate([*KINDS, "法律援助", "HOUSING"])}


def test_the_six_are_seated_after_the_chair_and_the_resident() -> None:
    seats = fill(STANDING, everybody(), CHAIR, RESIDENT, ["法律援助", "HOUSING", "居民", "物业", "没有人"])
    assert [(seat.kind, seat.required) for seat in seats] == [
        ("主持", False),
        ("居民", False),
        *((kind, True) for kind in KINDS),
        ("法律援助", False),
        ("HOUSING", False),
    ]
    assert [seat.person for seat in seats[2:]] == [people[0] for people in everybody().values()]


def test_a_kind_with_nobody_has_a_named_substitute() -> None:
    people = {**everybody(), "业委会": []}
    seats = {seat.kind: seat for seat in fill(STANDING, people, CHAIR, RESIDENT, [])}
    assert (seats["业委会"].person, seats["业委会"].filled_by) == (people["居民自治组织"][1], "居民自治组织")
    assert seats["居民自治组织"].filled_by is None


def test_a_kind_without_people_and_substitutes_has_no_seat() -> None:
    people = {"居民自治组织": [OTHERS[0]]}
    seats = fill([Standing("居民自治组织"), Standing("业委会", ("居民自治组织",))], people, CHAIR, None, [])
    assert [seat.kind for seat in seats] == ["主持", "居民自治组织"]


def test_a_secretary_who_reported_it_herself_sits_once() -> None:
    assert [seat.kind for seat in fill([], {}, CHAIR, CHAIR, [])] == ["主持"]


@given(
    people=st.dictionaries(st.sampled_from([*KINDS, "法律援助"]), st.lists(st.sampled_from(OTHERS[:8]), max_size=4)),
    resident=st.sampled_from([None, RESIDENT, CHAIR, *OTHERS[:3]]),
    called=st.lists(st.sampled_from(["法律援助", "居民", *KINDS])),
)
def test_nobody_sits_twice_and_no_kind_has_two_seats(
    people: dict[str, list[UUID]], resident: UUID | None, called: list[str]
) -> None:
    seats = fill(STANDING, people, CHAIR, resident, called)
    assert len({seat.person for seat in seats}) == len(seats)
    assert len({seat.kind for seat in seats}) == len(seats)
    for seat in seats[2:]:
        assert seat.person in people[seat.filled_by or seat.kind]


# -- hours ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "days", "opens", "closes"),
    [
        ("周一至周日 08:30-20:30", [1, 2, 3, 4, 5, 6, 7], 510, 1230),
        ("周三 00:00-24:00", [3], 0, 1440),
        ("周六至周一 09:00-12:00", [6, 7, 1], 540, 720),
    ],
)
def test_opening_hours_are_read_as_windows(text: str, days: list[int], opens: int, closes: int) -> None:
    assert parse_opening(text) == [Window(day, opens, closes) for day in days]


@pytest.mark.parametrize("text", ["", "周一", "周八 08:00-09:00", "周一 09:00-08:00", "周一 08:00-25:00", "全天"])
def test_what_are_no_opening_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"周|closes"):
        parse_opening(text)


def test_a_meeting_may_be_when_the_room_is_open_and_the_policy_allows_it() -> None:
    allowed = parse_opening("周五至周六 18:00-21:00")
    assert common(parse_opening("周一至周五 08:30-20:30"), allowed) == [Window(5, 1080, 1230)]
    assert common(parse_opening("周一至周五 08:30-17:30"), allowed) == []


def test_a_week_begins_on_monday_in_china() -> None:
    monday, end = week_bounds("2026-W49")
    assert (monday, end - monday) == (datetime(2026, 11, 30, tzinfo=CHINA), timedelta(days=7))
    assert week_bounds("2026-W53")[0] == datetime(2026, 12, 28, tzinfo=CHINA)
    for text in ("2027-W53", "2026-W00", "2026-49", "W49", ""):
        with pytest.raises(ValueError, match="week"):
            week_bounds(text)


# -- states -----------------------------------------------------------------------------------------------------
def test_every_state_can_be_reached_and_every_end_is_an_end() -> None:
    reached = {act.then for act in ACTS.values()}
    assert reached - {None} == set(states.STATES)
    ends = set(states.STATES) - states.OPEN
    assert all(not act.states & ends for act in ACTS.values())
    assert set(states.MEETING) == {state for state in states.STATES if state not in ("proposed", "screened", "refused")}


def test_every_way_out_of_the_hold_is_an_end() -> None:
    for act in ACTS.values():
        if act.states & states.ON_HOLD and act.then not in (None, *states.ON_HOLD):
            assert act.then in ("done", "withdrawn")


def test_a_meeting_opens_only_when_its_time_has_come() -> None:
    assert not allows("open", State("scheduled"))
    assert allows("open", State("scheduled", started=True))
    assert "open" in can(State("scheduled", started=True), ["chair"])


def test_a_meeting_is_postponed_only_while_moves_are_left() -> None:
    assert not allows("postpone", State("scheduled", moves_left=0))
    assert can(State("scheduled", moves_left=1), ["chair"]) == ["postpone", "check-in"]
    assert can(State("scheduled", moves_left=1), []) == []


# -- policy -----------------------------------------------------------------------------------------------------
def test_the_default_policy_has_the_terms_of_the_rules() -> None:
    policy = load("default")
    assert (policy.screening, policy.notice_for("ordinary"), policy.notice_for("urgent")) == (
        timedelta(days=3),
        timedelta(days=3),
        timedelta(hours=2),
    )
    assert (policy.seats.quorum, policy.postponements) == (4, 2)
    assert policy.windows("周一 08:00-12:00") == [Window(1, 510, 720)]


def test_the_demonstration_is_quick_and_at_any_time_of_day() -> None:
    policy = load("demo")
    quick = (policy.screening, policy.notice, policy.slot, policy.raster, policy.reminder)
    assert [span.total_seconds() for span in quick] == [24, 6, 4, 2, 4]
    assert policy.windows("周一 08:00-12:00") == [Window(day, 0, 1440) for day in range(1, 8)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"notice": "soon"}, "notice"),
        ({"notice": "0d"}, "notice"),
        ({"more": 1}, "more"),
        ({"hours": {"from": "09:00", "until": "10:00", "days": "周一"}}, "no slot fits"),
        ({"hours": {"from": "21:00", "until": "09:00", "days": "周一"}}, "closes"),
        ({"seats": "nobody"}, "nobody.yaml"),
        ({"seats": {"quorum": 7, "standing": [{"kind": "物业"}]}}, "quorum"),
        ({"seats": {"quorum": 1, "standing": [{"kind": "物业"}, {"kind": "物业"}]}}, "twice"),
        ({"seats": {"quorum": 1, "standing": [{"kind": "物业", "substitutes": ["保安"]}]}}, "保安"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_as_a_whole(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    body = yaml.safe_load((Path(states.__file__).parents[1] / "policies" / "default.yaml").read_text())
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**body, **change}))
    with pytest.raises(BadPolicy, match=why):
        load(path)


def test_a_policy_that_was_saved_is_read_back_as_it_was() -> None:
    for name in ("default", "demo"):
        policy = load(name)
        assert type(policy).model_validate(policy.model_dump(mode="json", by_alias=True)) == policy


# -- the notice, the door -----------------------------------------------------------------------------------------
def test_the_notice_says_what_when_where_and_what_came_of_it() -> None:
    starts = datetime(2026, 12, 1, 19, 0, tzinfo=CHINA)
    notice = Notice(
        community="和平社区",
        title="楼道灯归谁修",
        category="路灯楼道灯",
        venue="和平小区议事厅",
        starts=starts,
        ends=starts + timedelta(hours=2),
        kinds=["主持", "物业", "物业"],
        cancelled=False,
        outcome="resolution",
        result="物业一周内换灯",
        tasks=[("换灯", "1号楼", starts + timedelta(days=7))],
    )
    assert compose(notice) == (
        "和平社区议事公示\n\n议题：楼道灯归谁修（路灯楼道灯）\n时间：2026年12月1日 周二 19:00—21:00\n"
        "地点：和平小区议事厅\n参加：主持、物业\n\n结果：形成决议\n物业一周内换灯\n  1. 换灯——1号楼，12月8日前\n"
    )


def test_a_moved_meeting_has_another_code_at_the_door() -> None:
    keys, meeting = Keys(b"k" * 32), uuid4()
    codes = [door_code(keys, meeting, sequence) for sequence in range(4)]
    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert len(set(codes)) == 4
    assert opens_door(keys, meeting, 1, f" {codes[1]} ")
    assert not opens_door(keys, meeting, 1, codes[0])
    assert not opens_door(keys, meeting, 1, "１２３")
