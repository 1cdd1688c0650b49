"""What people read (zh-CN): one template per reason, as a text message and as WeChat fields.

Text messages are registered with the provider word for word, so the rules of providers hold for them: no 【】 (the
provider adds the signature), at most 500 characters, no variable next to another, links only as constants, none of the
words commercial channels refuse. `ADDRESS` is registered with them; what is behind it opens by typing a code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ADDRESS = "bd.example.cn"
"""The short address in every text; a deployment registers its own."""

_OPEN_BY_NUMBER = f"打开 {ADDRESS} 输入编号就能看。"
_OPEN_BY_CODE = f"打开 {ADDRESS} 输入${{code}}"

THING, STRING, VARIABLE_LENGTH = 20, 32, 35
"""Most characters WeChat takes in a `thing` and in a `character_string`, and SMS providers in a variable."""

_FIELDS = {
    "category": "事项",
    "number": "编号",
    "place": "地点",
    "when": "时限",
    "holder": "经办",
    "why": "原因",
    "count": "件数",
    "line1": "第一件",
    "line2": "第二件",
    "line3": "第三件",
}


@dataclass(frozen=True)
class Template:
    """`title` heads the WeChat card, `sms` has `${…}` variables, `wechat` maps WeChat's fields to our variables."""

    title: str
    sms: str
    wechat: Mapping[str, str]

    @property
    def card(self) -> str:
        """The card's text as it is registered with WeChat."""
        lines = [f"{_FIELDS[variable]}：{{{{{field}.DATA}}}}" for field, variable in self.wechat.items()]
        return "\n".join([self.title, *lines])


def _card(**extra: str) -> dict[str, str]:
    return {"thing1": "category", "character_string2": "number", **extra}


_PLACE = {"thing3": "place"}
_PLACE_WHEN = {"thing3": "place", "thing4": "when"}
_LIST = {"character_string1": "count", "thing2": "line1", "thing3": "line2", "thing4": "line3"}

TEMPLATES: Mapping[str, Template] = {
    "assigned": Template(
        "有件事等您接",
        "您好，${place}有人报了${category}，编号${number}，${when}要有人接。能办就接下来，办不了就往上报，都行。"
        + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN),
    ),
    "several": Template(
        "又有几件事等您接",
        "您手上又来了${count}件事：${item1}；${item2}；${item3}。能办就接下来，办不了就往上报，都行。"
        + _OPEN_BY_NUMBER,
        _LIST,
    ),
    "reminder-accept": Template(
        "这件事还等着您",
        "提个醒，${place}的${category}（编号${number}）还等着您，${when}没人接就自动转上一级。" + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN),
    ),
    "reminder-resolve": Template(
        "这件事还没办完",
        "提个醒，${place}的${category}（编号${number}）还没办完，${when}没办完就自动转上一级。" + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN),
    ),
    "night": Template(
        "夜里的急事，您知道就行",
        "早上好，夜里${place}有件急事：${category}，编号${number}，已经交给社区值班台，您知道就行。",
        _card(**_PLACE),
    ),
    "unreachable": Template(
        "有人联系不上",
        "${place}的${holder}联系不上，${category}（编号${number}）先跳过了。请补一下他的手机或微信。",
        _card(**_PLACE, thing4="holder"),
    ),
    "emergency": Template(
        "紧急，请马上去看",
        "紧急：${place}报了${category}，编号${number}。请马上去看，人先离开危险的地方，该打119、110、120就先打。",
        _card(**_PLACE),
    ),
    "received": Template(
        "收到了",
        "收到了，您报的是${category}，编号${number}。已经送到${holder}手上，${when}有人接。想看进度，"
        + _OPEN_BY_CODE
        + "。",
        _card(thing3="holder", thing4="when"),
    ),
    "accepted": Template(
        "有人接了",
        "您报的${category}（编号${number}）有人接了，是${holder}，${when}给您回话。想看进度，" + _OPEN_BY_CODE + "。",
        _card(thing3="holder", thing4="when"),
    ),
    "asked": Template(
        "想问您一句",
        "您报的${category}（编号${number}），${holder}想问您一句。" + _OPEN_BY_CODE + "就能看到、能回答。",
        _card(thing3="holder"),
    ),
    "asked-again": Template(
        "还等您一句话",
        "您报的${category}（编号${number}）还等您一句话，知道了才好接着办。" + _OPEN_BY_CODE + "就能回答。",
        _card(),
    ),
    "resolved": Template(
        "说办好了，解决了吗",
        "您报的${category}（编号${number}），${holder}说办好了。解决了吗？" + _OPEN_BY_CODE + "告诉我们一声。",
        _card(thing3="holder"),
    ),
    "still-asking": Template(
        "真的解决了吗",
        "您报的${category}（编号${number}）真的解决了吗？还没听到您说。" + _OPEN_BY_CODE + "，点一下就行。",
        _card(),
    ),
    "supervision": Template(
        "请跟一下这件事",
        "请跟一下：${place}的${category}，编号${number}，${why}，已列入督办。" + _OPEN_BY_NUMBER,
        _card(**_PLACE, thing4="why"),
    ),
    "digest": Template(
        "早上好，夜里的事",
        "早上好，夜里有${count}件事和您有关：${item1}；${item2}；${item3}。" + _OPEN_BY_NUMBER,
        _LIST,
    ),
}


def registered() -> list[tuple[str, str, str]]:
    """Every template as a provider registers it: (provider, our name, text)."""
    return [
        entry
        for name, template in TEMPLATES.items()
        for entry in (("alibaba", name, template.sms), ("wechat", name, template.card))
    ]
