"""Errors as part of the interface: what is refused, how it is said, and that nothing came of it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import jwt
import pytest
import pytest_asyncio
from fastapi import APIRouter
from sqlalchemy import make_url
from structlog.testing import capture_logs

from services.directory.app import service as directory
from shared.auth import Principal, issue_token
from shared.db import make_engine, service_url
from shared.runtime import build_app
from shared.service import Service
from tests.world import KEYS, U1, U2, C, Issue, World

MEDIA_TYPE = "application/problem+json"
FIELDS = {"type", "title", "status", "detail", "instance", "errors"}
PHONE = "13912370001"
REPORT = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}, "phone": PHONE}
U0 = "0199a000-0000-7000-8000-000000000000"
AWAY = {"from": "2027-05-01T00:00:00+08:00", "to": "2027-05-02T00:00:00+08:00"}
CASE, ISSUES = "/api/routing/cases/{id}", "/api/intake/issues"

# Each request with a body: who may send it, and a body that is right (but for the case's state).
FORMS: dict[str, tuple[str | None, dict[str, Any]]] = {
    f"POST {ISSUES}": (None, REPORT),
    "POST /api/intake/hints": (None, {"text": "灯坏了"}),
    f"PUT {ISSUES}/{{id}}/place": ("P001", {"grid": U1}),
    f"POST {CASE}/accept": ("P016", {"version": 1}),
    f"POST {CASE}/claim": ("P046", {"version": 1}),
    f"POST {CASE}/escalate": ("P016", {"version": 1, "reason": "办不了"}),
    f"POST {CASE}/ask": ("P016", {"version": 1, "text": "几楼？"}),
    f"POST {CASE}/resolve": ("P016", {"version": 1, "reply": "换了"}),
    f"POST {CASE}/answer": (PHONE, {"solved": "yes"}),
    f"POST {CASE}/withdraw": (PHONE, {}),
    f"POST {CASE}/reply": (PHONE, {"text": "三楼"}),
    "PUT /api/directory/people/P016/absence": ("P016", AWAY),
    f"PUT /api/directory/grids/{U1}/posts/leader": ("admin", {"person": "P016"}),
    "POST /sandbox/control": ("admin", {"provider": "alibaba", "behaviour": "clear"}),
}
FREE_TEXTS = [
    (f"POST {ISSUES}", "text"),
    (f"POST {ISSUES}", "place.address"),
    (f"POST {ISSUES}", "external.system"),
    ("POST /api/intake/hints", "text"),
    (f"POST {CASE}/escalate", "reason"),
    (f"POST {CASE}/ask", "text"),
    (f"POST {CASE}/resolve", "reply"),
    (f"POST {CASE}/resolve", "note"),
    (f"POST {CASE}/answer", "comment"),
    (f"POST {CASE}/reply", "text"),
]
BAD_TEXTS = {
    "empty": "",
    "blank": " \n\t　",
    "too long": "字" * 4001,
    "NUL": "a\x00b",
    "bell": "a\x07b",
    "C1 control": "a\x85b",
    "lone surrogate": "a\ud800b",
    "number": 7,
    "list": ["a"],
}
UNREADABLE = {
    "nothing": b"",
    "cut off": b'{"text": "',
    "not UTF-8": b'{"text": "\xff\xfe"}',
    "bottomless": b"[" * 100_000,
    "endless number": b"1" * 5_000,
    "a string": b'"text"',
    "a list": b"[]",
    "null": b"null",
}
LISTS = {
    "/api/intake/issues?mine=true": PHONE,
    "/api/intake/issues?unplaced=true": "P001",
    "/api/routing/cases?": "P003",
    "/api/routing/supervision?": "P003",
    "/api/directory/grids?": "P003",
    "/api/directory/departments?": "P003",
    "/api/directory/places?": "P003",
    "/api/notify/messages?": "command",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issue(world: World) -> Issue:
    """An issue that its leader has not accepted yet; nothing here may change it."""
    return await world.report(phone=PHONE)


async def send(issue: Issue, form: str, body: Any, content: bytes | None = None) -> httpx2.Response:
    """`body` as JSON, lone surrogates and all; or `content` as it is."""
    method, _, path = form.partition(" ")
    who = FORMS[form][0]
    headers = {"Content-Type": "application/json"}
    if who:
        headers["Authorization"] = f"Bearer {await issue.world.token(who)}"
    content = json.dumps(body).encode() if content is None else content
    return await issue.world.http.request(method, path.format(id=issue.id), headers=headers, content=content)


def refused(answer: httpx2.Response, status: int) -> list[str]:
    """Checks the form of a refusal; gives the fields it names."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert set(problem) >= FIELDS
    assert (problem["status"], problem["instance"]) == (status, answer.url.path)
    assert problem["type"].startswith("urn:chuishao:problem:")
    said = [problem["title"], problem["detail"], *(error["msg"] for error in problem["errors"])]
    assert all(any("一" <= letter <= "鿿" for letter in text) and " / " in text for text in said)
    return [".".join(map(str, error["loc"])) for error in problem["errors"]]


