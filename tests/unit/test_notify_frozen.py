"""A process that stood still while it had messages to send."""

from typing import Any, cast
from uuid import UUID

import pytest
from aiolimiter import AsyncLimiter

from services.notify import jobs
from services.notify.channels import Answer, Delivered, Unknown
from services.notify.sending import Call
from services.notify.wires import Wires
from shared.service import Context

PARTS = {"channel": "sms", "message": UUID(int=1), "template": "assigned", "traceparent": None}
CALL = cast(Call, type("Call", (), PARTS)())


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    answers: list[Answer] = []

    async def record(_: Context, found: list[tuple[Call, Answer]]) -> None:
        answers.extend(answer for _, answer in found)

    monkeypatch.setattr(jobs, "record", record)
    monkeypatch.setattr(jobs, "wired", lambda _: Wires({"sms": cast(Any, None)}, cast(Any, None), AsyncLimiter(10, 1)))
    return answers


@pytest.mark.parametrize(("stood_still", "sent"), [(0.0, True), (jobs.CALL_SECONDS + 1, False)])
async def test_what_was_taken_before_it_stood_still_is_not_sent_any_more(
    monkeypatch: pytest.MonkeyPatch, recorded: list[Answer], stood_still: float, sent: bool
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(jobs, "monotonic", lambda: clock[0])
    calls = [CALL]

    async def take(_: Context, __: int) -> list[Call]:
        clock[0] += stood_still  # the attempts are written: another worker may have adopted them by now
        return [calls.pop()] if calls else []

    async def act(_: Any, __: Call) -> Answer:
        return Delivered()

    await jobs._run(cast(Context, None), take, act, 0.0)
    assert recorded == ([Delivered()] if sent else [Unknown()])
