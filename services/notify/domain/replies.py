"""What a text from a telephone means: 1 or 2, and the two digits of the case."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.notify.domain.templates import BUTTONS, Ask

_AROUND = re.compile(r"[\s,.。、，:：+#*-]")
_SAID = re.compile(r"(?:回复?)?([12])(\d\d)?")
HELP_A_DAY = 5
"""Texts that mean nothing are answered so often: two machines must not talk to each other for ever."""


@dataclass(frozen=True)
class Said:
    """A text of ours: its digit, and the mark of a case if one was given."""

    digit: int
    mark: int | None


@dataclass(frozen=True)
class Question:
    """What a person was asked about a case, and the digits that mean it. `open`: nobody has settled it yet."""

    mark: int
    issue: UUID
    asks: Ask
    open: bool
    message: UUID
    reason: str
    hop: int | None
    facts: Mapping[str, Any]

    def act(self, digit: int) -> str:
        """The act that 1 or 2 stands for."""
        return list(BUTTONS[self.asks])[digit - 1]


@dataclass(frozen=True)
class Act:
    """Do it."""

    question: Question
    act: str


@dataclass(frozen=True)
class Over:
    """Nothing is done: the only question there was is settled."""

    question: Question
    act: str


@dataclass(frozen=True)
class Which:
    """Nothing is done: it may be any of these, or none."""

    questions: Sequence[Question]


def read(text: str) -> Said | None:
    """`1`, `137`, `回1 37`, `１３７`; None for anything else."""
    found = _SAID.fullmatch(_AROUND.sub("", unicodedata.normalize("NFKC", text)))
    return Said(int(found[1]), int(found[2]) if found[2] else None) if found else None


def decide(said: Said, questions: Sequence[Question]) -> Act | Over | Which | None:
    """What a text does. `questions`: all that it could mean, settled ones of the last days too. A digit alone counts
    only while one question is open; None: nothing was ever asked."""
    waiting = [question for question in questions if question.open]
    if said.mark is not None:
        meant = [question for question in questions if question.mark == said.mark]
    else:
        meant = waiting if len(waiting) == 1 else []
    if meant:
        return Act(meant[0], meant[0].act(said.digit))
    if said.mark is None and len(questions) == 1:
        return Over(questions[0], questions[0].act(said.digit))
    return Which(waiting or questions) if questions else None
