"""What the providers refuse in a message, with their own codes."""

import re
from collections.abc import Mapping

import orjson

PHONE = re.compile(r"1[3-9]\d{9}")
SMS_VARIABLE = re.compile(r"\$\{(\w+)}")
CARD_FIELD = re.compile(r"\{\{(\w+)\.DATA}}")
SMS_LENGTH = 35
CARD_LENGTHS = {"thing": 20, "character_string": 32, "phrase": 5}
REFUSED_WORDS = ("党政", "维权", "调解", "积分兑换", "积分领取", "问卷调查", "抽奖", "装修", "慈善募捐")


class Refusal(Exception):
    """The provider will not take the message; the argument is its code."""

    @property
    def code(self) -> str:
        return str(self.args[0])


def fill_sms(template: str, parameters: str) -> tuple[dict[str, str], str]:
    """The parameters and the finished text. Raises Refusal."""
    try:
        values = orjson.loads(parameters)
        given = {str(name): str(value) for name, value in values.items()}
    except (ValueError, AttributeError):
        raise Refusal("isv.INVALID_JSON_PARAM") from None
    if any(not given.get(name) for name in SMS_VARIABLE.findall(template)):
        raise Refusal("isv.TEMPLATE_MISSING_PARAMETERS")
    if any("://" in value for value in given.values()):
        raise Refusal("isv.PARAM_NOT_SUPPORT_URL")
    if any(len(value) > SMS_LENGTH for value in given.values()):
        raise Refusal("isv.PARAM_LENGTH_LIMIT")
    if any(word in value for value in given.values() for word in REFUSED_WORDS):
        raise Refusal("isv.BLACK_KEY_CONTROL_LIMIT")
    return given, SMS_VARIABLE.sub(lambda found: given[found[1]], template)


def fill_card(template: str, data: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], str]:
    """The fields and the finished card. Raises Refusal."""
    given = {name: str(field.get("value", "")) for name, field in data.items()}
    for name in CARD_FIELD.findall(template):
        limit = CARD_LENGTHS.get(name.rstrip("0123456789"))
        if not given.get(name) or limit is None or len(given[name]) > limit:
            raise Refusal("47003")
    return given, CARD_FIELD.sub(lambda found: given[found[1]], template)
