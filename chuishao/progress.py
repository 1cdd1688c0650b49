"""What takes a while says how far it is: a bar on a terminal, plain lines elsewhere."""

import re
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from chuishao.target import errors

_COUNTED = re.compile(r"(\d+)/(\d+) (.*)")


class Steps:
    """Steps one after another; within a step, lines of progress, a bar when they count (`3/45 name`).

    Goes to standard error: standard output is for results.
    """

    def __init__(self) -> None:
        self._plain = not errors.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("[dim]{task.fields[line]}"),
            TimeElapsedColumn(),
            console=errors,
            disable=self._plain,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._bar.stop()

    def step(self, name: str) -> None:
        """Ends the step before and begins this one."""
        self._finish()
        if self._plain:
            errors.print(name)
        self._task = self._bar.add_task(name, total=None, line="")

    def line(self, text: str) -> None:
        """Progress within the step."""
        if self._plain:
            errors.print(f"  {text}", style="dim", markup=False)
        elif self._task is not None:
            counted = _COUNTED.match(text)
            if counted:
                done, total, text = int(counted[1]), int(counted[2]), counted[3]
                self._bar.update(self._task, completed=done, total=total)
            self._bar.update(self._task, line=text[-48:])

    def _finish(self) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=1, total=1, line="")
