"""What notify tells about messages, each about one issue."""

from uuid import UUID

from shared.contracts.base import Contract, contract


class MessageEvent(Contract):
    """Who was to be told what, and why. `channel` is the one the news is about; `hop` is None for messages that are
    not about one."""

    message: UUID
    person: UUID
    reason: str
    channel: str | None = None
    hop: int | None = None


@contract("message", "notify.message.delivered.v1")
class MessageDelivered(MessageEvent):
    """A receipt said that it arrived."""


@contract("message", "notify.message.failed.v1")
class MessageFailed(MessageEvent):
    """No channel took it: nobody was told."""


@contract("message", "notify.message.replied.v1")
class MessageReplied(MessageEvent):
    """The person answered the message, by a text (its `mark` said which case, or only one question was open) or by a
    button. Routing acts on it once, as that person; what it cannot do it tells as CaseReplyRefused."""

    case: UUID
    act: str
    """accept (我来办: also a claim), escalate, solved, not_solved; of a whistle: acknowledge, report_in."""
    mark: int | None = None
    whistle: UUID | None = None