def slug(answer: httpx2.Response) -> str:
    return str(answer.json()["type"].rpartition(":")[2])


async def everything(world: World) -> dict[str, Any]:
    """How many rows there are, and how often a case or a post was changed."""
    counts = {
        "issues": "SELECT count(*) FROM intake.issue",
        "people": "SELECT count(*) FROM vault.person",
        "acts": "SELECT count(*) FROM routing.history",
        "events": "SELECT sum(seq) FROM routing.cases",
        "notes": "SELECT count(*) FROM routing.notes",
        "answers": "SELECT count(*) FROM routing.answers",
        "directory": "SELECT count(*) FROM directory.outbox",
        "absences": "SELECT count(*) FROM directory.absence",
    }
    return {name: await world.scalar(statement) for name, statement in counts.items()}


@asynccontextmanager
async def nothing_happens(world: World) -> AsyncIterator[None]:
    await world.settle()
    before = await everything(world)
    yield
    await world.settle()
    assert await everything(world) == before


def put(body: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """The body with one field (`place.address`: of a part) changed."""
    outer, _, inner = field.partition(".")
    return {
        **body,
        outer: {"system": "12345", "number": "7", inner: value}
        if outer == "external"
        else {inner: value}
        if inner
        else value,
    }


# -- the body --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", FORMS)
async def test_what_cannot_be_read_is_422_and_names_the_body(issue: Issue, form: str) -> None:
    async with nothing_happens(issue.world):
        for content in UNREADABLE.values():
            fields = refused(await send(issue, form, None, content), 422)
            assert [field.split(".")[0] for field in fields] == ["body"], content[:20]


@pytest.mark.parametrize("form", FORMS)
async def test_an_unknown_field_is_refused_and_named(issue: Issue, form: str) -> None:
    async with nothing_happens(issue.world):
        assert refused(await send(issue, form, {**FORMS[form][1], "colour": "red"}), 422) == ["body.colour"]


@pytest.mark.parametrize(("form", "field"), FREE_TEXTS)
async def test_a_free_text_is_refused_by_name_whatever_is_wrong_with_it(issue: Issue, form: str, field: str) -> None:
    async with nothing_happens(issue.world):
        for value in BAD_TEXTS.values():
            assert refused(await send(issue, form, put(FORMS[form][1], field, value)), 422) == [f"body.{field}"]


async def test_four_thousand_characters_of_any_plane_are_taken(issue: Issue) -> None:
    answer = await send(issue, f"POST {ISSUES}", {**REPORT, "text": "🏠" * 4000})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("form", "field", "values"),
    [
        (f"POST {ISSUES}", "category", ["XXX.none", "", None, 7, "FAC.light\x00"]),
        (f"POST {ISSUES}", "phone", ["12345", "", "电话", "1391237000112", "+1 555 0100", 13912370001, "139\x001237"]),
        (f"POST {ISSUES}", "place.grid", ["150902-99", "", "x" * 65, "a\x00", 7, "a\ud800"]),
        (f"POST {ISSUES}", "may_contact", ["yes", 1]),
        (f"POST {ISSUES}", "attachments", [[U0] * 10, "x", 7, {"0": U0}]),
        (f"PUT {ISSUES}/{{id}}/place", "grid", ["nowhere", "", None, 7, "a\x00", "a\ud800"]),
        (f"POST {CASE}/accept", "version", ["1", 1.5, True, None, -1, [1]]),
        (f"POST {CASE}/accept", "for", ["P016", 16, "", "P0\x0016", "P\ud800"]),
        (f"POST {CASE}/resolve", "attachments", [[U0] * 10, "x"]),
        (f"POST {CASE}/answer", "solved", ["maybe", None, True]),
        (f"POST {CASE}/answer", "satisfied", [0, 6, "5", 4.5, True]),
        (
            "PUT /api/directory/people/P016/absence",
            "from",
            ["2027-05-01", "2027-05-01T00:00:00", "now", 1700000000, "1700000000", "0001-01-01T00:00:00+08:00", None],
        ),
        ("PUT /api/directory/people/P016/absence", "to", [AWAY["from"], "9999-12-31T23:59:59-12:00"]),
        ("PUT /api/directory/people/P016/absence", "stand_in", ["P016", "P999", "", 16, "P0\x0016", "P\ud800"]),
        (f"PUT /api/directory/grids/{U1}/posts/leader", "person", ["P999", "", 16, "P0\x0016", "P\ud800"]),
    ],
)
async def test_a_wrong_or_unknown_value_is_refused_and_its_field_named(
    issue: Issue, form: str, field: str, values: list[Any]
) -> None:
    async with nothing_happens(issue.world):
        for value in values:
            assert refused(await send(issue, form, put(FORMS[form][1], field, value)), 422) == [f"body.{field}"]


