"""Who is told what: one table, read by the code, the tests and the documentation.

"Left by timeout" has no row: nobody is told whose silence it was. Nor has a whistle that is acknowledged, extended,
disputed, confirmed or withdrawn: who has to know of it looks at it anyway.
"""

from collections.abc import Mapping
from typing import Any

from services.notify.domain.audience import Hold, Row, Who

HOP_OPENS = ("CaseOpened", "CaseEscalated", "CaseMoved", "CaseReopened")
ACCEPTS = ("CaseAccepted", "CaseClaimed")


def _not_own_find(fact: Any) -> bool:
    return not (fact.own and fact.phase == "accepted")


def _handed_up(fact: Any) -> bool:
    return bool(fact.reason == "escalated")


CASE: tuple[Row, ...] = (
    Row(HOP_OPENS, "assigned", Who.HOLDER, "{case}.{hop}", Hold.VOLUNTEER, loud=True, per_hop=True, only=_not_own_find),
    Row(
        ("CaseReminded",),
        "reminder",
        Who.HOLDER,
        "{case}.{hop}:{f.clock}",
        Hold.VOLUNTEER,
        loud=True,
        per_hop=True,
        template="reminder-{f.clock}",
        by="{f.clock}_by",
    ),
    Row(HOP_OPENS, "night", Who.PASSED_OVER, "{case}", Hold.DIGEST, skip="night"),
    Row(HOP_OPENS, "unreachable", Who.COMMUNITY_DESK, "{case}.{hop}", skip="unreachable", per_hop=True),
    Row(("CaseOpened",), "emergency", Who.ALARM, "{case}", loud=True, only=lambda f: f.urgency == "emergency"),
    Row(("CaseOpened",), "received", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT, only=lambda f: not f.own),
    Row(ACCEPTS, "accepted", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT, by="promised_by"),
    Row(("CaseAsked",), "asked", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT),
    Row(("CaseAskReminded",), "asked", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT, template="asked-again"),
    Row(("CaseResolved",), "resolved", Who.REPORTER, "{case}:{seq}", Hold.RESIDENT),
    Row(("CaseStillAsking",), "still-asking", Who.REPORTER, "{case}.{hop}:{day}", Hold.RESIDENT),
    Row(("CaseSupervised",), "supervision", Who.SUPERVISORS, "{case}"),
)

WHISTLE: tuple[Row, ...] = (
    Row(("WhistleBlown",), "whistle", Who.LEAD, "{f.whistle}", loud=True, by="report_in_by"),
    Row(("WhistleBlown",), "whistle", Who.ASSISTING, "{f.whistle}", loud=True, template="whistle-assist"),
    Row(
        ("WhistleDecided",),
        "whistle",
        Who.LEAD,
        "{f.whistle}.{f.lead}",
        loud=True,
        by="report_in_by",
        only=lambda f: f.outcome == "reassign",
    ),
    Row(("WhistleAdded",), "whistle", Who.LEAD, "{f.whistle}+{seq}", template="whistle-added"),
    # Those who were called before have this message already.
    Row(("WhistleAdded",), "whistle", Who.ASSISTING, "{f.whistle}", loud=True, template="whistle-assist"),
    Row(("WhistleReturned",), "whistle-returned", Who.LEAD, "{f.whistle}.{f.returns}", by="result_by"),
    Row(("WhistleOverdue",), "whistle-overdue", Who.LEAD, "{f.whistle}:{seq}"),
    Row(("WhistleReportedIn",), "reported-in", Who.WHISTLER, "{f.whistle}:{seq}", by="result_by"),
    Row(("WhistleResulted",), "result", Who.WHISTLER, "{f.whistle}.{f.returns}", by="confirm_by"),
    Row(("WhistleSupervised",), "supervision", Who.SUPERVISORS, "{f.whistle}:{seq}"),
)

MEETING: tuple[Row, ...] = (
    Row(("MeetingScheduled",), "invitation", Who.SEATS, "{f.meeting}", by="starts"),
    Row(("MeetingMoved",), "moved", Who.SEATS, "{f.meeting}.{f.sequence}", by="starts"),
    Row(("MeetingCancelled",), "cancelled", Who.SEATS, "{f.meeting}", by="starts"),
    Row(("MeetingReminded",), "meeting-reminder", Who.SEATS, "{f.meeting}.{f.sequence}", by="starts"),
    Row(("MeetingHeld",), "meeting-result", Who.SEATS, "{f.meeting}"),
)

REPLY: tuple[Row, ...] = (
    Row(ACCEPTS, "reply", Who.REPLIED, "{case}:{seq}", template="reply-accept", act="accept", by="resolve_by"),
    Row(
        ("CaseEscalated",),
        "reply",
        Who.REPLIED,
        "{case}:{seq}",
        template="reply-escalate",
        act="escalate",
        only=_handed_up,
    ),
    Row(("CaseClosed",), "reply", Who.REPLIED, "{case}:{seq}", template="reply-solved", act="solved"),
    Row(("CaseReopened",), "reply", Who.REPLIED, "{case}:{seq}", template="reply-not_solved", act="not_solved"),
    Row(("CaseReplyRefused",), "reply", Who.ACTOR, "{case}:{seq}", template="reply-refused"),
)
"""What comes of an act by text or button. A button's success shows on its card."""

TABLE: tuple[Row, ...] = CASE + WHISTLE + MEETING + REPLY

_HOP = frozenset({"assigned", "reminder", "accepted", "asked"})
_MEETING = frozenset({"invitation", "moved", "meeting-reminder"})
STALE: Mapping[str, frozenset[str]] = {
    "CaseAccepted": frozenset({"assigned", "reminder"}),
    "CaseClaimed": _HOP,
    "CaseEscalated": _HOP,
    "CaseMoved": _HOP,
    "CaseReplied": frozenset({"asked"}),
    "CaseResolved": _HOP,
    "CaseReopened": _HOP | {"resolved", "still-asking"},
    "CaseClosed": frozenset(row.reason for row in CASE),
    "MeetingMoved": _MEETING,
    "MeetingCancelled": _MEETING,
    "MeetingHeld": _MEETING,
}
"""Event → the reasons that are no longer true after it, so that what still waits for them is dropped."""

RESIDENT_SPOKE = frozenset({"CaseReplied", "CaseReopened"})
"""Events that are the resident's own act."""


def closes(event: str, fact: Any) -> list[str]:
    """Whose questions about a case are settled by its event: a leader's while he could still take the case stays open
    when it climbs by itself, for it is his again until somebody above has accepted it."""
    given_away = event == "CaseMoved" or (event == "CaseEscalated" and _handed_up(fact))
    settled = {"leader": given_away or fact.phase != "assigned", "resident": fact.phase != "resolved"}
    return [asks for asks, settled_now in settled.items() if settled_now]
