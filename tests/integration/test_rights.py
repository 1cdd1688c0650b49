"""The rights matrix, `tests/rights.yaml`, walked: every endpoint × everybody who may call it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest
import pytest_asyncio
import yaml
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from chuishao.wiring import SERVICES
from services.directory.domain.posts import PostKind
from services.routing.domain import states, whistle
from shared.auth import ROLES
from shared.problems import MEDIA_TYPE
from tests.integration import deliberated
from tests.integration.meetings import Topic
from tests.photos import encoded
from tests.world import U1, U3, Issue, World

MATRIX: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "rights.yaml").read_text())
CALLERS: dict[str, dict[str, Any]] = MATRIX["callers"]
RIGHTS: dict[str, dict[str | int, str]] = MATRIX["rights"]
TIES = {states.HOLDER, states.FORMER, states.BOUND, states.REPORTER, states.DESK}
WHISTLE_TIES = {whistle.LEAD, "assisting", whistle.DESK, whistle.ARBITER}
BINDINGS = {"unit", "section", "member"}

RESIDENT = {"phone": CALLERS["reporter"]["who"]}
REPORT = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}}
AWAY = {"from": "2027-05-01T00:00:00+08:00", "to": "2027-05-02T00:00:00+08:00"}
PHOTO = {"file": ("a.jpg", encoded(), "image/jpeg")}
WHISTLE = {"occasion": "demand", "lead": "WATER", "assisting": ["CITY"], "text": "请到场看一看"}

# What each request sends beyond the version of a case.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/intake/issues": {**REPORT, **RESIDENT},
    "POST /api/intake/issues#own": {**REPORT, "own": True},
    "POST /api/intake/issues#on_behalf": {**REPORT, "on_behalf_of": RESIDENT},
    "PUT /api/intake/issues/{id}/place": {"grid": U1},
    "PUT /api/intake/issues/{id}/place#again": {"grid": U1},
    "POST /api/routing/cases/{id}/answer": {"solved": "yes"},
    "POST /api/routing/cases/{id}/withdraw": {},
    "POST /api/routing/cases/{id}/reply": {"text": "三楼"},
    "POST /api/routing/cases/{id}/accept": {},
    "POST /api/routing/cases/{id}/claim": {},
    "POST /api/routing/cases/{id}/claim#late": {},
    "POST /api/routing/cases/{id}/escalate": {"reason": "办不了"},
    "POST /api/routing/cases/{id}/ask": {"text": "几楼？"},
    "POST /api/routing/cases/{id}/resolve": {"reply": "换了"},
    "POST /api/routing/cases/{id}/whistles": WHISTLE,
    "POST /api/routing/whistles/{id}/send": {},
    "POST /api/routing/whistles/{id}/acknowledge": {},
    "POST /api/routing/whistles/{id}/report-in": {"person": "P030"},
    "POST /api/routing/whistles/{id}/result": {"text": "修好了"},
    "POST /api/routing/whistles/{id}/confirm": {},
    "POST /api/routing/whistles/{id}/return": {"reason": "还在漏"},
    "POST /api/routing/whistles/{id}/withdraw": {"reason": "不用了"},
    "POST /api/routing/whistles/{id}/dispute": {"reason": "不归我们管"},
    "POST /api/routing/whistles/{id}/decide": {"outcome": "upheld"},
    "POST /api/routing/whistles/{id}/extend": {"until": "2026-12-24T10:00:00+08:00", "reason": "等材料"},
    "POST /api/routing/whistles/{id}/rate": {"score": 5},
    "PUT /api/directory/people/{no}/absence": AWAY,
    "PUT /api/directory/grids/{code}/posts/{kind}": {"person": None},
    "POST /sandbox/control": {"provider": "alibaba", "behaviour": "clear"},
    **deliberated.BODIES,
}
ACTS = {
    name
    for name in BODIES
    if "/whistles" in name or ("/cases/" in name and name.rpartition("/")[2] not in ("answer", "withdraw", "reply"))
}
# Acts that bring the case to where the request is possible.
BEFORE: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "resolve": (("accept", {}),),
    "claim#late": (("accept", {}),),
    "answer": (("accept", {}), ("resolve", {"reply": "换了"})),
    "reply": (("ask", {"text": "几楼？"}),),
}
# The same for a whistle: who does what after it was blown.
BEFORE_WHISTLE: dict[str, tuple[tuple[str, str, dict[str, Any]], ...]] = {
    "result": (("report-in", "P030", {}),),
    "extend": (("report-in", "P030", {}),),
    "confirm": (("report-in", "P030", {}), ("result", "P030", {"text": "修好了"})),
    "return": (("report-in", "P030", {}), ("result", "P030", {"text": "修好了"})),
    "dispute": (),
    "decide": (("dispute", "P030", {"reason": "不归我们管"}),),
    "rate": (("report-in", "P030", {}), ("result", "P030", {"text": "修好了"}), ("confirm", "P003", {})),
}
QUERIES = {
    "GET /api/routing/whistles": "limit=200",
    "GET /api/routing/whistles#mine": "department=me&limit=200",
    "GET /api/routing/live": "issue={id}",
    "GET /api/intake/issues#ids": "ids={id}",
    "GET /api/intake/issues#mine": "mine=true&limit=200",
    "GET /api/intake/issues#unplaced": "unplaced=true",
    "GET /api/routing/cases": "limit=200",
    "GET /api/routing/cases#mine": "holder=me&limit=200",
    "GET /api/notify/messages": "issue={id}",
    "GET /api/deliberation/topics": "limit=200",
}
NOTHING = "0199a000-0000-7000-8000-000000000000"
WRONG_SECRET = (
    40001,
    40002,
    40013,
    40014,
)  # a provider's codes for a secret, a grant, an account, a token it knows not
# Whom the body alone tells from others: what he names in it is settled after the form.
BY_BODY = {"POST /api/intake/issues#own", "POST /api/intake/issues#on_behalf", *deliberated.BY_BODY}
BY_BODY_FOR = {("PUT /api/intake/issues/{id}/place", "desk_elsewhere"), *deliberated.BY_BODY_FOR}


@dataclass
class Scene:
    """The case the matrix is about, in the state a request needs."""

    world: World
    cases: dict[str, Issue]
    whistles: dict[str, str] = field(default_factory=dict)  # of the cases that have one
    topics: dict[str, Topic | None] = field(default_factory=dict)  # the same
    photos: dict[str, str] = field(default_factory=dict)

    async def case(self, request: str) -> Issue:
        name = request.rpartition("/")[2] if "/cases/{id}/" in request else ""
        if "/routing/whistles" in request or request.endswith("#whistled"):
            name = f"whistle {request.rpartition('/')[2] if '/whistles/{id}/' in request else 'blown'}"
        name = f"topic {request}" if "/api/deliberation/" in request else name
        name = "unplaced" if request.endswith(("#unplaced", "/place")) else name
        name = "supervised" if request.endswith("/supervision") else name
        if name not in self.cases:
            self.cases[name] = await self._make(name)
        return self.cases[name]

    async def _make(self, name: str) -> Issue:
        if name == "unplaced":
            return await self.complain(about_leader=False, place={"address": "和平路尽头"})
        issue = await self.complain()
        await self._act(issue, "escalate", "P014", reason="办不了")
        for act, body in BEFORE.get(name, ()):
            await self._act(issue, act, "P012", **body)
        if name.startswith("whistle "):
            await self._blow(issue, name.partition(" ")[2])
        if name.startswith("topic "):
            self.topics[issue.id] = await deliberated.deliberated(self.world, issue, name.partition(" ")[2])
        if name == "supervised":
            await self.world.sql(
                "UPDATE routing.cases SET supervised_at = clock_now(), supervised_why = 'promise' WHERE id = :id",
                id=issue.id,
            )
        return issue

    async def complain(self, **how: Any) -> Issue:
        who = CALLERS["entered_for_her"]["who"]
        photo = (await self.world.call("POST", "/api/intake/attachments", who, files=PHOTO)).json()["id"]
        body = {**REPORT, "about_leader": True, "on_behalf_of": RESIDENT, "attachments": [photo], **how}
        answer = await self.world.call("POST", "/api/intake/issues", who, json=body)
        assert answer.status_code == 201, answer.text
        await self.world.settle()
        issue = Issue(self.world, **answer.json())
        self.photos[issue.id] = photo
        return issue

    async def _blow(self, issue: Issue, act: str) -> None:
        # One for the same place and department within seven days would be an addition to the first.
        await self.world.sql("UPDATE routing.whistles SET blown_at = blown_at - interval '8 days'")
        path, who = f"/api/routing/cases/{issue.id}/whistles", "P010" if act == "send" else "P003"
        version = (await issue.case())["version"]
        answer = await self.world.call("POST", path, who, json={"version": version, **WHISTLE})
        assert answer.status_code == 201, answer.text
        whistle = self.whistles[issue.id] = answer.json()["id"]
        await self.world.settle()  # intake hears of it
        for step, officer, body in BEFORE_WHISTLE.get(act, ()):
            sent = {**await self._whistle_body(whistle, step), **body}
            answer = await self.world.call("POST", f"/api/routing/whistles/{whistle}/{step}", officer, json=sent)
            assert answer.status_code == 200, answer.text

    async def _whistle_body(self, whistle: str, act: str) -> dict[str, Any]:
        version = await self.world.scalar("SELECT version FROM routing.whistles WHERE id = :id", id=whistle)
        here = {"person": "P030", "at": (await self.world.now()).isoformat()} if act == "report-in" else {}
        return {"version": version, **here}

    @staticmethod
    async def _act(issue: Issue, act: str, who: str, **body: Any) -> None:
        assert (await issue.try_act(act, who, **body)).status_code == 200

    def spent(self, issue: Issue) -> None:
        """The case is no longer in its state: the next one who asks gets another."""
        self.cases = {name: each for name, each in self.cases.items() if each is not issue}

    async def ask(self, request: str, caller: str, content: bytes | None = None) -> tuple[Issue, httpx2.Response]:
        """One request by one caller; with `content` instead of its body."""
        issue, given = await self.case(request), CALLERS[caller]
        method, _, path = request.partition("#")[0].partition(" ")
        path = path.format(id=self._id(path, issue), no="P014", code=U1 if method == "GET" else U3, kind="leader")
        query = QUERIES.get(request, "").format(id=issue.id)
        if "code" in given:
            query += f"&code={issue.code if given['code'] == 'right' else 'AAAAAAAAAA'}"
        more: dict[str, Any] = {}
        if content is not None:
            more = {"content": content, "headers_more": {"Content-Type": "application/json"}}
        elif request == "POST /api/intake/attachments":
            more = {"files": PHOTO}
        elif request in BODIES:
            more = {"json": await self._body(request, issue, given)}
        return issue, await self._send(method, f"{path}?{query}", given.get("who"), **more)

    def _id(self, path: str, issue: Issue) -> str | None:
        if "/attachments/" in path:
            return self.photos[issue.id]
        if topic := self.topics.get(issue.id):
            return topic.meeting_id if "/meetings/" in path else topic.id
        return self.whistles[issue.id] if "/routing/whistles/{id}" in path else issue.id

    async def _body(self, request: str, issue: Issue, given: dict[str, Any]) -> dict[str, Any]:
        if request in deliberated.BODIES:
            return await deliberated.body(request, issue, self.topics[issue.id])
        if request not in ACTS:
            return BODIES[request]
        if "/routing/whistles/" in request:
            return {**BODIES[request], **await self._whistle_body(self.whistles[issue.id], request.rpartition("/")[2])}
        version = await self.world.scalar("SELECT version FROM routing.cases WHERE id = :id", id=issue.id)
        on_behalf = (
            {"for": given["for"]} if "for" in given and not request.endswith(("claim", "#late", "whistles")) else {}
        )
        return {"version": version, **on_behalf, **BODIES[request]}

    async def _send(self, method: str, path: str, who: str | None, **more: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {await self.world.token(who)}"} if who else {}
        headers |= more.pop("headers_more", {})
        async with self.world.http.stream(method, path, headers=headers, **more) as answer:
            if not (path.partition("?")[0].endswith("/live") and answer.is_success):  # that one never ends
                await answer.aread()
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(world: World) -> AsyncIterator[Scene]:
    """P010 is away these days and P024 stands in; a section is bound to the building."""
    away = {"from": "2026-11-01T00:00:00+08:00", "to": "2026-12-31T00:00:00+08:00", "stand_in": "P024"}
    assert (await world.call("PUT", "/api/directory/people/P010/absence", "P010", json=away)).status_code == 200
    await world.sql(
        "INSERT INTO directory.binding (kind, unit, person, grid) SELECT 'section', '区财政局一股', p.id, g.id"
        " FROM directory.person p, directory.grid g WHERE p.no = 'P044' AND g.code = :code",
        code=U1.rpartition("-")[0],
    )
    yield Scene(world, {})


# -- the matrix is whole --------------------------------------------------------------------------------------
def endpoints(world: World) -> Iterator[str]:
    """Every route of every service, in the documentation or not."""
    for mount in world.parts.app.routes:
        assert isinstance(mount, Mount)
        if isinstance(mount.app, FastAPI):
            for route in iter_route_contexts(mount.app.routes):
                yield from (f"{method} {mount.path}{route.path}" for method in (route.methods or set()) - {"HEAD"})


def named() -> set[str]:
    """What the matrix names, with the service's name where it says so."""
    services = [f"/api/{service.name}" for service in SERVICES if service.name != "sandbox"] + ["/sandbox"]
    found = {request.partition("#")[0] for request in RIGHTS} | set(MATRIX["secret"])
    for each in MATRIX["open"]:
        found |= {each.replace("/api/{service}", service) for service in services}
    return found