async def test_every_wrong_field_is_named_at_once(issue: Issue) -> None:
    wrong = {"category": "X", "text": "", "place": {"grid": 7}, "phone": "1", "own": "no"}
    fields = refused(await send(issue, f"POST {ISSUES}", wrong), 422)
    assert sorted(fields) == ["body.category", "body.own", "body.phone", "body.place.grid", "body.text"]


async def test_what_was_sent_is_never_in_the_refusal(issue: Issue) -> None:
    """It may be a phone or a name; the log and the page of whoever stands by would have it."""
    canary = "王小明13987654321"
    for form, (_, body) in FORMS.items():
        for field in body or {"text": ""}:
            for value in (canary + "\x00", {"x": canary}, canary * 400):
                answer = await send(issue, form, {**body, field: value})
                assert answer.status_code in (409, 422)
                assert "王小明" not in answer.text
                assert "13987654321" not in answer.text
        answer = await send(issue, form, None, f'{{"text": "{canary}'.encode())
        assert "13987654321" not in answer.text
    for query in ("phase", "level", "grid", "cursor", "limit", "holder"):
        answer = await issue.world.call("GET", f"/api/routing/cases?{query}={canary}", "P003")
        refused(answer, 422)
        assert "13987654321" not in answer.text


@pytest.mark.parametrize("form", [f"POST {ISSUES}", f"POST {CASE}/accept", f"POST {CASE}/answer"])
@pytest.mark.parametrize("told", [True, False], ids=["its length is told", "its length is not told"])
async def test_a_body_over_256_kib_is_413(issue: Issue, form: str, told: bool) -> None:
    content = b'{"text": "' + b"x" * 256 * 1024

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 10_000):
            yield content[start : start + 10_000]

    async with nothing_happens(issue.world):
        answer = await send(issue, form, None, content if told else pieces())  # type: ignore[arg-type]
        assert refused(answer, 413) == []


# -- filters, cursors, pages -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("who", "path", "field"),
    [
        ("P003", "/api/routing/cases?phase=done", "phase"),
        ("P003", "/api/routing/cases?level=室", "level"),
        ("P003", "/api/routing/cases?grid=150902-99", "grid"),
        ("P003", "/api/routing/cases?grid=%00", "grid"),
        ("P003", "/api/routing/cases?grid=", "grid"),
        ("P003", "/api/routing/cases?holder=P016", "holder"),
        ("P003", "/api/routing/cases?limit=0", "limit"),
        ("P003", "/api/routing/cases?limit=201", "limit"),
        ("P003", "/api/routing/supervision?grid=150902-99", "grid"),
        ("P003", "/api/routing/supervision?grid=%00", "grid"),
        ("P003", "/api/routing/supervision?limit=x", "limit"),
        ("P003", "/api/intake/issues", "ids"),
        ("P003", "/api/intake/issues?ids=x", "ids"),
        ("P003", "/api/intake/issues?mine=perhaps", "mine"),
        ("P003", "/api/intake/issues?unplaced=perhaps", "unplaced"),
        ("command", "/api/notify/messages?issue=x", "issue"),
        ("P003", "/api/directory/grids?parent=%00", "parent"),
        ("P003", "/api/directory/grids?level=室", "level"),
    ],
)
async def test_an_unknown_value_of_a_filter_is_422(world: World, who: str, path: str, field: str) -> None:
    assert refused(await world.call("GET", path, who), 422) == [f"query.{field}"]


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_that_is_none_of_ours_is_422(world: World, path: str) -> None:
    bad = [[], [1, 2, 3], {"a": 1}, "x", 7, ["\x00"], [None], [[]], ["x", "y"], ["2026-11-24T10:00:00", U0]]
    cursors = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in bad]
    for cursor in ("!!", "é", "%00", *cursors):
        assert refused(await world.call("GET", f"{path}&cursor={cursor}", LISTS[path]), 422) == ["query.cursor"]


