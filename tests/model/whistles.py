"""A plain model of whistles and of the cases they are blown from: what the rules say, without SQL and without speed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.model.calendar import due
from tests.model.plain import DESKS, WD, C, Case, H, path

OFFICERS = {"P030": "WATER", "P031": "WATER", "P032": "CITY", "P033": "HOUSING"}
TERMS = {
    "emergency": (("natural", H / 2), ("natural", 24 * H)),
    "enforcement": (("natural", 24 * H), ("workday", 5 * WD)),
    "demand": (("workday", 2 * WD), ("workday", 5 * WD)),
    "key_work": (("workday", 3 * WD), ("workday", 15 * WD)),
}
CONFIRM, DECIDE, REST = ("workday", 2 * WD), ("workday", WD), 4 * H
ADDITION = timedelta(days=7)
BLOWS_FROM = {"P003": C, "P004": C, "P002": "150902-01"}
DRAFTS = {"P010"}
COLOURS = ("yellow", "red", "supervision")
OPEN = ("blown", "acknowledged", "reported_in", "result")


def due_by(term: tuple[str, timedelta], now: datetime) -> datetime:
    calendar, length = term
    return due(calendar, now, length)


@dataclass
class Blown(Case):
    """A case that whistles and topics may hold."""

    name: str = ""
    topic: str | None = None

    @property
    def is_open(self) -> bool:
        return self.phase in ("assigned", "accepted")

    def take(self, desk: str, now: datetime) -> None:
        """Whoever blows takes the case, and its clock stops."""
        if not (self.on_hold == "whistle" and self.holder == desk):
            rank = next(rank for rank, grid in path(self.place).items() if grid == desk)
            self.go("claimed", "taken", 0, 0, now, to=(rank, desk), accepted=True, clocks=self.noes < 3)
        self.hold("whistle", now)

    def hold(self, why: str, now: datetime) -> None:
        if not self.is_open or self.on_hold == why:
            return
        for clock in (self.accept, self.resolve):
            if clock:
                clock.pause(now)
        self.on_hold, self.wait_by, self.nags = why, None, []
        self.version += 1
        self.kinds.append("held")

    def release(self, now: datetime) -> None:
        """The rest of the term, at least four hours of it."""
        if self.resolve:
            self.resolve.left = max(self.resolve.left, REST)
        self.resume(now, "released")

    def blower(self, who: str) -> str | None:
        """The desk he may blow from, or draft for; after the third "no" only the one that holds the case acts."""
        if self.noes >= 3:
            return self.holder if BLOWS_FROM.get(who) == self.holder else None
        return C if who in DRAFTS else BLOWS_FROM.get(who)


@dataclass
class Whistle:
    """One whistle, blown from `case`; `cases` are that one and those added to it."""

    case: Blown
    occasion: str
    lead: str
    assisting: list[str]
    desk: str
    state: str
    cases: list[Blown]
    version: int = 1
    blown_at: datetime | None = None
    since: datetime | None = None
    """When the lead's clock, or the whistler's, last started."""
    stages: list[datetime] = field(default_factory=list)
    """When the running term of the lead turns yellow, red, and is supervised."""
    report_in_by: datetime | None = None
    result_by: datetime | None = None
    confirm_by: datetime | None = None
    decide_by: datetime | None = None
    overdue: str | None = None
    disputed: bool = False
    dispute_used: bool = False
    transfers: int = 0
    extended: bool = False
    returns: int = 0
    reported_in: bool = False
    rated: set[str] = field(default_factory=set)
    supervised: str | None = None
    kinds: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def tell(self, *kinds: str) -> None:
        self.kinds += kinds

    # -- clocks -------------------------------------------------------------------------------------------
    def start(self, which: int, now: datetime, stages: tuple[float, ...]) -> datetime:
        """Fresh terms of the lead: nothing is overdue, and nobody has to look after it any more."""
        calendar, term = TERMS[self.occasion][which]
        self.stages = [due(calendar, now, term * stage) for stage in stages]
        self.overdue = self.supervised = None
        return self.stages[0]

    def start_report_in(self, now: datetime) -> None:
        self.state, self.blown_at = "blown", now
        self.report_in_by = self.start(0, now, (1, 1.5, 2))
        self.version += 1

    def start_result(self, now: datetime) -> None:
        self.state, self.confirm_by = "reported_in", None
        self.result_by = self.start(1, now, (1, 1.5))
        self.version += 1

    def tick(self, now: datetime) -> None:
        if self.state == "result":
            if self.supervised is None and self.confirm_by and self.confirm_by <= now:
                self.supervised = "unconfirmed"
                self.tell("supervised")
            return
        late = [colour for colour, at in zip(COLOURS, self.stages, strict=False) if at <= now]
        if not self.is_open or not late or late[-1] == self.overdue:
            return
        self.overdue = late[-1]
        self.tell("overdue")
        if self.overdue == "supervision":
            self.supervised = "report_in"
            self.tell("supervised")

    def ahead(self) -> list[datetime]:
        """When something about it changes by the clock."""
        addition = [self.blown_at + ADDITION] if self.blown_at else []
        return self.stages + addition + [at for at in (self.report_in_by, self.confirm_by) if at]

    # -- who may ------------------------------------------------------------------------------------------
    def sees(self, who: str) -> bool:
        if who in ("command", "admin", "auditor", "arbiter"):
            return True
        if OFFICERS.get(who) in (self.lead, *self.assisting) and self.state != "draft":
            return True
        if who in DESKS[self.desk]:
            return True
        complained_of = self.case.about_leader and who in self.case.recused
        posts = set(self.case.district.posts_of(who)) & set(path(self.case.place).values())
        return bool(posts) and not complained_of

    def sides(self, who: str) -> set[str]:
        found = set()
        if OFFICERS.get(who) == self.lead:
            found.add("lead")
        if who in DESKS[self.desk] or who == "command":
            found.add("desk")
        if who == "arbiter":
            found.add("arbiter")
        return found

    def allows(self, act: str, side: str, now: datetime) -> bool:
        """Whether the rules let this side do it now."""
        fresh = self.state in ("blown", "acknowledged")
        match act, side:
            case "send", "desk":
                return self.state == "draft"
            case "acknowledge", "lead":
                return self.state == "blown"
            case "report-in", "lead":
                return fresh
            case "result", "lead":
                return self.state == "reported_in"
            case "confirm", "desk":
                return self.state == "result"
            case "return", "desk":
                return self.state == "result" and self.returns < 2
            case "withdraw", "desk":
                return self.is_open or self.state == "draft"
            case "dispute", "lead":
                in_time = self.report_in_by is not None and now <= self.report_in_by
                return fresh and in_time and not self.dispute_used and self.transfers < 2
            case "decide", "arbiter":
                return self.disputed and (fresh or self.state == "reported_in")
            case "extend", "lead":
                return self.state == "reported_in" and not self.extended
            case "rate", "lead" | "desk":
                return self.state == "confirmed" and side not in self.rated
        return False

    def can(self, who: str, now: datetime) -> list[str]:
        return [act for act in ACTS if any(self.allows(act, side, now) for side in self.sides(who))]


ACTS = {
    "send": "desk",
    "acknowledge": "lead",
    "report-in": "lead",
    "result": "lead",
    "confirm": "desk",
    "return": "desk",
    "withdraw": "desk",
    "dispute": "lead",
    "decide": "arbiter",
    "extend": "lead",
    "rate": "lead desk",
}


@dataclass
class Town:
    """All cases and whistles of a test."""

    cases: dict[str, Blown] = field(default_factory=dict)
    whistles: list[Whistle] = field(default_factory=list)

    # -- blowing --------------------------------------------------------------------------------------------
    def first(self, case: Blown, lead: str, now: datetime) -> Whistle | None:
        """The one that a second for the same place and department is added to."""
        same = [w for w in self.whistles if w.is_open and w.lead == lead and w.case.place == case.place]
        young = [w for w in same if w.blown_at and w.blown_at > now - ADDITION]
        return min(young, key=lambda w: w.blown_at or now, default=None)

    def blow(self, case: Blown, who: str, occasion: str, lead: str, assisting: list[str], now: datetime) -> Whistle:
        """Returns the whistle one gets: a new one, a draft, or the first one."""
        desk = case.blower(who)
        assert desk
        if who not in DRAFTS and (first := self.first(case, lead, now)):
            self.add(first, case, desk, assisting, now)
            return first
        whistle = Whistle(case, occasion, lead, assisting, desk, "draft", [case])
        self.whistles.append(whistle)
        if who in DRAFTS:
            whistle.kinds.append("drafted")
        else:
            self.sound(whistle, now)
        return whistle

    def add(self, first: Whistle, case: Blown, desk: str, assisting: list[str], now: datetime) -> None:
        if case not in first.cases:
            first.cases.append(case)
        first.assisting = first.assisting + [code for code in assisting if code not in (first.lead, *first.assisting)]
        case.take(desk, now)
        first.tell("added")

    def sound(self, whistle: Whistle, now: datetime) -> None:
        whistle.case.take(whistle.desk, now)
        whistle.start_report_in(now)
        whistle.tell("blown")

    def may_send(self, draft: Whistle) -> bool:
        case = draft.case
        free = case.is_open and case.on_hold in (None, "reporter", "whistle")
        return free and (case.noes < 3 or case.holder == draft.desk)

    def send(self, draft: Whistle, now: datetime) -> Whistle:
        """A draft sent while the same was blown by somebody else joins it."""
        if first := self.first(draft.case, draft.lead, now):
            draft.state = "withdrawn"
            draft.version += 1
            self.add(first, draft.case, draft.desk, draft.assisting, now)
            return first
        self.sound(draft, now)
        return draft

    # -- ending -----------------------------------------------------------------------------------------------
    def end(self, whistle: Whistle, state: str, now: datetime) -> None:
        was_heard = whistle.is_open
        whistle.state = state
        whistle.version += 1
        if was_heard:
            whistle.tell(state)
        for case in whistle.cases:
            if case.on_hold == "whistle":
                self.release(case, now)

    def release(self, case: Blown, now: datetime) -> None:
        """Unless another whistle, or a topic, still holds it."""
        if not case.is_open or any(case in w.cases for w in self.whistles if w.is_open):
            return
        if case.topic:
            case.hold("deliberation", now)
        else:
            case.release(now)

    def case_is_over(self, case: Blown, now: datetime) -> None:
        """A department is needed no more once no case is left that it was called for."""
        for whistle in self.whistles:
            called = whistle.is_open or whistle.state == "draft"
            if called and case in whistle.cases and not any(c.is_open for c in whistle.cases):
                self.end(whistle, "withdrawn", now)

    # -- topics -----------------------------------------------------------------------------------------------
    def screen(self, case: Blown, topic: str, now: datetime) -> None:
        if case.is_open:
            case.topic = topic
            if case.on_hold in (None, "reporter"):
                case.hold("deliberation", now)

    def topic_over(self, case: Blown, topic: str, now: datetime) -> None:
        if case.topic == topic:
            case.topic = None
            if case.on_hold == "deliberation":
                self.release(case, now)

    def supervision(self) -> list[tuple[str, str]]:
        """(index of the whistle, why) of what should be on the list."""
        return [(str(n), w.supervised) for n, w in enumerate(self.whistles) if w.supervised and w.is_open]
