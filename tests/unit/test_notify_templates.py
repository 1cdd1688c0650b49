"""What people read keeps the providers' rules."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from services.notify.domain import render
from services.notify.domain.table import TABLE
from services.notify.domain.templates import (
    ADDRESS,
    FIELDS,
    PLAIN,
    TEMPLATES,
    TEXTS,
    VARIABLE_LENGTH,
    Template,
    registered,
)
from shared.contracts.labels import ITEM, category_label

FORBIDDEN = ["党政", "维权", "调解", "积分兑换", "积分领取", "问卷调查", "抽奖", "装修", "慈善募捐"]
FORBIDDEN += ["移动", "联通", "电信", "拒收", "回复R", "【", "】", "http", "www"]
PARAMS = {
    "number": "20261124-00001",
    "category": "FAC.light",
    "label": "路灯楼道灯",
    "place": "和平小区1号楼1单元",
    "level": "micro",
    "holder": "person",
    "by": "2026-11-24T06:30:00+00:00",
    "why": "timeout",
    "department": "城市管理综合执法局",
    "overdue": "supervision",
    "venue": "和平社区协商议事室",
    "kind": "no_agreement",
    "phase": "accepted",
    "most": 10,
    "items": [
        {"number": "20261124-00001", "label": "路灯楼道灯", "reason": reason, "mark": 37} for reason in render.WHAT
    ],
}
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
every_template = pytest.mark.parametrize("name", TEXTS)


def texts(name: str) -> dict[str, str]:
    return render.values(name, PARAMS, code="ABCDEFGHJK", now=NOW, marks={"x": 37})


def finished(name: str) -> str:
    given = texts(name)
    return render.VARIABLE.sub(lambda found: given[found[1]], TEXTS[name])


def card(name: str) -> Template:
    return TEMPLATES[name.removesuffix(PLAIN)]


@every_template
def test_no_text_holds_what_providers_refuse(name: str) -> None:
    assert not [word for word in FORBIDDEN if word in TEXTS[name] + card(name).card]
    assert not re.search(r"1[3-9]\d{9}", TEXTS[name])


@every_template
def test_no_variable_stands_next_to_another(name: str) -> None:
    assert not re.search(r"\$\{\w+}\s*\$\{", TEXTS[name])


@every_template
def test_the_link_is_a_constant(name: str) -> None:
    assert not re.search(r"\$\{(url|link)", TEXTS[name])
    assert TEXTS[name].count(ADDRESS) <= 1


@every_template
def test_every_variable_has_its_text_within_the_limits(name: str) -> None:
    assert len(finished(name)) <= 500
    assert "${" not in finished(name)
    sms = render.fill("sms", name, texts(name))
    assert all(0 < len(value) <= VARIABLE_LENGTH for value in sms.values())
    if PLAIN in name:
        return
    for field, value in render.fill("wechat", name, texts(name)).items():
        assert 0 < len(value) <= (32 if field.startswith("character_string") else 20)
        assert not field.startswith("character_string") or value.isascii()
    lines = render.fill("wecom", name, texts(name))
    assert len(lines) == len(card(name).fields) <= 6
    assert all(len(label) <= 5 and 0 < len(value) <= 26 for label, value in lines.items())


@every_template
def test_nobody_is_shouted_at(name: str) -> None:
    assert not set("！!") & set(TEXTS[name] + card(name).card)


def test_every_row_of_the_table_has_its_template() -> None:
    for row in TABLE:
        clocks = [SimpleNamespace(clock=clock) for clock in ("accept", "resolve")]
        assert {(row.template or row.reason).format(f=clock) for clock in clocks} <= set(TEMPLATES)
    assert {"several", "digest"} <= set(TEMPLATES)


def test_every_text_and_every_card_is_registered() -> None:
    assert [name for provider, name, _ in registered() if provider == "alibaba"] == list(TEXTS)
    cards = {name for provider, name, _ in registered() if provider == "wechat"}
    assert cards == {name for name in TEMPLATES if not name.startswith("reply-")} | {"reply-refused"}


def test_a_card_s_lines_have_names_of_their_own() -> None:
    for template in TEMPLATES.values():
        names = [FIELDS[variable] for variable in template.fields.values()]
        assert len(set(names)) == len(names)


def test_a_question_says_which_digits_answer_it_unless_there_are_none() -> None:
    assert "回137我来办，回237往上报。" in finished("assigned")
    assert "回137是解决了，回237是没解决。" in finished("resolved")
    assert "（37）" in finished("several")
    for name in ("assigned", "reminder-accept", "several", "digest", "resolved", "still-asking"):
        assert not re.search(r"回[12]|短信", finished(name + PLAIN))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"phase": "accepted", "level": "small"}, "楼栋长已经接了，不用您跑了"),
        ({"phase": "accepted", "mine": "yes"}, "您已经接了"),
        ({"phase": "assigned", "level": "community", "holder": "desk"}, "已经转给社区值班台了"),
        ({"phase": "accepted", "act": "not_solved"}, "单元长正在办"),
        ({"phase": "accepted", "act": "report_in"}, "的吹哨已经变了"),
        ({"phase": "closed"}, "已经结了，不用再回"),
    ],
)
def test_a_refusal_says_how_things_stand(params: dict[str, str], words: str) -> None:
    assert words in render.values("reply-refused", PARAMS | params, code="", now=NOW)["standing"]


def test_a_text_says_who_and_until_when() -> None:
    assert finished("received") == (
        "收到了，您报的是路灯楼道灯，编号20261124-00001。已经送到单元长手上，14:30前有人接。"
        f"想看进度，打开 {ADDRESS} 输入ABCDEFGHJK。"
    )


@pytest.mark.parametrize(
    ("by", "spoken"),
    [
        ("2026-11-24T06:30:00+00:00", "14:30前"),
        ("2026-11-25T01:00:00+00:00", "明天9:00前"),
        ("2026-12-01T01:00:00+00:00", "12月1日9:00前"),
        (None, "尽快"),
    ],
)
def test_deadlines_are_spoken_as_people_do(by: str | None, spoken: str) -> None:
    assert render.spoken_deadline(by, NOW) == spoken


def test_a_bundle_lists_its_issues_and_counts_the_rest() -> None:
    items = [{"number": f"N{n}", "label": "漏水", "reason": "assigned"} for n in range(5)]
    given = render.values("several", PARAMS | {"items": items, "most": 3}, code="", now=NOW)
    assert [given[f"item{n}"] for n in (1, 2, 3)] == ["漏水 N0，等您接", "漏水 N1，等您接", "还有3件"]
    two = render.values("several", PARAMS | {"items": items[:2], "most": 3}, code="", now=NOW)
    assert two["item3"] == "就这些"


def test_a_category_nobody_named_is_called_by_its_class() -> None:
    assert category_label("HEAT.radiator") == "供暖"
    assert category_label("NEW.thing") == "其他事情"
    assert all(len(label) <= 6 for label in ITEM.values())