async def walk(world: World, path: str, who: str) -> list[dict[str, Any]]:
    """All pages of a list, two items each."""
    found: list[dict[str, Any]] = []
    more = ""
    while True:
        answer = await world.call("GET", f"{path}&limit=2{more}", who)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["items"]) <= 2
        found += body["items"]
        if body["next"] is None:
            return found
        more = f"&cursor={body['next']}"


async def test_walking_all_pages_gives_each_item_once_oldest_first(world: World) -> None:
    """Whatever is done to the items meanwhile; closed cases included."""
    phone, village = "13912370077", f"{C[:-1]}2"
    issues = [await world.report(village, phone=phone) for _ in range(3)]
    issues += [await world.report(village, phone=phone, category=each) for each in ("ENV.tree", "HYG.garbage")]
    ids = [each.id for each in issues]
    assert (await issues[1].try_say("withdraw")).status_code == 200
    await world.sql(
        "UPDATE routing.cases SET supervised_at = clock_now(), supervised_why = 'promise' WHERE id = ANY(:ids)", ids=ids
    )
    await world.settle()
    cases = [item["id"] for item in await walk(world, f"/api/routing/cases?grid={village}", "P006")]
    assert cases == ids
    assert [item["id"] for item in await walk(world, "/api/intake/issues?mine=true", phone)] == ids
    assert [item["id"] for item in await walk(world, f"/api/intake/issues?ids={','.join(ids)}", "P006")] == ids
    listed = [item["id"] for item in await walk(world, f"/api/routing/supervision?grid={village}", "P006")]
    assert listed == [id_ for id_ in ids if id_ != issues[1].id]
    told = await walk(world, f"/api/notify/messages?issue={ids[0]}", "command")
    assert {message["reason"] for message in told} == {"received", "assigned"}
    assert [message["id"] for message in told] == sorted({message["id"] for message in told})


# -- who ---------------------------------------------------------------------------------------------------------
def bad_tokens() -> Iterator[str]:
    now = datetime.now(UTC)
    claims = {"iat": now, "exp": now + timedelta(hours=1), "sub": "role:command", "role": "command"}
    yield "Bearer x"
    yield "Bearer"
    yield "Basic Y29tbWFuZDp4"
    yield issue_token(KEYS, Principal(role="command"))  # without a scheme
    yield f"Bearer {issue_token(KEYS, Principal(role='command'), hours=-1)}"
    yield f"Bearer {jwt.encode(claims, 'another secret, long enough to be one', algorithm='HS256')}"
    yield f"Bearer {jwt.encode(claims, None, algorithm='none')}"
    yield f"Bearer {jwt.encode({**claims, 'role': None, 'sub': 'nobody'}, KEYS.token_secret, algorithm='HS256')}"


async def test_a_token_that_is_not_good_is_401_and_never_taken_for_none(issue: Issue) -> None:
    for token in bad_tokens():
        for path in (f"/api/routing/cases/{issue.id}", f"/api/routing/track/{issue.id}?code={issue.code}"):
            answer = await issue.world.http.get(path, headers={"Authorization": token})
            assert refused(answer, 401) == []
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_address_that_leads_nowhere_is_404_and_another_method_405(issue: Issue) -> None:
    assert refused(await issue.world.call("GET", "/api/routing/nothing", "P016"), 404) == []
    assert refused(await issue.world.call("DELETE", f"/api/routing/cases/{issue.id}", "P016"), 405) == []


