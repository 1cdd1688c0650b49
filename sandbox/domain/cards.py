"""What WeCom refuses in a card, with its own codes; and the card as its reader sees it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.domain.checks import Refusal

TASK = re.compile(r"[0-9A-Za-z_@-]{1,128}")
BAD_PARAMETER = "40058"
MOST_LINES, MOST_BUTTONS = 6, 6


@dataclass(frozen=True)
class Card:
    """A template card."""

    kind: str
    task: str
    title: str
    lines: Mapping[str, str]
    buttons: Mapping[str, str]

    @property
    def text(self) -> str:
        """As it is read."""
        return "\n".join([self.title, *(f"{name}：{value}" for name, value in self.lines.items())])

    @property
    def shown_buttons(self) -> list[dict[str, str]]:
        return [{"key": key, "text": text} for key, text in self.buttons.items()]


def check_card(card: Mapping[str, Any]) -> Card:
    """The card of a request. Raises Refusal."""
    try:
        kind, title = str(card["card_type"]), str(card["main_title"]["title"])
        lines = [(str(line["keyname"]), str(line.get("value", ""))) for line in card.get("horizontal_content_list", ())]
        buttons = [(str(button["key"]), str(button["text"])) for button in card.get("button_list", ())]
        task, action = str(card.get("task_id", "")), card.get("card_action") or {}
    except (KeyError, TypeError, AttributeError):
        raise Refusal(BAD_PARAMETER) from None
    interactive = kind == "button_interaction"
    wrong = (
        kind not in ("button_interaction", "text_notice")
        or not title
        or len(lines) > MOST_LINES
        or interactive != bool(buttons)
        or len(buttons) > MOST_BUTTONS
        or (interactive and not task)
        or (task and not TASK.fullmatch(task))
        or (kind == "text_notice" and not (action.get("type") == 1 and action.get("url")))
    )
    if wrong:
        raise Refusal(BAD_PARAMETER)
    return Card(kind, task, title, dict(lines), dict(buttons))
