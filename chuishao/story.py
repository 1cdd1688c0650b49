"""The whole story, played live: an issue that climbs by itself, is taken, comes back, needs a department; and one that
needs a meeting."""

import time
from datetime import datetime, timedelta
from typing import Any

import httpx2

from chuishao import store
from chuishao.client import RefusedError, connected
from chuishao.stage import LONG, READING, Stage
from chuishao.target import Target, as_owner, console, fail
from chuishao.words import clock_time, limit_time, span
from shared.auth import Principal


async def play(target: Target) -> None:
    """Plays it once, live. Ends the command with exit code 1 when something does not come about."""
    if target.real_providers:
        fail("这个系统会真的发短信，不演", "this system sends real messages: the story is for the sandbox")
    async with as_owner(target) as conn:
        place = await store.story_place(conn)
    if place is None:
        fail("这个区没有合适的地方演：要有一个中网格空着，上下都有人", "no place in this district fits the story")
    began = time.monotonic()
    try:
        async with connected(target) as client:
            await _lamp(Stage(target, client), place)
            await _parking(Stage(target, client), place)
    except (RefusedError, httpx2.HTTPError) as error:
        fail(f"演不下去：{error}", "the system answered with an error, or not at all: chuishao doctor")
    _say("完", f"用了 {span(time.monotonic() - began)}")


async def _lamp(stage: Stage, place: str) -> None:
    """Climb, claim, "not solved", whistle, report-in, result, solved."""
    _say("一", "居民扫门上的码，报了一件事：楼道灯不亮了，老人上下楼看不见")
    await stage.report(place, "FAC.light", "楼道灯不亮了，老人上下楼看不见")
    _say("二", "没有人接，看它自己往上走")
    await stage.nobody_acts_until("community")
    leader = next(hop["holder"] for hop in reversed(stage.past) if hop["level"] == "large")
    _say("三", f"{leader['label']}晚了一步，社区还没接：还是我来办")
    await stage.act("claim", {}, await stage.person_of(leader))
    await stage.resolve("灯泡换好了，您上下楼看看亮不亮。")
    _say("四", "居民说：没解决，还是不亮")
    await stage.answer("no", "还是不亮")
    case = await stage.case()
    _say("五", f"{case['holder']['label']}看了看，是线路的事，吹哨请部门到场")
    await _whistle(stage)
    await stage.resolve("线路接好了，灯亮了。")
    _say("六", "居民说：解决了，亮了。她看到的经过：")
    await stage.answer("yes", "亮了")
    await stage.until(lambda case: case["phase"] == "closed")
    await stage.tell_track()


async def _whistle(stage: Stage) -> None:
    case = await stage.case()
    desk = await stage.person_of(case["holder"])
    departments = (await stage.client_of(desk).get("/api/directory/departments"))["items"]
    lead = departments[0]
    officer = await stage.officer(lead["code"])
    await stage.watch_telephone(lead["label"], officer)
    asked = {"occasion": "emergency", "lead": lead["code"], "assisting": [], "text": "楼道线路坏了，请来人看一看"}
    path = f"/api/routing/cases/{stage.issue}/whistles"
    whistle = await stage.client_of(desk).post(path, {"version": case["version"], **asked})
    limit = limit_time(whistle["report_in_by"], whistle["now"])
    console.print(f"   [red]吹哨[/] → {lead['label']}，最晚 {limit} 到场")
    await stage.watch_for(READING)
    for who, act, words, body in (
        (officer, "acknowledge", f"{lead['label']}：收到", {}),
        (officer, "report-in", f"{lead['label']}：已到场", {"person": officer.no if officer else None}),
        (officer, "result", f"{lead['label']}：线路接好了", {"text": "换了一段线，接头重新包好"}),
        (desk, "confirm", "社区去看了，确认办好，哨才算完", {}),
    ):
        whistle = await _act_on(stage, whistle, who, act, body)
        console.print(f"   {clock_time(whistle['now'])}  {words}")
        await stage.watch_for(READING / 2)


async def _act_on(
    stage: Stage, whistle: dict[str, Any], who: Principal | None, act: str, body: dict[str, Any]
) -> dict[str, Any]:
    if act == "report-in":
        now = (await stage.client_of(who).get(f"/api/routing/whistles/{whistle['id']}"))["now"]
        body = {**body, "at": now}
    path = f"/api/routing/whistles/{whistle['id']}/{act}"
    return await stage.client_of(who).post(path, {"version": whistle["version"], **body})