@pytest.mark.parametrize("act", ["return", "suspend", "extend", "merge", "out-of-scope", "hand-over"])
async def test_acts_that_are_not_there_yet_are_neither_offered_nor_done(issue: Issue, act: str) -> None:
    for who in ("P016", "P003", "command"):
        assert act not in (await issue.case(who))["can"]
        assert (await issue.try_act(act, who, reason="x")).status_code in (404, 409)


# -- conflicts ---------------------------------------------------------------------------------------------------
async def test_an_act_the_state_does_not_allow_is_409_with_the_state_and_what_is_allowed(world: World) -> None:
    issue = await world.report()
    early = await issue.try_act("resolve", "P016", reply="换了")
    assert refused(early, 409) == []
    assert (slug(early), early.json()["phase"]) == ("wrong-state", "assigned")
    assert early.json()["can"] == ["accept", "escalate", "ask"]
    unasked = await issue.try_say("answer", solved="yes")
    assert (slug(unasked), unasked.json()["phase"], unasked.json()["can"]) == ("wrong-state", "assigned", ["withdraw"])


async def test_a_stale_version_is_409_with_the_case_as_get_shows_it(world: World) -> None:
    issue = await world.report()
    await issue.act("accept", "P016")
    stale = await issue.try_act("escalate", "P016", version=1, reason="办不了")
    assert refused(stale, 409) == []
    case = await issue.case("P016")
    assert slug(stale) == "already-moved"
    assert {**stale.json()["case"], "now": None} == {**case, "now": None}
    assert stale.json()["can"] == case["can"] == ["escalate", "ask", "resolve"]


async def test_where_state_and_version_are_both_wrong_the_state_is_said(world: World) -> None:
    issue = await world.report()
    await issue.act("accept", "P016")
    assert slug(await issue.try_act("accept", "P016", version=1)) == "wrong-state"


async def test_a_refused_act_changes_nothing(world: World) -> None:
    issue = await world.report()
    async with nothing_happens(world):
        await issue.try_act("resolve", "P016", reply="换了")
        await issue.try_act("accept", "P016", version=0)
        await issue.try_say("reply", text="三楼")


# -- once ---------------------------------------------------------------------------------------------------------
async def test_an_act_repeated_with_its_key_gives_its_first_answer_whatever_happened_since(world: World) -> None:
    issue = await world.report()
    first = await issue.try_act("accept", "P016", version=1, key="k-accept")
    await issue.act("escalate", "P016", reason="办不了")
    async with nothing_happens(world):
        again = await issue.try_act("accept", "P016", version=1, key="k-accept")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()


async def test_a_key_with_another_body_is_422_and_nothing_happens(world: World) -> None:
    issue = await world.report()
    assert (await issue.try_act("accept", "P016", version=1, key="k-other")).status_code == 200
    async with nothing_happens(world):
        for act, body in (("accept", {"version": 2}), ("escalate", {"reason": "x"}), ("accept", {"for": "P016"})):
            answer = await issue.try_act(act, "P016", key="k-other", **body)
            assert refused(answer, 422) == ["header.Idempotency-Key"]


async def test_a_refusal_is_not_kept_under_its_key(world: World) -> None:
    issue = await world.report()
    assert (await issue.try_act("resolve", "P016", version=2, reply="换了", key="k-later")).status_code == 409
    await issue.act("accept", "P016")
    assert (await issue.try_act("resolve", "P016", version=2, reply="换了", key="k-later")).status_code == 200


async def say(issue: Issue, act: str, key: str, **body: Any) -> httpx2.Response:
    path = f"/api/routing/cases/{issue.id}/{act}?code={issue.code}"
    return await issue.world.http.post(path, headers={"Idempotency-Key": key}, json=body)


async def test_by_code_a_key_counts_for_its_case(world: World) -> None:
    one, two = await world.report(), await world.report()
    for issue in (one, two):
        await issue.act("accept", "P016")
        await issue.act("resolve", "P016", reply="换了")
    first = await say(one, "answer", "same", solved="yes")
    assert (first.status_code, first.json()["closed_how"]) == (200, "confirmed")
    assert (await say(one, "answer", "same", solved="yes")).json() == first.json()
    assert refused(await say(one, "answer", "same", solved="no"), 422) == ["header.Idempotency-Key"]
    assert refused(await say(one, "withdraw", "same"), 422) == ["header.Idempotency-Key"]
    assert (await say(two, "answer", "same", solved="partly")).status_code == 200