async def test_the_matrix_names_every_endpoint_and_no_other(world: World) -> None:
    assert set(endpoints(world)) == named()


def test_the_matrix_names_every_role_post_binding_and_tie_to_a_case_or_whistle() -> None:
    present = {tie for caller in CALLERS.values() for tie in caller.get("as", ())}
    assert {*ROLES, *get_args(PostKind), *BINDINGS, *TIES, *WHISTLE_TIES} <= present


@pytest.mark.parametrize("request_", RIGHTS)
def test_every_endpoint_names_every_caller_once(request_: str) -> None:
    names = [name for row in RIGHTS[request_].values() for name in row.split()]
    assert sorted(names) == sorted(CALLERS)


# -- the walk -------------------------------------------------------------------------------------------------
def shown(request: str, issue: Issue, answer: httpx2.Response) -> bool:
    """Whether the success shows what it is about: the case in a list, the skipped level, the persons of a grid."""
    if request.endswith("/live") or "/attachments" in request:
        return True
    if request == "GET /api/deliberation/topics":
        return issue.id in [item["case"] for item in answer.json()["items"]]
    if "/deliberation/" in request:
        return True
    body = answer.json()
    if request.endswith("#skips"):
        return "recused" in [hop["skipped"] for hop in body["hops"]]
    if request.endswith("#posts"):
        return bool(body["posts"])
    if request.partition("#")[0] == "GET /api/routing/whistles":
        return issue.id in [item["case"] for item in body["items"]]
    if request.startswith(("GET /api/intake/issues#", "GET /api/routing/cases", "GET /api/routing/supervision")):
        return "items" not in body or issue.id in [item["id"] for item in body["items"]]
    return True


