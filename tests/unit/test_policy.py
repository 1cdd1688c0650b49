"""A policy's text: read with its lines, refused as a whole, and never anything but refused."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.routing.domain.terms import Term
from services.routing.policy import BadPolicy, load, parse, parse_text, read_source
from shared.problems import FieldError

DEFAULT = read_source("default")


def errors(source: str) -> list[tuple[str, int | None]]:
    with pytest.raises(BadPolicy) as caught:
        parse_text(source)
    return [(".".join(map(str, error.loc)), error.line) for error in caught.value.errors]


@pytest.mark.parametrize("name", ["default", "demo"])
def test_a_shipped_policy_is_whole_and_comes_back_equal_from_what_is_kept_of_it(name: str) -> None:
    policy = load(name)
    assert parse(policy.body()).id == policy.id


def test_what_a_file_does_not_name_is_the_bases() -> None:
    mine = parse_text("name: mine\nbase: default\nreopen: 20d\n")
    assert {**mine.body(), "name": "default", "reopen": "30d"} == load("default").body()


@pytest.mark.parametrize("level", ["micro", "small", "middle", "large", "community"])
@pytest.mark.parametrize("which", ["accept", "resolve"])
def test_every_level_has_a_term_to_accept_and_to_resolve(which: str, level: str) -> None:
    body = load("default").body()
    del body["urgencies"]["complex"][which][level]
    with pytest.raises(BadPolicy) as caught:
        parse(body)
    assert [error.loc for error in caught.value.errors] == [("urgencies", "complex", which, level)]


def test_an_emergency_needs_no_term_to_resolve_but_if_it_has_one_it_has_all() -> None:
    body = load("default").body()
    body["urgencies"]["emergency"]["resolve"] = {"large": "2h"}
    with pytest.raises(BadPolicy) as caught:
        parse(body)
    assert [error.loc for error in caught.value.errors] == [("urgencies", "emergency", "resolve", "community")]


def test_below_where_an_items_cases_start_no_term_is_needed() -> None:
    """BLD.illegal starts at community."""
    terms = {"accept": {"community": "1h"}, "resolve": {"community": "2h"}, "total": "1d"}
    body = {**load("default").body(), "categories": {"BLD.illegal": terms}}
    assert parse(body).term_of("BLD.illegal", "complex") == "BLD.illegal"


def test_a_working_day_is_a_whole_one() -> None:
    """Else one `wd` would be three days of eight hours."""
    source = DEFAULT.replace('workday: {hours: "00:00-24:00"', 'workday: {hours: "09:00-17:00"')
    assert errors(source) == [("calendars.workday", 8)]


def test_working_days_need_their_calendar() -> None:
    found = errors(DEFAULT.replace('  workday: {hours: "00:00-24:00", days: working}\n', ""))
    assert ("urgencies.ordinary.accept.community", 26) in found
    assert ("whistle.confirm", 54) in found
    assert "supervision.review" in dict(found)


def test_open_hours_that_need_years_are_too_long_though_natural_ones_would_not_be() -> None:
    """3,000 hours of an office are a year and a half."""
    source = DEFAULT.replace("community: 1wd}", "community: 3000h}", 1)
    assert errors(source) == [("urgencies.ordinary.accept.community", 27)]
    assert parse_text(source.replace("upper: office", "upper: natural", 1)).name == "default"


@pytest.mark.parametrize("bomb", ["a: &a [1]\nb: *a\n", "[" * 50_000, "{" * 50_000, "a: !!python/name:os.system x\n"])
def test_what_is_no_plain_yaml_is_refused(bomb: str) -> None:
    assert [loc for loc, _ in errors(bomb)] == [""]


@pytest.mark.parametrize("value", ["1/0", "0", "-1", "1e999999999", "nan", "1/3/4", "٣"])
def test_a_pace_that_is_no_length_is_refused(value: str) -> None:
    source = f"name: x\nbase: demo\npace: {{s: '{value}', min: 1, h: 1, wd: 8, d: 24, floor: 2}}\n"
    assert errors(source) == [("pace.s", 3)]


@given(st.fractions(min_value=Fraction(1, 1000), max_value=999_999).map(lambda n: round(n, 3)), st.sampled_from("smhd"))
def test_a_term_is_read_back_as_it_is_written(amount: Fraction, unit: str) -> None:
    term = Term(amount, {"m": "min"}.get(unit, unit))
    assert Term.parse(str(term)) == term


@example("# nothing but words")
@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    with pytest.raises(BadPolicy):
        parse_text(text)


@given(st.data())
def test_a_policy_with_a_line_gone_or_spoilt_is_a_policy_or_refused_with_lines(data: st.DataObject) -> None:
    lines = DEFAULT.splitlines()
    n = data.draw(st.integers(0, len(lines) - 1))
    lines[n] = data.draw(st.sampled_from(["", "x", "  - 1", "name: {}", "a: [", "null", "? [1]", lines[n] + " 1"]))
    found = refused("\n".join(lines))
    assert all(error.line is None or 1 <= error.line <= len(lines) + 1 for error in found)


def refused(source: str) -> list[FieldError]:
    try:
        parse_text(source)
    except BadPolicy as error:
        return list(error.errors)
    return []
