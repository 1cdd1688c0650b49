"""Documents say what the code says."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer.main

from chuishao.main import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
CHINESE, ENGLISH = README.split("## English")


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_the_settings_in_the_readme_and_the_table_of_states_are_up_to_date(generate: dict[str, Any]) -> None:
    stale = [path.name for path, text in generate["wanted"]().items() if path.read_text() != text]
    assert stale == [], "run: python docs/generate.py"


def test_every_setting_has_words_in_both_languages(generate: dict[str, Any]) -> None:
    silent = [name for name, _, said in generate["fields"]() if not said or name not in generate["CHINESE"]]
    assert silent == [], "a docstring in shared/settings.py, and a line in docs/generate.py"


@pytest.mark.parametrize("half", [CHINESE, ENGLISH], ids=["chinese", "english"])
def test_the_readme_names_every_command_and_every_target_of_make(half: str) -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    wanted = {f"chuishao {name}" for name in commands} | {
        f"`{name}`" for name in targets if name not in ("help", "run")
    }
    assert {each for each in wanted if each not in half} == set()


def test_both_halves_of_the_readme_show_the_same_commands() -> None:
    def shown(half: str) -> list[str]:
        lines = "\n".join(re.findall(r"^```bash\n(.*?)^```", half, re.MULTILINE | re.DOTALL)).splitlines()
        return [line.partition("  #")[0].rstrip() for line in lines]

    assert shown(CHINESE) == shown(ENGLISH)
