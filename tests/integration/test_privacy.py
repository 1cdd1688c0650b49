"""Cases 31 and 32: a phone, a name and a sentence are told once, and looked for everywhere else afterwards."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from chuishao.wiring import PARTITIONS, SERVICES, TOPICS
from shared.telemetry import configure_logging
from tests.telling import is_log_line, recorded
from tests.world import U1, Issue, World

PHONE, NAME, DOOR, SENTENCE = "13987654321", "王小明", "502室", "三楼拐角的灯一闪一闪像要着火"
WORDS = f"我叫{NAME}，住1号楼1单元{DOOR}，电话{PHONE}，{SENTENCE}"
CANARIES = (PHONE, NAME, DOOR, SENTENCE)
COMMENT = "来的人一句话不说就走了"
HANDLERS = ("P016", "P014", "P003", "P001", "command")
# The only place of a resident's words, and of what she thinks of the answer.
WORDS_LIE_IN = {"intake.issue": ["text", "address"]}
RATING_LIES_IN = {"routing.answers": ["comment"]}


@dataclass
class Told:
    """What was done, and what came of it: `answers` are those to whoever is not the reporter."""

    world: World
    issue: Issue
    log: Path
    refusals: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    records: list[bytes] = field(default_factory=list)
    spans: list[str] = field(default_factory=list)


@contextmanager
def logged(file: Path) -> Iterator[None]:
    """The whole process logs to a file as a deployment does at its most talkative."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("DEBUG", file)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """The story: told with everything in it, handled, answered "no" with the worst rating, handed on, looked at."""
    log = tmp_path_factory.mktemp("log") / "log.jsonl"
    with logged(log), recorded() as exporter:
        issue = await world.report(U1, text=WORDS, phone=PHONE)
        await world.report(U1, "ENV.tree", text=WORDS, phone=PHONE, may_contact=True)
        found = Told(world, issue, log)
        await _place_by_address(world)
        await _handle(issue)
        await _refuse(found)
        await _look(found)
        found.records = await _records(world)
        found.spans = [span.to_json() for span in exporter.get_finished_spans()]
        yield found


async def _place_by_address(world: World) -> None:
    where = {"address": f"和平路1号楼{DOOR}{NAME}家"}
    body = {"category": "FAC.light", "text": WORDS, "place": where, "phone": PHONE}
    answer = await world.call("POST", "/api/intake/issues", key="k-place", json=body)
    assert answer.status_code == 201
    await world.settle()


async def _handle(issue: Issue) -> None:
    await issue.act("ask", "P016", text="在几楼？")
    await issue.say("reply", text="楼上")
    await issue.act("accept", "P016")
    await issue.act("resolve", "P016", reply="换了灯泡", note="没有备件")
    await issue.say("answer", solved="no", satisfied=1, comment=COMMENT)
    assert await issue.holder() == "P014"
    await issue.world.advance(hours=30)


async def _refuse(told: Told) -> None:
    """Everything that can be wrong with what holds personal data."""
    report = {"category": "FAC.light", "text": WORDS, "place": {"grid": U1}, "phone": PHONE}
    broken: list[dict[str, Any]] = [
        {"phone": f"{PHONE}{PHONE}"},
        {"phone": [PHONE]},
        {"text": WORDS + "\x00"},
        {"text": [WORDS]},
        {"place": {"grid": NAME}},
        {"place": {"address": WORDS * 50}},
        {"place": {"grid": U1, "address": DOOR}},
        {"category": WORDS},
        {"external": {"system": WORDS, "number": PHONE, "more": NAME}},
        {"on_behalf_of": {"phone": NAME}},
    ]
    calls = [("POST", "/api/intake/issues", {**report, **change}) for change in broken]
    case = f"/api/routing/cases/{told.issue.id}"
    calls += [("POST", f"{case}/{act}?code={told.issue.code}", {"text": WORDS}) for act in ("reply", "answer")]
    for method, path, body in calls:
        answer = await told.world.call(method, path, json=body)
        assert answer.status_code in (409, 422), answer.text
        told.refusals.append(answer.text)
    for query in (f"grid={NAME}", f"cursor={PHONE}", f"phase={WORDS}"):
        told.refusals.append((await told.world.call("GET", f"/api/routing/cases?{query}", "P003")).text)


async def _look(told: Told) -> None:
    """Whatever a handler, desk or command can open about the case, but its words."""
    world, id_ = told.world, told.issue.id
    stale = {"version": 1, "reason": "办不了"}
    for who in HANDLERS:
        for name, path in (
            ("case", f"/api/routing/cases/{id_}"),
            ("cases", "/api/routing/cases?limit=200"),
            ("supervision", "/api/routing/supervision"),
            ("messages", f"/api/notify/messages?issue={id_}"),
            ("words", f"/api/intake/issues/{id_}"),
        ):
            told.answers[f"{who} {name}"] = (await world.call("GET", path, who)).text
        answer = await world.call("POST", f"/api/routing/cases/{id_}/escalate", who, json=stale)
        told.answers[f"{who} act"] = answer.text
    told.answers["resident track"] = json.dumps(await told.issue.track(), ensure_ascii=False)


async def _records(world: World) -> list[bytes]:
    """Every record of every topic, from the beginning."""
    prefix = world.target.settings.topic_prefix
    reader = AIOKafkaConsumer(bootstrap_servers=world.target.kafka, group_id=None)
    await reader.start()
    try:
        parts = [TopicPartition(prefix + topic, number) for topic in TOPICS for number in range(PARTITIONS)]
        reader.assign(parts)
        ends = await reader.end_offsets(parts)
        await reader.seek_to_beginning(*parts)
        found: list[bytes] = []
        while any([await reader.position(part) < end for part, end in ends.items()]):
            for batch in (await reader.getmany(timeout_ms=200)).values():
                found += [b"|".join((r.key or b"", r.value or b"", *(v for _, v in r.headers))) for r in batch]
        return found
    finally:
        await reader.stop()


def spelt(canary: str) -> list[str]:
    """The ways it could be written: as it is, escaped in JSON, as bytes in hexadecimal."""
    return [canary, json.dumps(canary)[1:-1], canary.encode().hex()]


def shows(text: str, canaries: tuple[str, ...] = CANARIES) -> list[str]:
    return [canary for canary in canaries if any(way in text for way in spelt(canary))]


async def tables_with(world: World, canaries: tuple[str, ...], but: dict[str, list[str]]) -> list[str]:
    """Tables of every schema with a row that shows one, columns in `but` aside."""
    tables = await world.rows(
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables"
        " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    )
    ways = [f"%{way}%" for canary in canaries for way in spelt(canary)]
    found = []
    for name in (row["name"] for row in tables):
        seen = await world.scalar(
            f"SELECT EXISTS (SELECT FROM {name} t WHERE (to_jsonb(t) - CAST(:but AS text[]))::text LIKE ANY (:ways))",
            but=but.get(name, []),
            ways=ways,
        )
        found += [name] * seen
    assert len(tables) > 50
    return found


# -- case 31 ---------------------------------------------------------------------------------------------------
async def test_case_31_kafka_never_hears_of_it(told: Told) -> None:
    text = b"\n".join(told.records).decode()
    assert told.issue.id in text
    assert "cn.chuishao.notify.message.delivered.v1" in text
    assert shows(text) == []


async def test_case_31_no_table_shows_it_but_the_words_themselves(told: Told) -> None:
    assert await tables_with(told.world, CANARIES, {}) == ["intake.issue"]
    assert await tables_with(told.world, CANARIES, WORDS_LIE_IN) == []


async def test_case_31_no_message_shows_it(told: Told) -> None:
    rows = await told.world.rows("SELECT channel, text FROM sandbox.ledger")
    assert {row["channel"] for row in rows} == {"sms", "wechat"}
    assert shows("\n".join(row["text"] for row in rows)) == []


async def test_case_31_no_log_line_shows_it(told: Told) -> None:
    await told.world.call("GET", f"/api/routing/cases/{told.issue.id}", "P016")
    structlog.get_logger().info("log.on")
    assert "log.on" in told.log.read_text()
    assert shows(told.log.read_text()) == []


async def test_every_line_of_the_log_is_of_the_one_schema(told: Told) -> None:
    structlog.get_logger().info("log.on")
    lines = told.log.read_text().splitlines()
    assert [line for line in lines if not is_log_line(line)] == []
    assert '"log.on"' in lines[-1]


async def test_case_31_no_span_shows_it_nor_the_code_that_opens_the_issue(told: Told) -> None:
    text = "\n".join(told.spans)
    assert "POST /api/routing/cases/{id}/answer" in text
    assert shows(text, (*CANARIES, COMMENT, told.issue.code)) == []


async def test_case_31_no_refusal_shows_it(told: Told) -> None:
    assert len(told.refusals) > 10
    assert shows("\n".join(told.refusals)) == []


async def test_case_31_no_metric_shows_it(told: Told) -> None:
    for service in SERVICES:
        path = "/sandbox" if service.name == "sandbox" else f"/api/{service.name}"
        answer = await told.world.http.get(f"{path}/metrics")
        assert "http_server_request_duration_seconds_count" in answer.text
        assert shows(answer.text) == []
        assert told.issue.id not in answer.text


async def test_case_31_the_phone_is_shown_to_nobody_who_was_not_told_it(told: Told) -> None:
    """The words are for those on the way up, the phone for none of them: it is only in the words."""
    for what, text in told.answers.items():
        assert shows(text) == (list(CANARIES) if what.endswith("words") else []), what
        assert json.loads(text).get("reporter") is None


# -- case 32 ---------------------------------------------------------------------------------------------------
async def test_case_32_the_handler_sees_neither_rating_nor_comment_nor_phone(told: Told) -> None:
    for what, text in told.answers.items():
        assert COMMENT not in text, what
        assert not {"satisfied", "comment", "rating", "score", "phone"} & set(names_in(json.loads(text))), what


async def test_case_32_the_rating_lies_in_one_table_and_is_told_to_nobody(told: Told) -> None:
    assert await tables_with(told.world, (COMMENT,), {}) == ["routing.answers"]
    assert await tables_with(told.world, (COMMENT,), RATING_LIES_IN) == []
    rows = await told.world.rows("SELECT solved, satisfied FROM routing.answers WHERE case_id = :id", id=told.issue.id)
    assert [tuple(row.values()) for row in rows] == [("no", 1)]
    events = [json.loads(record.split(b"|")[1]) for record in told.records]
    assert not {"satisfied", "comment", "rating", "solved"} & set(names_in(events))
    assert shows(told.log.read_text(), (COMMENT,)) == []
    texts = "\n".join(row["text"] for row in await told.world.rows("SELECT text FROM sandbox.ledger"))
    assert shows(texts, (COMMENT,)) == []


async def test_case_32_a_no_says_the_same_whatever_the_rating(world: World) -> None:
    """Nor can the handler work it out from what happens: rating and comment change nothing."""
    seen = []
    for rating in ({}, {"satisfied": 1, "comment": COMMENT}, {"satisfied": 5}):
        issue = await world.report(U1)
        await issue.act("accept", "P016")
        await issue.act("resolve", "P016", reply="换了灯泡")
        await issue.say("answer", solved="no", **rating)
        case = await issue.case("P016")
        hops = [(hop["level"], hop["ended_by"]) for hop in case["hops"]]
        seen.append((case["phase"], case["holder"]["id"], case["version"], case["can"], hops))
    assert seen[0] == seen[1] == seen[2]


def names_in(value: Any) -> Iterator[str]:
    """Every name of a field, however deep."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from names_in(each)
