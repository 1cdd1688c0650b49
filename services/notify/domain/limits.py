"""How many messages an address may get: what providers refuse or throw away beyond that is not sent before its time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.domain.policy import Policy


@dataclass(frozen=True)
class Rate:
    """At most `most` in any `span`."""

    most: int
    span: timedelta


WECOM = (Rate(30, timedelta(minutes=1)), Rate(1000, timedelta(hours=1)))
"""Beyond that WeCom throws a member's messages away and says nothing."""


def rates(policy: Policy) -> dict[str, Sequence[Rate]]:
    """Channel → its rates; text messages as the policy says."""
    sms = ((policy.per_minute, timedelta(minutes=1)), (policy.per_day, timedelta(days=1)))
    return {"sms": [Rate(most, span) for most, span in sms if most], "wecom": WECOM}


class Limiter:
    """Remembers what was sent to whom; `sent` holds the times, oldest first."""

    def __init__(
        self, rates: Mapping[str, Sequence[Rate]], now: datetime, sent: Mapping[tuple[UUID, str], Sequence[datetime]]
    ) -> None:
        self._rates = rates
        self._now = now
        self._sent = {key: list(times) for key, times in sent.items()}

    def until(self, person: UUID) -> dict[str, datetime]:
        """Channel → when the next message may go; a channel that is free now is not named."""
        free = {c: max((self._free(person, c, rate) for rate in r), default=self._now) for c, r in self._rates.items()}
        return {channel: at for channel, at in free.items() if at > self._now}

    def _free(self, person: UUID, channel: str, rate: Rate) -> datetime:
        times = self._sent.get((person, channel), ())
        return times[-rate.most] + rate.span if len(times) >= rate.most else self._now

    def count(self, person: UUID, channel: str) -> None:
        """A message goes now."""
        self._sent.setdefault((person, channel), []).append(self._now)
