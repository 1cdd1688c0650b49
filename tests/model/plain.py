"""A plain model of one case: what the rules say, in the words of the rules, without SQL and without speed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.model.calendar import CHINA, due, open_time

C = "150902-01-01"
PARENTS = {
    "150902-01": "150902",
    C: "150902-01",
    "150902-01-02": "150902-01",
    f"{C}-L1": C,
    f"{C}-L2": C,
    f"{C}-L1-M1": f"{C}-L1",
    f"{C}-L1-M2": f"{C}-L1",
    f"{C}-L1-M1-S1": f"{C}-L1-M1",
    f"{C}-L1-M1-S2": f"{C}-L1-M1",
    f"{C}-L1-M2-S1": f"{C}-L1-M2",
    f"{C}-L1-M1-S1-U1": f"{C}-L1-M1-S1",
    f"{C}-L1-M1-S1-U2": f"{C}-L1-M1-S1",
    f"{C}-L1-M1-S1-U3": f"{C}-L1-M1-S1",
    f"{C}-L1-M1-S2-U1": f"{C}-L1-M1-S2",
    f"{C}-L1-M1-S2-U2": f"{C}-L1-M1-S2",
    f"{C}-L1-M2-S1-U1": f"{C}-L1-M2-S1",
}
RANKS = {"150902": 7, "150902-01": 6, C: 5, "150902-01-02": 5}
DESKS = {"150902": ["P001"], "150902-01": ["P002"], C: ["P003", "P004"], "150902-01-02": ["P006"]}
POSTS = {
    (f"{C}-L1", "leader"): "P010",
    (f"{C}-L1-M1", "leader"): "P012",
    (f"{C}-L1-M1", "party"): "P013",
    (f"{C}-L1-M1-S1", "leader"): "P014",
    (f"{C}-L1-M1-S1", "party"): "P015",
    (f"{C}-L1-M1-S1-U1", "leader"): "P016",
    (f"{C}-L1-M1-S1-U1", "party"): "P017",
    (f"{C}-L1-M1-S1-U2", "leader"): "P018",
    (f"{C}-L1-M1-S2", "party"): "P020",
    (f"{C}-L1-M1-S2-U1", "leader"): "P020",
    (f"{C}-L1-M1-S2-U2", "leader"): "P021",
    (f"{C}-L1-M2-S1", "leader"): "P022",
    (f"{C}-L1-M2-S1-U1", "leader"): "P023",
}
BOUND = {f"{C}-L1-M1-S1-U1": "P046"}
UNREACHABLE = {"P021"}
H = timedelta(hours=1)
WD = timedelta(days=1)
TERMS: dict[str, dict[int, tuple[tuple[str, timedelta] | None, tuple[str, timedelta] | None]]] = {
    "ordinary": {
        1: (("volunteer", 4 * H), ("volunteer", 24 * H)),
        2: (("volunteer", 4 * H), ("volunteer", 24 * H)),
        3: (("volunteer", 8 * H), ("volunteer", 48 * H)),
        4: (("volunteer", 8 * H), ("volunteer", 48 * H)),
        5: (("workday", WD), ("workday", 3 * WD)),
        6: (("workday", WD), ("workday", 3 * WD)),
    },
    "urgent": {
        1: (("natural", H / 2), ("natural", 2 * H)),
        2: (("natural", H / 2), ("natural", 4 * H)),
        3: (("natural", H), ("natural", 8 * H)),
        4: (("natural", H), ("natural", 12 * H)),
        5: (("natural", 2 * H), ("natural", 24 * H)),
        6: (("natural", 2 * H), ("natural", 24 * H)),
    },
    "emergency": {4: (("natural", H / 4), None), 5: (("natural", H / 4), None), 6: (("natural", H / 4), None)},
}
TOTAL = {"ordinary": timedelta(days=7), "urgent": timedelta(hours=24), "emergency": timedelta(hours=2)}


def rank_of(grid: str) -> int:
    return RANKS.get(grid) or {"L": 4, "M": 3, "S": 2, "U": 1}[grid.rsplit("-", 1)[1][0]]


def path(place: str) -> dict[int, str]:
    found, grid = {}, place
    while grid:
        found[rank_of(grid)] = grid
        grid = PARENTS.get(grid, "")
    return found


@dataclass
class District:
    """Who holds which post now, and who is away (for the whole test, with a stand-in or without)."""

    posts: dict[tuple[str, str], str] = field(default_factory=lambda: dict(POSTS))
    away: dict[str, str | None] = field(default_factory=dict)

    def posts_of(self, person: str) -> list[str]:
        desks = [grid for grid, people in DESKS.items() if person in people]
        secretary = [C] if person == "P005" else []
        return [grid for (grid, _), who in self.posts.items() if who == person] + desks + secretary


@dataclass
class Clock:
    calendar: str
    since: datetime
    left: timedelta
    term: timedelta
    by: datetime | None
    remind: datetime | None

    @classmethod
    def start(cls, term: tuple[str, timedelta] | None, now: datetime) -> "Clock | None":
        if term is None:
            return None
        calendar, length = term
        return cls(calendar, now, length, length, due(calendar, now, length), due(calendar, now, length * 3 / 4))

    def pause(self, now: datetime) -> None:
        if self.by is not None:
            self.left = max(timedelta(0), self.left - open_time(self.calendar, self.since, now))
        self.by = self.remind = None

    def resume(self, now: datetime) -> None:
        self.since = now
        self.by = due(self.calendar, now, self.left)
        early = self.left - self.term / 4
        self.remind = due(self.calendar, now, early) if early > timedelta(0) else None


@dataclass
class Hop:
    rank: int
    holder: str | None
    ended_by: str | None = None
    skipped: str | None = None


@dataclass
class Case:
    """One case. `holder` is a person's number or a desk's grid code."""

    place: str
    urgency: str
    reporter: str
    about_leader: bool
    opened: datetime
    district: District
    recused: set[str] = field(default_factory=set)
    phase: str = "assigned"
    on_hold: str | None = None
    closed_how: str | None = None
    closed_at: datetime | None = None
    rank: int = 0
    holder: str = ""
    bound: bool = False
    own: bool = False
    hops: list[Hop] = field(default_factory=list)
    passed: list[tuple[str, int]] = field(default_factory=list)
    accept: Clock | None = None
    resolve: Clock | None = None
    wait_by: datetime | None = None
    nags: list[datetime] = field(default_factory=list)
    noes: int = 0
    reopened_at: int = 0
    supervised: bool = False
    listed: bool = False
    version: int = 0
    kinds: list[str] = field(default_factory=list)

    # -- the ladder -------------------------------------------------------------------------------------
    def candidates(self, grid: str) -> list[str]:
        found = [self.district.posts[grid, kind] for kind in ("leader", "party") if (grid, kind) in self.district.posts]
        return found + ([grid] if grid in DESKS else [])

    def why_not(self, candidate: str, rank: int, top: int) -> tuple[str, str | None]:
        """(who would have it, why he cannot)."""
        if candidate in DESKS:
            complained_of = self.about_leader and candidate == self.place and rank < top
            return candidate, "recused" if complained_of else None
        who, away = candidate, False
        if candidate in self.district.away:
            who = self.district.away[candidate] or candidate
            away = self.district.away[candidate] is None or who in self.district.away
            if away:
                return who, "absent"
        reason = None
        if who in UNREACHABLE:
            reason = "unreachable"
        elif who in self.recused:
            reason = "recused"
        elif any(person == who and held < rank for person, held in self.passed):
            reason = "same_person"
        return who, "absent" if reason and candidate in self.district.away else reason

    def pick(self, first: int, top: int, now: datetime) -> tuple[list[Hop], tuple[int, str] | None]:
        """The skipped levels and who is next, or nobody."""
        skipped = []
        hour = now.astimezone(CHINA).hour
        night = self.urgency == "urgent" and (hour >= 22 or hour < 7)
        for rank in range(first, top + 1):
            grid = path(self.place).get(rank)
            if grid is None:
                continue
            tried = [self.why_not(candidate, rank, top) for candidate in self.candidates(grid)]
            fit = next((who for who, reason in tried if reason is None), None)
            if fit is not None and not (night and rank < 5):
                return skipped, (rank, fit)
            reason = "night" if fit is not None else tried[0][1] if tried else "vacant"
            skipped.append(Hop(rank, None, None, reason))
        return [], None

    def go(
        self,
        kind: str,
        why: str,
        first: int,
        top: int,
        now: datetime,
        *,
        clocks: bool = True,
        to: tuple[int, str] | None = None,
        accepted: bool = False,
    ) -> None:
        """A new hop, or, if nobody is there, the supervision list."""
        passed = [(self.holder, self.rank)] if self.holder and self.holder not in DESKS else []
        self.passed += passed
        skipped, taken = ([], to) if to else self.pick(first, top, now)
        if taken is None:
            self.passed = self.passed[: len(self.passed) - len(passed)]
            self.accept = self.resolve = None
            self.supervised = True
            self.kinds.append("supervised")
            return
        if self.hops and self.hops[-1].ended_by is None and self.hops[-1].skipped is None:
            self.hops[-1].ended_by = why
        self.rank, self.holder = taken
        self.hops += [*skipped, Hop(self.rank, self.holder)]
        self.phase, self.on_hold = ("accepted" if accepted else "assigned"), None
        self.closed_how = self.closed_at = self.wait_by = None
        self.nags = []
        terms = TERMS[self.urgency].get(self.rank, (None, None)) if clocks else (None, None)
        self.accept = None if accepted else Clock.start(terms[0], now)
        self.resolve = Clock.start(terms[1], now)
        self.bound = False
        self.version += 1
        self.kinds.append(kind)

    # -- what happens ---------------------------------------------------------------------------------------
    def tick(self, now: datetime) -> None:
        """Everything that is due by now, in the order in which the rules want it."""
        for _ in range(4):
            if any(clock and clock.by and clock.by <= now for clock in (self.accept, self.resolve)):
                accept = self.accept is not None and self.accept.by is not None and self.accept.by <= now
                self.go("escalated", "accept_timeout" if accept else "resolve_timeout", self.rank + 1, 5, now)
            for clock in (self.accept, self.resolve):
                if clock and clock.remind and clock.remind <= now and clock.by and clock.by > now:
                    clock.remind = None
                    self.kinds.append("reminded")
            if self.nags and self.nags[0] <= now and self.wait_by and self.wait_by > now:
                self.nags = [at for at in self.nags if at > now]
                self.kinds.append("still-asking" if self.phase == "resolved" else "ask-reminded")
            if self.wait_by and self.wait_by <= now:
                if self.phase == "resolved":
                    self.close("unanswered", "resolved", now)
                else:
                    self.resume(now)
            promised = self.opened + TOTAL[self.urgency]
            if promised <= now and not self.listed and self.phase in ("assigned", "accepted"):
                self.listed = self.supervised = True
                self.kinds.append("supervised")

    def resume(self, now: datetime, kind: str = "replied") -> None:
        self.on_hold, self.wait_by, self.nags = None, None, []
        for clock in (self.accept, self.resolve):
            if clock:
                clock.resume(now)
        self.version += 1
        self.kinds.append(kind)

    def close(self, how: str, ended_by: str, now: datetime) -> None:
        if self.hops[-1].ended_by is None:
            self.hops[-1].ended_by = ended_by
        self.phase, self.on_hold, self.closed_how, self.closed_at = "closed", None, how, now
        self.accept = self.resolve = self.wait_by = None
        self.nags = []
        self.version += 1
        self.kinds.append("closed")

    def taken_up(self) -> None:
        self.phase, self.accept = "accepted", None
        self.version += 1
        self.kinds.append("accepted")

    def resolved(self, now: datetime) -> None:
        self.hops[-1].ended_by = "resolved"
        self.phase, self.on_hold = "resolved", None
        self.accept = self.resolve = None
        self.wait_by, self.nags = now + timedelta(days=7), [now + timedelta(days=3), now + timedelta(days=6)]
        self.version += 1
        self.kinds.append("resolved")

    def ask(self, now: datetime) -> None:
        for clock in (self.accept, self.resolve):
            if clock:
                clock.pause(now)
        self.on_hold = "reporter"
        self.wait_by, self.nags = now + timedelta(days=5), [now + timedelta(days=3)]
        self.version += 1
        self.kinds.append("asked")

    def say_no(self, now: datetime) -> None:
        self.noes += 1
        self.reopened_at = len(self.hops)
        if self.noes >= 3:
            self.go("reopened", "resolved", min(max(self.rank + 1, 5), 7), 7, now, clocks=False)
        elif self.rank >= 6:
            self.go("reopened", "resolved", self.rank, self.rank, now)
        else:
            self.go("reopened", "resolved", self.rank + 1, 6 if self.rank >= 5 else 5, now)
            return
        self.supervised = True
        self.kinds.append("supervised")

    def holder_left(self) -> bool:
        """Whether the holder has no post there any more, as leader, party post or stand-in."""
        if self.holder in DESKS or self.bound or self.phase not in ("assigned", "accepted"):
            return False
        people = self.candidates(path(self.place)[self.rank])
        return self.holder not in people and self.holder not in [self.district.away.get(who) for who in people]

    # -- who may ----------------------------------------------------------------------------------------------
    def holds(self, person: str) -> bool:
        return person == self.holder or person in DESKS.get(self.holder, [])

    def held(self, person: str) -> list[Hop]:
        return [h for h in self.hops if h.holder and (h.holder == person or person in DESKS.get(h.holder, []))]

    def is_bound(self, person: str) -> bool:
        return any(BOUND.get(grid) == person for grid in path(self.place).values())

    def sees(self, person: str) -> bool:
        if self.holds(person) or self.held(person):
            return True
        covered = [who for who, stand_in in self.district.away.items() if stand_in == person]
        grids = {grid for who in (person, *covered) for grid in self.district.posts_of(who)}
        if self.about_leader and person != self.reporter and (person in self.recused or self.place in grids):
            return False
        above = grids & set(path(self.place).values())
        return bool(above) or self.is_bound(person) or person == self.reporter

    def claims(self, person: str) -> tuple[int, str] | None:
        """The place a person may take it back to."""
        if self.noes >= 3 or self.holds(person):
            return None
        for number in range(len(self.hops) - 1, -1, -1):
            hop = self.hops[number]
            handed_on = hop.ended_by in ("escalated", "accept_timeout", "resolve_timeout")
            if number >= self.reopened_at and handed_on and any(hop is mine for mine in self.held(person)):
                return hop.rank, str(hop.holder)
        if self.is_bound(person) and person not in self.recused:
            rank = next(r for r, grid in sorted(path(self.place).items()) if BOUND.get(grid) == person)
            return rank, person
        return None
