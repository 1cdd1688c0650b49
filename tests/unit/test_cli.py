"""The command line's own rules: lengths of time, words, the drawing of a climb."""

from datetime import timedelta
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chuishao.climb import draw
from chuishao.durations import parse_duration
from chuishao.people import Who
from chuishao.store import Rung
from chuishao.story import play
from chuishao.target import Target, check_providers, read_settings
from chuishao.words import EVENTS, REASONS, event_name, span
from services.notify.domain.table import TABLE
from shared.contracts import REGISTRY
from shared.keys import Keys
from shared.settings import Settings


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d12h", timedelta(days=1, hours=12)),
    ],
)
def test_a_length_of_time_is_read(typed: str, meant: timedelta) -> None:
    assert parse_duration(typed) == meant


@pytest.mark.parametrize("typed", ["", "2", "h", "2 h", "-2h", "0s", "1.5h", "2h!", "1w"])
def test_what_is_no_length_of_time_is_refused(typed: str) -> None:
    assert parse_duration(typed) is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0秒"), (4.4, "4秒"), (60, "1分"), (11520, "3小时12分"), (90000, "1天1小时"), (-5, "0秒")]
)
def test_a_length_of_time_is_said_in_two_units_at_most(seconds: float, said: str) -> None:
    assert span(seconds) == said


@given(st.floats(0, 1e7))
def test_a_length_of_time_is_never_empty(seconds: float) -> None:
    assert span(seconds)


def test_every_event_that_can_be_told_has_words() -> None:
    ours = [type_ for type_, kind in REGISTRY.items() if kind.__module__.startswith("shared.")]
    silent = [type_ for type_ in ours if event_name(type_) not in EVENTS.values()]
    assert silent == []


@pytest.mark.parametrize(
    "who",
    [
        Who(),
        Who(person="P016", role="command"),
        Who(role="king"),
        Who(post="150902:mayor"),
    ],
)
def test_a_caller_is_named_in_exactly_one_known_way(who: Who) -> None:
    with pytest.raises(typer.Exit) as ended:
        who.check()
    assert ended.value.exit_code == 2


def hop(grid: str, label: str, **change: Any) -> dict[str, Any]:
    whole = {
        "grid": grid,
        "holder": {"label": label},
        "since": "2026-11-24T02:30:00+00:00",
        "until": None,
        "ended_by": None,
        "skipped": None,
    }
    return {**whole, **change}


def drawn(**change: Any) -> str:
    whole = {
        "number": "261124-00001",
        "category": "FAC.light",
        "place": {"label": "1单元"},
        "phase": "assigned",
        "on_hold": None,
        "closed_how": None,
        "supervised": False,
        "grid": "M1",
        "holder": {"label": "小区长"},
        "accept_by": "2026-11-24T06:30:00+00:00",
        "resolve_by": None,
        "now": "2026-11-24T03:18:00+00:00",
        "hops": [
            hop("U1", "单元长", until="2026-11-24T02:40:00+00:00", ended_by="accept_timeout"),
            hop("S1", "", holder=None, skipped="vacant", until="2026-11-24T02:40:00+00:00"),
            hop("M1", "小区长"),
        ],
    }
    ladder = [Rung("large", "L1", "大网格甲"), Rung("middle", "M1", "小区"), Rung("small", "S1", "1号楼")]
    console = Console(width=100)
    with console.capture() as shown:
        console.print(draw({**whole, **change}, [*ladder, Rung("micro", "U1", "1单元")], ["最后一行"]))
    return shown.get()


def test_the_ladder_shows_who_has_it_who_had_it_and_who_was_passed_over() -> None:
    picture = drawn()
    assert "● " in picture
    assert "还有 3小时12分 · 最晚 14:30:00 有人接" in picture
    assert "10:30:00 跳过：空缺" in picture
    assert "10:40:00 到点没人接" in picture
    assert "最后一行" in picture


def test_a_closed_case_has_no_present_rung_and_says_how_it_ended() -> None:
    picture = drawn(phase="closed", closed_how="confirmed")
    assert "●" not in picture
    assert "居民说解决了" in picture


async def test_the_story_is_not_played_where_messages_reach_real_people() -> None:
    real = Target("", "", "", Keys(bytes(32)), Settings(), adjustable=False, real_providers=True)
    with pytest.raises(typer.Exit):
        await play(real)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHUISHAO_PORT", "80000"),
        ("CHUISHAO_CLOCK", "sundial"),
        ("CHUISHAO_MASTER_KEY", "secret"),
        ("CHUISHAO_MASTER_KEY_FILE", "/nowhere/at/all"),
    ],
)
def test_a_bad_setting_ends_the_command_and_is_named_without_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(typer.Exit) as ended:
        read_settings()
    said = capsys.readouterr().err
    assert (ended.value.exit_code, "secret" in said) == (2, False)
    assert name in said or value in said


def test_real_providers_are_refused_without_their_credentials() -> None:
    with pytest.raises(typer.Exit):
        check_providers(Settings(providers="real"))


def test_every_reason_of_a_message_has_words() -> None:
    assert {row.reason for row in TABLE} - set(REASONS) == set()