async def test_by_code_withdraw_and_reply_are_done_once_too(world: World) -> None:
    issue = await world.report()
    await issue.act("ask", "P016", text="几楼？")
    for act, body in (("reply", {"text": "三楼"}), ("withdraw", {})):
        first = await say(issue, act, f"k-{act}", **body)
        assert first.status_code == 200
        async with nothing_happens(world):
            assert (await say(issue, act, f"k-{act}", **body)).json() == first.json()
    assert refused(await say(issue, "withdraw", "k-again"), 409) == []


async def test_one_key_thirty_times_at_once_is_one_act(world: World) -> None:
    issue = await world.report()
    presses = [issue.try_act("accept", "P016", version=1, key="k-thirty") for _ in range(30)]
    answers = await asyncio.gather(*presses)
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json() == answers[0].json() for answer in answers)


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_that_is_none_is_refused(issue: Issue, key: str) -> None:
    path = f"/api/routing/cases/{issue.id}/withdraw?code={issue.code}"
    answer = await issue.world.http.post(path, headers={"Idempotency-Key": key}, json={})
    assert refused(answer, 422) == ["header.Idempotency-Key"]


# -- the database away -------------------------------------------------------------------------------------------
SERVICES = {
    "intake": ("POST", ISSUES, None, REPORT),
    "routing": ("GET", "/api/routing/cases", "P003", None),
    "directory": ("GET", f"/api/directory/grids/{U2}", "P003", None),
    "notify": ("GET", "/api/notify/messages", "command", None),
}


@asynccontextmanager
async def shut_out(world: World, service: str) -> AsyncIterator[None]:
    """A service whose every connection is cut, and which gets no new one."""
    role = f"chuishao_{service}"
    url = make_url(service_url(world.target.postgres, service, KEYS))
    inside = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        await world.sql(f"ALTER ROLE {role} CONNECTION LIMIT 0")
        await inside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
        )
        yield
    finally:
        await world.sql(f"ALTER ROLE {role} CONNECTION LIMIT -1")
        await inside.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_without_its_database_a_service_says_503_and_is_back_by_itself(world: World, service: str) -> None:
    method, path, who, body = SERVICES[service]
    token = {"Authorization": f"Bearer {await world.token(who)}"} if who else {}

    async def ask() -> httpx2.Response:
        return await world.http.request(method, path, headers={**token, "Idempotency-Key": "k-away"}, json=body)

    async with shut_out(world, service):
        for _ in range(3):
            answer = await ask()
            assert refused(answer, 503) == []
            assert int(answer.headers["retry-after"]) >= 1
        assert (await world.http.get(f"/api/{service}/readyz")).status_code == 503
        assert (await world.http.get(f"/api/{service}/livez")).status_code == 200
    assert (await ask()).is_success
    await world.settle()


async def test_an_empty_pool_is_503_too(world: World) -> None:
    url = service_url(world.target.postgres, "directory", KEYS)
    context = replace(world.parts.contexts["directory"], engine=make_engine(url, pool=1))
    transport = httpx2.ASGITransport(build_app(context, directory))
    headers = {"Authorization": f"Bearer {await world.token('P003')}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
        async with context.engine.connect():
            answer = await http.get(f"/grids/{U2}", timeout=20)
            assert refused(answer, 503) == []
            assert "retry-after" in answer.headers
        assert (await http.get(f"/grids/{U2}")).status_code == 200
    await context.engine.dispose()


# -- faults ------------------------------------------------------------------------------------------------------
async def test_a_fault_tells_neither_the_caller_nor_the_log_what_was_sent(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    router = APIRouter()

    @router.post("/fault")
    async def fault() -> None:
        raise RuntimeError("王小明 13987654321")

    service = Service("directory", directory.migrations, router)
    app = build_app(world.parts.contexts["directory"], service)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
        with capture_logs() as logs:
            answer = await http.post("/fault")
    assert refused(answer, 500) == []
    assert "139" not in answer.text
    assert [line["event"] for line in logs] == ["http.fault"]
    assert "139" not in f"{logs} {caplog.text}"
