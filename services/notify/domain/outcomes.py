"""What a provider's error means for us, as data. The actions are our judgement; the codes are the providers'."""

from collections.abc import Mapping
from enum import StrEnum

UNANSWERED = "unanswered"
"""Our own code: asked for its status, the provider does not know the message."""
UNSENT = "unsent"
"""Our own code: the process that was to make the call died, and the provider does not know the message. The provider
has had no chance, so it does not count as a try."""
NEVER_KNOWN = "never-known"
"""Our own code: the end of a call can no longer be found out; the next channel, and the operator."""
UNREACHABLE = "unreachable"
"""Our own code: no connection to the provider, so that nothing can have been sent."""


class Action(StrEnum):
    """What is done after a channel's refusal."""

    RETRY = "retry"
    """The same channel again after a pause, at most `tries` times in all."""
    NEW_TOKEN = "new_token"  # noqa: S105  (an action's name)
    """A new token and the same call, once; the channel does it itself."""
    LATER = "later"
    """Too many for this address: the next channel, or the same one later."""
    DROP_ADDRESS = "drop_address"
    """The address is dead: the next channel, and never this address again."""
    DROP_CONSENT = "drop_consent"
    """No consent for this template: the next channel, and never this template by this channel."""
    STOP = "stop"
    """Our template is wrong: no channel will do better."""
    OPERATOR = "operator"
    """Our account is in trouble: the next channel, and the operator is told."""


_ALIBABA: Mapping[Action, tuple[str, ...]] = {
    Action.RETRY: ("SYSTEM_ERROR", UNANSWERED, UNSENT, UNREACHABLE),
    Action.LATER: ("BUSINESS_LIMIT_CONTROL",),
    Action.DROP_ADDRESS: ("MOBILE_NUMBER_ILLEGAL", "receipt"),
    Action.STOP: (
        "TEMPLATE_MISSING_PARAMETERS",
        "INVALID_JSON_PARAM",
        "PARAM_LENGTH_LIMIT",
        "PARAM_NOT_SUPPORT_URL",
        "BLACK_KEY_CONTROL_LIMIT",
    ),
    Action.OPERATOR: (
        "OUT_OF_SERVICE",
        "AMOUNT_NOT_ENOUGH",
        "ACCOUNT_ABNORMAL",
        "DAY_LIMIT_CONTROL",
        "MONTH_LIMIT_CONTROL",
        "SMS_SIGNATURE_ILLEGAL",
        "SMS_TEMPLATE_ILLEGAL",
        "RAM_PERMISSION_DENY",
        "DENY_IP_RANGE",
    ),
}
_WECHAT: Mapping[Action, tuple[str, ...]] = {
    Action.RETRY: ("-1", "45011", UNANSWERED, UNREACHABLE),
    Action.NEW_TOKEN: ("40001", "40014", "42001"),
    Action.DROP_CONSENT: ("43101",),
    Action.DROP_ADDRESS: ("40003", "43004", "50005"),
    Action.STOP: ("40037", "47003"),
    Action.OPERATOR: ("40164", "45009", "48001", "48004", "50002"),
}
_WECOM: Mapping[Action, tuple[str, ...]] = {
    Action.RETRY: ("-1", "45033", UNREACHABLE),
    Action.NEW_TOKEN: ("40014", "42001"),
    Action.DROP_ADDRESS: ("60111", "81013", "82001", "43004", "invaliduser", "unlicenseduser"),
    Action.STOP: ("40058", "45002"),
    Action.OPERATOR: ("40001", "40056", "45009", "48002", "50003", "60011", "60020"),
}
OUTCOMES: Mapping[str, Mapping[str, Action]] = {
    provider: {code: action for action, codes in table.items() for code in codes}
    for provider, table in (("alibaba", _ALIBABA), ("wechat", _WECHAT), ("wecom", _WECOM))
}


def action_for(provider: str, code: str) -> Action:
    """The action for a refusal. An unknown code, or a token refused twice, goes to the operator.

    A failed receipt comes as `receipt:CODE`.
    """
    known = "receipt" if code.startswith("receipt:") else code.removeprefix("isv.").removeprefix("isp.")
    action = OUTCOMES[provider].get(known, Action.OPERATOR)
    return Action.OPERATOR if action is Action.NEW_TOKEN else action