def expected(request: str) -> dict[str, str | int]:
    return {name: outcome for outcome, names in RIGHTS[request].items() for name in names.split()}


@pytest.mark.parametrize("request_", RIGHTS)
async def test_each_caller_gets_what_the_matrix_says(scene: Scene, request_: str) -> None:
    found: dict[str, str | int] = {}
    for caller in CALLERS:
        issue, answer = await scene.ask(request_, caller)
        if answer.is_success:
            found[caller] = "ok" if shown(request_, issue, answer) else "hidden"
            if not request_.startswith("GET"):
                scene.spent(issue)
        else:
            found[caller] = answer.status_code
            assert answer.headers["content-type"] == MEDIA_TYPE
    assert found == expected(request_)


@pytest.mark.parametrize("request_", [each for each in BODIES if each not in BY_BODY])
async def test_who_may_is_settled_before_the_body_is_looked_at(scene: Scene, request_: str) -> None:
    """Refusals in order: 401, 404, 403, 422. What is sent is not even JSON."""
    refused = {
        name: outcome
        for name, outcome in expected(request_).items()
        if outcome in (401, 403, 404) and (request_, name) not in BY_BODY_FOR
    }
    found = {name: (await scene.ask(request_, name, content=b"{"))[1].status_code for name in refused}
    assert found == refused


