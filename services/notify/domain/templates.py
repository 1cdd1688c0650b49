"""What people read (zh-CN): one template per reason, as a text message and as the fields of a card.

Text messages are registered with the provider word for word, so the rules of providers hold for them: no 【】 (the
provider adds the signature), at most 500 characters, no variable next to another, links only as constants, none of the
words commercial channels refuse. `ADDRESS` is registered with them; what is behind it opens by typing a code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ADDRESS = "bd.example.cn"
"""The short address in every text; a deployment registers its own."""

_OPEN_BY_NUMBER = f"打开 {ADDRESS} 输入编号就能看。"
_OPEN_BY_CODE = f"打开 {ADDRESS} 输入${{code}}"

THING, STRING, VARIABLE_LENGTH, WECOM_LENGTH = 20, 32, 35, 26
"""Most characters WeChat takes in a `thing` and in a `character_string`, SMS providers in a variable, and WeCom shows
in a card's line."""
LIST_MOST = 10
"""Questions that the answer to an unclear text lists one by one."""


class Ask(StrEnum):
    """Whom a message asks for an act."""

    LEADER = "leader"
    RESIDENT = "resident"
    OFFICER = "officer"


BUTTONS: Mapping[Ask, Mapping[str, str]] = {
    Ask.LEADER: {"accept": "我来办", "escalate": "往上报"},
    Ask.RESIDENT: {"solved": "解决了", "not_solved": "没解决"},
    Ask.OFFICER: {"acknowledge": "收到", "report_in": "已到场"},
}
"""The acts a message asks for, with the words of their buttons; by text the first is 1 and the second 2."""
BY_TEXT = (Ask.LEADER, Ask.RESIDENT)
"""Who may act by a digit. Departments have buttons and pages."""

_LEADER_REPLY = "回1${mark}我来办，回2${mark}往上报。"
_RESIDENT_REPLY = "回1${mark}是解决了，回2${mark}是没解决。"
_LEADER_LIST_REPLY = "回1我来办，回2往上报，后面加括号里的两位数。"
_LIST_REPLY = "要回话的，回1是行，回2是不行，后面加括号里的两位数。"
_REPLIES = (_LEADER_REPLY, _RESIDENT_REPLY, _LEADER_LIST_REPLY, _LIST_REPLY)
PLAIN = "-plain"
"""Ends the name of a text without the words about digits: nobody can answer it by one."""

FIELDS = {
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
    "department": "牵头",
    "overdue": "情况",
    "start": "时间",
    "venue": "在哪儿开",
    "outcome": "结果",
    "standing": "情况",
    "alarm": "情况",
    "due": "件数",
    "minutes": "分钟",
}
"""What a card calls our variables; WeCom shows five characters."""


@dataclass(frozen=True)
class Template:
    """`title` heads the card, `sms` has `${…}` variables, `fields` maps WeChat's names of fields to our variables;
    without fields there is no card, only the text."""

    title: str
    sms: str
    fields: Mapping[str, str]
    asks: Ask | None = None

    @property
    def buttons(self) -> Mapping[str, str]:
        """Acts with the words of their buttons."""
        return BUTTONS[self.asks] if self.asks else {}

    def left(self, act: str) -> Mapping[str, str]:
        """The buttons that can still be pressed after one was: a department says 收到 and later 已到场, everybody else
        chooses."""
        acts = list(self.buttons)
        later = acts[acts.index(act) + 1 :] if self.asks is Ask.OFFICER else []
        return {name: self.buttons[name] for name in later}

    @property
    def card(self) -> str:
        """The card's text as it is registered with WeChat."""
        lines = [f"{FIELDS[variable]}：{{{{{field}.DATA}}}}" for field, variable in self.fields.items()]
        return "\n".join([self.title, *lines])

    @property
    def plain(self) -> str:
        """The text without the words about digits."""
        text = self.sms
        for words in _REPLIES:
            text = text.replace(words, "")
        return text