async def _parking(stage: Stage, place: str) -> None:
    """One that nobody can solve alone: a meeting, a task, "not solved", and on."""
    words = "楼下停车把救护车都堵住了，说过几次没有用"
    _say("七", f"另一件事：{words}")
    await stage.report(place, "PARK.block", words)
    case = await stage.case()
    community = case["grid"].split("-L")[0]
    desk, chair = await stage.at_post(community, "desk"), await stage.at_post(community, "secretary")
    if desk is None or chair is None:
        console.print("   [dim]这个社区还没有书记或值班的人，会开不成[/]")
        return
    _say("八", "一家一户办不了，社区提出来开会商量；书记看过，同意开")
    meeting = await _schedule(stage, desk, chair)
    if meeting is None:
        return
    task = await _hold(stage, meeting, chair, place)
    _say("十", "会后：任务也走同一架梯子，谁的事谁办；书记要看到办完")
    console.print(f"   任务 {task['text']} → {task.get('grid')}")
    await _finish(stage)


async def _schedule(stage: Stage, desk: Principal, chair: Principal) -> dict[str, Any] | None:
    asked = {"case": stage.issue, "title": "楼下怎么停车，救护车才进得来", "n": []}
    topic = await stage.client_of(desk).post("/api/deliberation/topics", asked)
    await stage.client_of(chair).post(
        f"/api/deliberation/topics/{topic['id']}/screen", {"version": topic["version"], "decision": "accept"}
    )
    await stage.until(lambda case: case["on_hold"] == "deliberation")
    planned = await stage.client_of(desk).post("/api/deliberation/plan", {"topic": topic["id"]})
    if not planned["planned"]:
        console.print(f"   [dim]排不出来：{planned['left_out'][0]['why']}[/]")
        return None
    meeting: dict[str, Any] = planned["planned"][0]
    starts, now = datetime.fromisoformat(meeting["starts"]), datetime.fromisoformat(meeting["now"])
    seats = "、".join(seat["kind"] for seat in meeting["seats"])
    console.print(
        f"   {meeting['venue_label']}，{limit_time(meeting['starts'], meeting['now'])}。请：{seats}", soft_wrap=True
    )
    if (starts - now).total_seconds() > LONG:
        console.print("   [dim]会在几天以后，不等了[/]")
        return None
    return meeting


async def _hold(stage: Stage, meeting: dict[str, Any], chair: Principal, place: str) -> dict[str, Any]:
    path = f"/api/deliberation/meetings/{meeting['id']}"
    for seat in meeting["seats"]:
        if seat["required"]:
            member = await stage.numbered(seat["person"])
            await stage.client_of(member).post(f"{path}/reply", {"answer": "come"})
    shown = await _when_it_starts(stage, path, chair)
    _say("九", "到点了，六方到场，开会")
    for seat in shown["seats"]:
        if seat["required"]:
            await stage.client_of(chair).post(f"{path}/check-in", {"person": seat["person"]})
    shown = await stage.client_of(chair).get(path)
    console.print(f"   到了 {shown['quorum']['present']} 方，够数是 {shown['quorum']['needed']} 方")
    shown = await stage.client_of(chair).post(f"{path}/open", {"version": shown["version"]})
    due = (datetime.fromisoformat(shown["now"]) + timedelta(days=7)).isoformat()
    task = {"text": "画出救护车通道，挂上牌子", "grid": place, "due": due}
    result = {"version": shown["version"], "kind": "resolution", "text": "留出通道，不停车", "tasks": [task]}
    await stage.client_of(chair).post(f"{path}/result", result)
    console.print("   议定：留出通道，不停车")
    await stage.until(lambda case: case["on_hold"] is None)
    return task


async def _when_it_starts(stage: Stage, path: str, chair: Principal) -> dict[str, Any]:
    while True:
        shown = await stage.client_of(chair).get(path)
        if datetime.fromisoformat(shown["now"]) >= datetime.fromisoformat(shown["starts"]):
            return shown
        await stage.watch_for(0.5)


async def _finish(stage: Stage) -> None:
    """The case goes on where it stood; "not solved" sends it to the next hand."""
    case = await stage.case()
    if case["phase"] == "assigned":
        await stage.accept()
    await stage.resolve("会上说好了留通道，已经画线。")
    _say("十一", "居民说：没解决，还有人停。往上走，到下一只手")
    await stage.answer("no", "还有人停")
    await stage.accept()
    await stage.resolve("和物业一起守了两天，没人再停了。")
    _say("十二", "居民说：解决了。她看到的经过：")
    await stage.answer("yes", "通了")
    await stage.until(lambda case: case["phase"] == "closed")
    await stage.tell_track()


def _say(number: str, text: str) -> None:
    console.print(f"\n[bold]{number}[/]  {text}")