@pytest.mark.parametrize("request_", MATRIX["open"])
async def test_what_is_open_answers_anybody(world: World, request_: str) -> None:
    address = request_.replace("{service}", "routing").replace("{code}", U1).replace("{no}", "P016")
    method, _, path = address.partition(" ")
    body = {"text": "灯"} if method == "POST" else None
    status = 200
    if request_.endswith("/click"):
        body, status = {"message": NOTHING, "button": "acknowledge"}, 404  # no card arrived to press on
    async with world.http.stream(method, path, json=body) as answer:  # one of them never ends
        assert answer.status_code == status


@pytest.mark.parametrize("request_", MATRIX["secret"])
async def test_a_providers_door_stays_shut_without_its_secret(world: World, request_: str) -> None:
    method, _, path = request_.partition(" ")
    answer = await world.http.request(method, path.format(secret="0" * 32), json={})
    assert answer.status_code in (400, 404) or answer.json()["errcode"] in WRONG_SECRET


# -- beyond the table -------------------------------------------------------------------------------------------
async def test_what_one_may_not_know_of_answers_like_what_does_not_exist(scene: Scene) -> None:
    issue = await scene.case("GET /api/routing/cases/{id}")
    for path in ("routing/cases", "routing/track", "intake/issues"):
        for who in ("P016", "P026", "department:WATER"):
            real, unreal = [
                (await scene.world.call("GET", f"/api/{path}/{id_}", who)).json() for id_ in (issue.id, NOTHING)
            ]
            assert {**real, "instance": ""} == {**unreal, "instance": ""}
            assert real["status"] == 404