def _card(**extra: str) -> dict[str, str]:
    return {"thing1": "category", "character_string2": "number", **extra}


_PLACE = {"thing3": "place"}
_PLACE_WHEN = {"thing3": "place", "thing4": "when"}
_LIST = {"character_string1": "count", "thing2": "line1", "thing3": "line2", "thing4": "line3"}
_LEAD = {**_PLACE, "thing4": "department"}
_MEETING = {"thing3": "start", "thing4": "venue"}

_CASE = {
    "assigned": Template(
        "有件事等您接",
        "您好，${place}有人报了${category}，编号${number}，${when}要有人接。能办就接下来，办不了就往上报，都行。"
        + _LEADER_REPLY
        + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN),
        Ask.LEADER,
    ),
    "several": Template(
        "又有几件事等您接",
        "您手上又来了${count}件事：${item1}；${item2}；${item3}。能办就接下来，办不了就往上报，都行。"
        + _LEADER_LIST_REPLY
        + _OPEN_BY_NUMBER,
        _LIST,
    ),
    "reminder-accept": Template(
        "这件事还等着您",
        "提个醒，${place}的${category}（编号${number}）还等着您，${when}没人接就自动转上一级。"
        + _LEADER_REPLY
        + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN),
        Ask.LEADER,
    ),
    "reminder-resolve": Template(
        "快到时间了",
        "提个醒，${place}的${category}（编号${number}）${when}要办好，办不完就自动转上一级。" + _OPEN_BY_NUMBER,
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
        "您报的${category}（编号${number}），${holder}说办好了。解决了吗？"
        + _RESIDENT_REPLY
        + _OPEN_BY_CODE
        + "能看到怎么办的。",
        _card(thing3="holder"),
        Ask.RESIDENT,
    ),
    "still-asking": Template(
        "真的解决了吗",
        "您报的${category}（编号${number}）真的解决了吗？还没听到您说。"
        + _RESIDENT_REPLY
        + _OPEN_BY_CODE
        + "，点一下也行。",
        _card(),
        Ask.RESIDENT,
    ),
    "supervision": Template(
        "请跟一下这件事",
        "请跟一下：${place}的${category}，编号${number}，${why}，已列入督办。" + _OPEN_BY_NUMBER,
        _card(**_PLACE, thing4="why"),
    ),
    "alarm": Template(
        "系统可能停了，请马上看",
        "有${due}件事到点没动，最久的已经${minutes}分钟，系统可能停了。请马上打电话给管理员。",
        {"thing1": "alarm", "thing2": "due", "thing3": "minutes"},
    ),
    "digest": Template(
        "早上好，夜里的事",
        "早上好，夜里有${count}件事和您有关：${item1}；${item2}；${item3}。" + _LIST_REPLY + _OPEN_BY_NUMBER,
        _LIST,
    ),
}

_WHISTLE = {
    "whistle": Template(
        "吹哨，请来现场",
        "吹哨：${place}的${category}（编号${number}）请${department}牵头来办，${when}要有人到场。到了说一声就行，不用拍照。"
        + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN, thing5="department"),
        Ask.OFFICER,
    ),
    "whistle-assist": Template(
        "吹哨，请配合",
        "吹哨：${place}的${category}（编号${number}）由${department}牵头，请你们配合，他们会来联系。" + _OPEN_BY_NUMBER,
        _card(**_LEAD),
    ),
    "whistle-added": Template(
        "同一个地方又有人报",
        "${place}的${category}（编号${number}）又有人报，并进了这次吹哨，请${department}一起办。" + _OPEN_BY_NUMBER,
        _card(**_LEAD),
    ),
    "whistle-returned": Template(
        "还没办好，请再办一次",
        "${place}的${category}（编号${number}）社区去看过，还没办好，请${department}再办一次，${when}给个结果。"
        + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN),
    ),
    "whistle-overdue": Template(
        "还在等人到场",
        "${place}的${category}（编号${number}）还在等${department}到场，${overdue}。到了说一声就行。" + _OPEN_BY_NUMBER,
        _card(**_PLACE, thing4="overdue"),
        Ask.OFFICER,
    ),
    "reported-in": Template(
        "部门到场了",
        "${department}到场了：${place}的${category}，编号${number}，${when}给结果。" + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN, thing5="department"),
    ),
    "result": Template(
        "部门说办好了",
        "${department}说办好了：${place}的${category}，编号${number}。请去看一眼，${when}确认或者退回。"
        + _OPEN_BY_NUMBER,
        _card(**_PLACE_WHEN, thing5="department"),
    ),
}

