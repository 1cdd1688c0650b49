"""Personal data in the words is pointed out before they are sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.words import find_hints


def hinted(words: str) -> list[tuple[str, str]]:
    return [(hint.kind, words[hint.start : hint.end]) for hint in find_hints(words)]


def test_case_31_name_phone_and_door_number_in_the_words_are_pointed_out() -> None:
    words = "我叫王小明，住3号楼2单元502，电话13912345678，厨房漏水"
    assert hinted(words) == [("name", "王小明"), ("door", "3号楼2单元502"), ("phone", "13912345678")]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("联系电话一三九 1234 5678", ("phone", "一三九 1234 5678")),
        ("打０１３９１２３４５６７试试 １３９１２３４５６７８", ("phone", "１３９１２３４５６７８")),
        ("固话0474-8123456", ("phone", "0474-8123456")),
        ("三号楼一单元四零二漏水", ("door", "三号楼一单元四零二")),
        ("3-2-502暖气不热", ("door", "3-2-502")),
        ("502室天天吵", ("door", "502室")),
        ("河东2排3号积雪", ("door", "2排3号")),
        ("请找欧阳娜女士", ("name", "欧阳娜女士")),
        ("楼上李师傅装修", ("name", "李师傅")),
        ("老张家天天半夜吵", ("name", "老张")),
    ],
)
def test_each_way_of_writing_it_is_recognised(words: str, found: tuple[str, str]) -> None:
    assert found in hinted(words)


@pytest.mark.parametrize(
    "words",
    [
        "楼道灯不亮了",
        "5号楼停水，一二三单元都没水",
        "小区有1200户数没有暖气",
        "下午2点到4点没有电",
        "订单号2024112412345678901",
    ],
)
def test_plain_words_are_left_alone(words: str) -> None:
    assert hinted(words) == []


@given(st.text(max_size=200))
def test_hints_lie_inside_the_words_in_order_without_overlaps(words: str) -> None:
    end = 0
    for hint in find_hints(words):
        assert end <= hint.start < hint.end <= len(words)
        end = hint.end
