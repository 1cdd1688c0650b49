"""Who is told of whistles and meetings: every row of the table."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.notify.domain.audience import Hold, Telling, Who, tell
from services.notify.domain.table import STALE, TABLE
from shared.contracts import meeting as m
from shared.contracts import whistle as w

CASE, PLACE, DESK, WHISTLE, MEETING, VENUE, CHAIR, RESIDENT, SEAT = (UUID(int=n) for n in range(1, 10))
SOON = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)


def whistle(kind: type[w.WhistleEvent], **more: Any) -> dict[str, Telling]:
    given: dict[str, Any] = {
        "whistle": WHISTLE,
        "number": "20261124-00001",
        "category": "WAT.leak",
        "place": PLACE,
        "occasion": "demand",
        "state": "blown",
        "lead": "WATER",
        "assisting": ["CITY", "HOUSING"],
        "desk": DESK,
        "report_in_by": SOON,
        "result_by": LATER,
        "confirm_by": LATER,
    }
    return _by_key(kind, given | more, CASE)


def meeting(event: type[m.MeetingEvent], /, **more: Any) -> dict[str, Telling]:
    seats = [
        m.Invited(kind="主持", person=CHAIR),
        m.Invited(kind="物业", person=SEAT, required=True),
        m.Invited(kind="居民", person=RESIDENT),
    ]
    given: dict[str, Any] = {
        "case": CASE,
        "number": "20261124-00001",
        "category": "PARK.block",
        "state": "scheduled",
        "community": PLACE,
        "meeting": MEETING,
        "sequence": 2,
        "venue": VENUE,
        "starts": LATER,
        "ends": LATER,
        "chair": CHAIR,
        "seats": seats,
    }
    return _by_key(event, given | more, CASE)


def _by_key(kind: type[Any], given: dict[str, Any], case: UUID) -> dict[str, Telling]:
    told = tell(TABLE, kind.__name__, kind(**given), case=case, seq=4)
    return {f"{t.key} {t.row.who} {t.person or ''}".strip(): t for t in told}


def test_a_blown_whistle_is_told_to_the_officers_of_lead_and_assisting() -> None:
    told = whistle(w.WhistleBlown)
    lead, assisting = told[f"whistle:{WHISTLE} lead"], told[f"whistle:{WHISTLE} assisting"]
    assert (lead.departments, assisting.departments) == (["WATER"], ["CITY", "HOUSING"])
    assert (lead.template, assisting.template) == ("whistle", "whistle-assist")
    assert {t.hold for t in told.values()} == {Hold.NEVER}, "departments are never held back"
    assert lead.facts["by"] == SOON.isoformat()


def test_only_an_emergency_s_whistle_goes_by_two_channels() -> None:
    assert {t.urgent for t in whistle(w.WhistleBlown).values()} == {False}
    assert {t.urgent for t in whistle(w.WhistleBlown, occasion="emergency").values()} == {True}


def test_a_new_lead_is_told_and_a_dispute_that_changes_nothing_is_not() -> None:
    (new,) = whistle(w.WhistleDecided, outcome="reassign", former_lead="CITY", lead="HOUSING").values()
    assert (new.key, new.departments) == (f"whistle:{WHISTLE}.HOUSING", ["HOUSING"])
    assert whistle(w.WhistleDecided, outcome="upheld", former_lead="WATER") == {}


@pytest.mark.parametrize(
    ("kind", "more", "key", "template", "by"),
    [
        (w.WhistleReturned, {"returns": 1}, f"whistle-returned:{WHISTLE}.1", "whistle-returned", LATER),
        (w.WhistleOverdue, {"overdue": "yellow"}, f"whistle-overdue:{WHISTLE}:4", "whistle-overdue", None),
        (w.WhistleOverdue, {"overdue": "red"}, f"whistle-overdue:{WHISTLE}:4", "whistle-overdue", None),
    ],
)
def test_the_lead_is_told(
    kind: type[w.WhistleEvent], more: dict[str, Any], key: str, template: str, by: datetime | None
) -> None:
    (told,) = whistle(kind, **more).values()
    assert (told.key, told.template, told.row.who, told.departments) == (key, template, Who.LEAD, ["WATER"])
    assert told.facts["by"] == (by and by.isoformat())


def test_an_addition_is_told_to_the_lead_and_to_assisting_departments_that_were_not_called_before() -> None:
    told = whistle(w.WhistleAdded)
    assert told[f"whistle:{WHISTLE}+4 lead"].template == "whistle-added"
    assert told[f"whistle:{WHISTLE} assisting"].template == "whistle-assist"
    assert f"whistle:{WHISTLE} assisting" in whistle(w.WhistleBlown), "the key they have already"


@pytest.mark.parametrize(
    ("kind", "more", "key"),
    [
        (w.WhistleReportedIn, {}, f"reported-in:{WHISTLE}:4"),
        (w.WhistleResulted, {"returns": 1}, f"result:{WHISTLE}.1"),
    ],
)
def test_the_whistling_desk_is_told(kind: type[w.WhistleEvent], more: dict[str, Any], key: str) -> None:
    (told,) = whistle(kind, **more).values()
    assert (told.key, told.row.who, told.grid, told.hold) == (key, Who.WHISTLER, DESK, Hold.NEVER)
    assert told.facts["department"] == "WATER"


@pytest.mark.parametrize("why", ["report_in", "unconfirmed"])
def test_supervision_of_a_whistle_tells_the_district_s_desk_and_the_level_s(why: str) -> None:
    (told,) = whistle(w.WhistleSupervised, why=why).values()
    assert (told.key, told.row.who, told.grid) == (f"supervision:{WHISTLE}:4", Who.SUPERVISORS, DESK)
    assert told.facts["why"] == why


@pytest.mark.parametrize(
    "kind", [w.WhistleAcknowledged, w.WhistleConfirmed, w.WhistleWithdrawn, w.WhistleExtended, w.WhistleDisputed]
)
def test_nobody_is_told_of_what_has_no_row(kind: type[w.WhistleEvent]) -> None:
    assert whistle(kind) == {}


@pytest.mark.parametrize(
    ("kind", "more", "key"),
    [
        (m.MeetingScheduled, {}, f"invitation:{MEETING}"),
        (m.MeetingMoved, {}, f"moved:{MEETING}.2"),
        (m.MeetingCancelled, {}, f"cancelled:{MEETING}"),
        (m.MeetingReminded, {}, f"meeting-reminder:{MEETING}.2"),
        (m.MeetingHeld, {"kind": "resolution"}, f"meeting-result:{MEETING}"),
    ],
)
def test_everybody_with_a_seat_is_told_once_of_a_meeting(
    kind: type[m.MeetingEvent], more: dict[str, Any], key: str
) -> None:
    told = list(meeting(kind, **more).values())
    assert {t.key for t in told} == {key}
    assert {t.person: t.hold for t in told} == {CHAIR: Hold.NEVER, SEAT: Hold.VOLUNTEER, RESIDENT: Hold.VOLUNTEER}
    assert {t.case for t in told} == {CASE}, "the messages are about the case"
    assert {t.place for t in told} == {PLACE}
    assert {t.facts["venue"] for t in told} == {str(VENUE)}


def test_who_sits_on_two_chairs_is_told_once() -> None:
    seats = [m.Invited(kind="物业", person=SEAT), m.Invited(kind="居民", person=SEAT)]
    assert len(meeting(m.MeetingScheduled, seats=seats)) == 2


def test_a_meeting_that_moved_or_fell_drops_what_still_waits() -> None:
    for event in ("MeetingMoved", "MeetingCancelled", "MeetingHeld"):
        assert STALE[event] == {"invitation", "moved", "meeting-reminder"}


def test_a_case_that_is_closed_drops_nothing_of_a_meeting() -> None:
    assert {"assigned", "received", "resolved"} <= STALE["CaseClosed"]
    assert STALE["CaseClosed"].isdisjoint({"meeting-result", "whistle", "reply"})
