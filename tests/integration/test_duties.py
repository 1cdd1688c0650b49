"""职责清单: a department's statutory duty is not handed down to a grid."""

import pytest

from tests.integration.meetings import CHAIR, Topic, put_policy, scheduled
from tests.world import U1, World

DUE = "2026-12-20T00:00:00+08:00"


@pytest.fixture(autouse=True)
async def anew(world: World) -> None:
    await world.reset()
    await put_policy(world)


async def opened(world: World, category: str) -> Topic:
    issue = await world.report(U1, category)
    topic = await (await scheduled(world, issue=issue)).begin()
    await topic.act("open", CHAIR)
    return topic


async def test_a_task_outside_the_community_s_list_is_refused_with_the_rule_s_name(world: World) -> None:
    topic = await opened(world, "BLD.illegal")
    tasks = [{"text": "查手续", "department": "CITY", "due": DUE}, {"text": "拆掉", "grid": U1, "due": DUE}]
    refused = await topic.try_act("result", CHAIR, kind="resolution", text="拆", tasks=tasks)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["loc"] == ["body", "tasks", 1, "grid"]
    assert "社区职责清单" in error["msg"]
    assert (await topic.get())["tasks"] == []
    done = await topic.act("result", CHAIR, kind="resolution", text="请城管来拆", tasks=tasks[:1])
    assert done["state"] == "done"


async def test_a_district_s_own_list_decides(world: World) -> None:
    await put_policy(world, duties={"rule": "集宁区社区职责清单", "community": ["HYG"]})
    topic = await opened(world, "FAC.light")
    task = {"text": "换灯", "grid": U1, "due": DUE}
    refused = await topic.try_act("result", CHAIR, kind="resolution", text="换", tasks=[task])
    assert "集宁区社区职责清单" in refused.json()["errors"][0]["msg"]
