"""What a text from a telephone means."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.replies import Act, Over, Question, Said, Which, decide, read
from services.notify.domain.templates import Ask


def question(mark: int, *, open_: bool = True, asks: Ask = Ask.LEADER) -> Question:
    return Question(mark, UUID(int=mark), asks, open_, UUID(int=1000 + mark), "assigned", 1, {})


A, B, OLD = question(37), question(74), question(21, open_=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", Said(1, None)),
        (" 2\n", Said(2, None)),
        ("137", Said(1, 37)),
        ("2 74", Said(2, 74)),
        ("１３７", Said(1, 37)),
        ("回137", Said(1, 37)),
        ("回复 1，37。", Said(1, 37)),
        ("1-37", Said(1, 37)),
    ],
)
def test_a_digit_and_a_mark_are_read_however_they_are_typed(text: str, said: Said) -> None:
    assert read(text) == said


@pytest.mark.parametrize("text", ["", "3", "11", "13", "1374", "好的", "我在1楼", "一", "0", "337", "1 1 1 1"])
def test_anything_else_means_nothing(text: str) -> None:
    assert read(text) is None


@given(st.text(max_size=20))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    said = read(text)
    assert said is None or (said.digit in (1, 2) and said.mark in (None, *range(100)))


def test_a_digit_alone_counts_while_one_question_is_open() -> None:
    assert decide(Said(1, None), [OLD, A]) == Act(A, "accept")
    assert decide(Said(2, None), [A]) == Act(A, "escalate")


def test_a_resident_s_digits_say_solved_or_not() -> None:
    mine = question(40, asks=Ask.RESIDENT)
    assert [decide(Said(n, None), [mine]) for n in (1, 2)] == [Act(mine, "solved"), Act(mine, "not_solved")]


def test_case_14_a_digit_alone_with_two_open_questions_does_nothing_and_lists_both() -> None:
    assert decide(Said(1, None), [A, OLD, B]) == Which([A, B])


def test_a_mark_says_which_also_when_the_question_is_settled() -> None:
    assert decide(Said(1, 74), [A, OLD, B]) == Act(B, "accept")
    assert decide(Said(1, 21), [A, OLD, B]) == Act(OLD, "accept"), (
        "whether that can still be done is for routing to say"
    )


def test_a_mark_that_means_nothing_does_nothing_even_with_one_question_open() -> None:
    assert decide(Said(1, 99), [A]) == Which([A])
    assert decide(Said(1, 99), [OLD]) == Which([OLD])


def test_case_14_a_digit_alone_about_something_settled_is_refused() -> None:
    assert decide(Said(1, None), [OLD]) == Over(OLD, "accept")
    other = question(22, open_=False)
    assert decide(Said(1, None), [OLD, other]) == Which([OLD, other])


def test_whoever_was_never_asked_is_told_so() -> None:
    assert decide(Said(1, None), []) is None


@given(
    st.sampled_from([1, 2]),
    st.one_of(st.none(), st.integers(0, 99)),
    st.lists(st.tuples(st.integers(10, 99), st.booleans()), unique_by=lambda each: each[0], max_size=6),
)
def test_a_text_never_acts_on_a_case_it_did_not_mean(
    digit: int, mark: int | None, asked: list[tuple[int, bool]]
) -> None:
    questions = [question(number, open_=is_open) for number, is_open in asked]
    step = decide(Said(digit, mark), questions)
    if isinstance(step, Act):
        waiting = [number for number, is_open in asked if is_open]
        assert step.question.mark == mark if mark is not None else waiting == [step.question.mark]