async def test_a_desk_above_says_for_whom_it_acts(scene: Scene) -> None:
    issue = await scene.case("GET /api/routing/cases/{id}")
    assert (await issue.try_act("accept", "P003")).status_code == 403
    for someone in ("P014", "P999", "P0\u000012"):
        answer = await issue.try_act("accept", "P003", **{"for": someone})
        assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "for"])


async def test_after_the_third_no_only_that_desk_the_district_and_command_may_act(world: World) -> None:
    issue = await world.report(U1)
    for hand in ("P016", "P014", "P012"):
        await issue.act("accept", hand)
        await issue.act("resolve", hand, reply="修了")
        await issue.say("answer", solved="no")
    case = await issue.case()
    assert (case["holder"]["id"], case["phase"], case["supervised"]) == ("150902-01-01", "assigned", True)
    may = {who: (await issue.case(who))["can"] for who in ("P003", "P004", "P001", "command", "P002", "P012", "P046")}
    assert {who for who, can in may.items() if "accept" in can} == {"P003", "P004", "P001", "command"}
    assert {who: can for who, can in may.items() if who in ("P002", "P012", "P046")} == {
        "P002": [],
        "P012": [],
        "P046": [],
    }
    for who, status in (("P002", 403), ("P010", 403), ("P046", 403), ("P012", 409), ("P003", 200)):
        assert (await issue.try_act("accept", who)).status_code == status


async def test_a_complaint_placed_later_is_hidden_from_the_leaders_of_its_place(scene: Scene) -> None:
    world, issue = scene.world, await scene.complain(place={"address": "和平路"})
    placed = await world.call("PUT", f"/api/intake/issues/{issue.id}/place", "P001", json={"grid": U1})
    assert placed.status_code == 200
    await world.settle()
    assert await issue.holder() == "P014"
    assert (await world.call("GET", f"/api/routing/cases/{issue.id}", "P016")).status_code == 404
    assert (await world.call("GET", f"/api/routing/cases/{issue.id}", "P001")).status_code == 200