_MEETINGS = {
    "invitation": Template(
        "请您来商量一件事",
        "请您来商量${place}的${category}，编号${number}：${start}，在${venue}。来不来，打开 "
        + ADDRESS
        + " 输入编号回一声。",
        _card(**_MEETING),
    ),
    "moved": Template(
        "商量事的时间改了",
        "商量${place}的${category}（编号${number}），改到${start}，在${venue}。来不来，打开 "
        + ADDRESS
        + " 输入编号回一声。",
        _card(**_MEETING),
    ),
    "cancelled": Template(
        "这次不开了",
        "原来定在${start}商量的${category}（编号${number}），这次不开了，您不用来。",
        _card(thing3="start"),
    ),
    "meeting-reminder": Template(
        "别忘了来商量",
        "别忘了，${start}在${venue}商量${category}（编号${number}）。进门签个到。",
        _card(**_MEETING),
    ),
    "meeting-result": Template(
        "商量的事有结果了",
        "${place}商量的${category}（编号${number}）有结果了，${outcome}。" + _OPEN_BY_NUMBER,
        _card(thing3="outcome"),
    ),
}

_ANSWERS = {
    "reply-accept": Template(
        "归您了", "好，${place}的${category}（编号${number}）归您了，${when}办好就行。办不了随时往上报。", {}
    ),
    "reply-escalate": Template("转上去了", "好，${category}（编号${number}）已经转给${holder}，不用您管了。", {}),
    "reply-solved": Template("这件事就结了", "谢谢您，${category}（编号${number}）这件事就结了。", {}),
    "reply-not_solved": Template(
        "接着办", "知道了，${category}（编号${number}）已经转给${holder}，${when}有人接。", {}
    ),
    "reply-refused": Template(
        "这一下没有动",
        "${category}（编号${number}）${standing}。您这一条没有改动什么。",
        _card(thing3="standing"),
    ),
    "reply-none": Template("没有等您回的", "现在没有等您回的事。有新的会告诉您。", {}),
    "reply-junk": Template(
        "没看懂", "没看懂您的话。要回哪件事，就回1或2，后面加上短信里的两位数；现在什么都没有改动。", {}
    ),
}
_ITEMS = ["；".join(f"${{item{n}}}" for n in range(1, size + 1)) for size in range(1, LIST_MOST + 1)]
_WHICH = {
    f"reply-which-{size}": Template(
        "说的是哪一件",
        "您这一条没有改动什么，不知道说的是哪一件。请在1或2后面加上括号里的两位数再发：" + items + "。",
        {},
    )
    for size, items in enumerate(_ITEMS, start=1)
}

TEMPLATES: Mapping[str, Template] = _CASE | _WHISTLE | _MEETINGS | _ANSWERS | _WHICH
TEXTS: Mapping[str, str] = {name: template.sms for name, template in TEMPLATES.items()} | {
    name + PLAIN: template.plain for name, template in TEMPLATES.items() if template.plain != template.sms
}
"""Every text message by its name."""


def registered() -> list[tuple[str, str, str]]:
    """Every template as a provider registers it: (provider, our name, text)."""
    cards = [("wechat", name, template.card) for name, template in TEMPLATES.items() if template.fields]
    return [("alibaba", name, text) for name, text in TEXTS.items()] + cards
