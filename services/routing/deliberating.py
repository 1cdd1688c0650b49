"""What a deliberation does to a case: it is on hold from screening, and every exit releases it to its holder."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.routing import blowing, holding
from services.routing.domain.states import OPEN
from services.routing.opening import open_task
from services.routing.store import reading, whistles, writing
from shared.contracts.meeting import TaskMade

TASK_WORDS = "议事会交办的任务，详见会议结果"


async def hold(conn: AsyncConnection, case_id: UUID, topic: UUID) -> None:
    """A topic was screened: the case's clocks stop. Tells CaseHeld, unless a whistle holds it already."""
    case = await writing.lock_case(conn, case_id)
    if case is None or case["phase"] not in OPEN:
        return
    await conn.execute(whistles.SET_TOPIC, {"id": case_id, "topic": topic})
    if case["on_hold"] in (None, "reporter"):
        await holding.hold(conn, [case_id], "deliberation")


async def release(conn: AsyncConnection, case_id: UUID, topic: UUID) -> None:
    """The topic is over: the case's clocks go on with the rest of the term. Tells CaseReleased, unless a whistle
    still holds it."""
    case = await writing.lock_case(conn, case_id)
    if case is None or case["topic"] != topic:
        return
    await conn.execute(whistles.SET_TOPIC, {"id": case_id, "topic": None})
    if case["on_hold"] == "deliberation":
        await holding.release(conn, {**case, "topic": None}, "deliberation")


async def take_task(conn: AsyncConnection, task: TaskMade) -> None:
    """A task of a meeting: a case on the same ladder, for which the chair answers, or a whistle from the topic's
    case. Tells CaseOpened, or CaseClaimed, CaseHeld and WhistleBlown."""
    await writing.lock_ladder(conn)
    if task.grid is not None:
        await open_task(conn, task)
        return
    await whistles.lock_place(conn, task.case)
    await writing.lock_case(conn, task.case)
    case = await reading.case(conn, task.case)
    if case is not None and case["phase"] in OPEN and task.department is not None:
        await blowing.blow_task(conn, case, task.department, TASK_WORDS)
