"""What to do next with a message, read off the history of its attempts. The history decides; nothing else is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.notify.domain.outcomes import UNSENT, Action, action_for
from services.notify.domain.policy import Policy

LIMIT_PAUSE = timedelta(minutes=1)
"""How long a provider's "too many for this number" lasts."""

PROVIDERS = {"sms": "alibaba", "wechat": "wechat", "wecom": "wecom"}
"""Channel → the provider that serves it."""

State = Literal["sending", "unknown", "sent", "delivered", "failed"]


@dataclass(frozen=True)
class Attempt:
    """One try by one channel. `error` is the provider's code; `receipt_by`: until when it is worth waiting."""

    channel: str
    n: int
    state: State
    error: str | None
    at: datetime
    receipt_by: datetime | None


@dataclass(frozen=True)
class Send:
    """Try these channels now; the number says which try of that channel it is."""

    channels: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Wait:
    """Nothing to do before `until`; None: an answer or a receipt will wake it, or nothing more can be done."""

    until: datetime | None


@dataclass(frozen=True)
class GiveUp:
    """Every channel refused, or our template is wrong."""


Step = Send | Wait | GiveUp


@dataclass(frozen=True)
class Standing:
    """How a channel stands with a message: `open` may be tried from `since` on, `live` is worth waiting for until
    `since`, `silent` was sent and never heard of, `refused` is used up, `stop` ends the message."""

    name: str
    status: Literal["open", "live", "silent", "refused", "stop"]
    tries: int = 0
    since: datetime | None = None
    limited: bool = False
    """It waits for a frequency limit: a free channel is better than that."""

    def waits(self, now: datetime) -> bool:
        return self.status == "open" and self.since is not None and self.since > now


def next_step(
    channels: Sequence[str],
    history: Sequence[Attempt],
    *,
    urgent: bool,
    policy: Policy,
    now: datetime,
    limits: Mapping[str, datetime] | None = None,
) -> Step:
    """`channels`: the person's working channels, in order; `limits`: channel → when our own frequency rule allows
    the next message. An urgent message has two channels under way at once.

    Silence opens the next channel but is no failure: with no channel left the message stays sent.
    """
    used = [*channels, *sorted({attempt.channel for attempt in history} - set(channels))]
    standings = [
        _limit(_standing(name, [a for a in history if a.channel == name], policy, now), (limits or {}).get(name))
        for name in used
    ]
    if any(s.status == "stop" for s in standings):
        return GiveUp()
    pending = [s for s in standings if s.status == "live" or s.waits(now)]
    room = (2 if urgent else 1) - sum(not s.limited for s in pending)
    ready = [s for s in standings if s.name in channels and s.status == "open" and not s.waits(now)]
    if ready and room > 0:
        return Send(tuple((s.name, s.tries + 1) for s in ready[:room]))
    if pending:
        return Wait(min((s.since for s in pending if s.since), default=None))
    return Wait(None) if any(s.status == "silent" for s in standings) else GiveUp()


def _standing(name: str, tries: Sequence[Attempt], policy: Policy, now: datetime) -> Standing:
    if not tries:
        return Standing(name, "open")
    last = max(tries, key=lambda attempt: attempt.n)
    if last.state == "failed":
        return _refused(name, last, tries, policy)
    if last.state != "delivered" and last.receipt_by is not None and last.receipt_by <= now:
        return Standing(name, "silent")
    return Standing(name, "live", since=last.receipt_by)


def _refused(name: str, last: Attempt, tries: Sequence[Attempt], policy: Policy) -> Standing:
    action = action_for(PROVIDERS[name], last.error or "")
    if action is Action.STOP:
        return Standing(name, "stop")
    counted = sum(attempt.error != UNSENT for attempt in tries)
    if action not in (Action.RETRY, Action.LATER) or counted >= policy.tries:
        return Standing(name, "refused")
    limited = action is Action.LATER
    return Standing(name, "open", len(tries), last.at + (LIMIT_PAUSE if limited else policy.pause), limited)


def _limit(standing: Standing, until: datetime | None) -> Standing:
    if until is None or standing.status != "open":
        return standing
    since = max(until, standing.since) if standing.since else until
    return Standing(standing.name, "open", standing.tries, since, limited=True)
