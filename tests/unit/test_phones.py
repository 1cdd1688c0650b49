"""One person is found by however the number was typed."""

import pytest

from shared.phones import e164


@pytest.mark.parametrize("typed", ["19900000016", "199 0000 0016", "+86 19900000016", "１９９００００００１６"])
def test_a_number_has_one_form_however_it_is_typed(typed: str) -> None:
    assert e164(typed) == "+8619900000016"


@pytest.mark.parametrize(
    "typed", ["", "abc", "1990000001", "10086", "199\x0000000016", "\ud800", "13800138000 ext. 5", "1" * 5000]
)
def test_what_is_no_number_is_none(typed: str) -> None:
    assert e164(typed) is None
