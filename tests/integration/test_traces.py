"""One report, one trace: from HTTP through outbox, Kafka, consumer, clock and notify to the sandbox."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry import configure_tracing, flush_traces, recording, traced
from shared.telemetry.tracing import record_with
from tests.telling import recorded
from tests.world import U1, World

REPORT = ("intake", "SERVER", "POST /api/intake/issues")
TIMED_OUT = ("routing", "INTERNAL", "case timed out")


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    with recorded() as found:
        yield found


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()


def called(span: ReadableSpan) -> tuple[str, str, str]:
    return str(span.resource.attributes["service.name"]), span.kind.name, span.name


def traces(exporter: InMemorySpanExporter, root: tuple[str, str, str]) -> list[list[ReadableSpan]]:
    """The traces that began with such a span, each in the order of its ends."""
    spans = sorted(exporter.get_finished_spans(), key=lambda span: span.end_time or 0)
    roots = [span for span in spans if called(span) == root and span.parent is None]
    return [[span for span in spans if span.context.trace_id == first.context.trace_id] for first in roots]


def orphans(spans: Sequence[ReadableSpan]) -> list[str]:
    known = {span.context.span_id for span in spans}
    return [span.name for span in spans if span.parent and span.parent.span_id not in known]


async def test_report_routing_tick_notify_and_sandbox_are_one_trace(
    world: World, exporter: InMemorySpanExporter
) -> None:
    issue = await world.report(U1)
    await world.advance(hours=5)
    assert await issue.holder() == "P014"
    (trace,) = traces(exporter, REPORT)
    assert orphans(trace) == [], "every span hangs on another one of the trace"
    names = [called(span) for span in trace]
    steps = [
        REPORT,
        ("intake", "PRODUCER", "send issue"),
        ("routing", "CONSUMER", "process issue"),
        ("routing", "PRODUCER", "send case"),
        ("notify", "CONSUMER", "process case"),
        ("notify", "CLIENT", "deliver by wechat"),
        ("sandbox", "SERVER", "POST /sandbox/wechat/cgi-bin/message/template/send"),
        TIMED_OUT,
    ]
    assert [step for step in steps if step not in names] == []
    tick = names.index(TIMED_OUT)
    after = names[tick:]
    assert [step for step in steps[3:7] if step not in after] == [], "the clock's move is told in the same trace"


async def test_many_cases_moved_at_once_each_go_on_in_their_own_trace(
    world: World, exporter: InMemorySpanExporter
) -> None:
    issues = await asyncio.gather(*(world.report(U1, phone=f"1380013900{n}") for n in range(5)))
    await world.advance(hours=5)
    assert {await issue.holder() for issue in issues} == {"P014"}
    found = traces(exporter, REPORT)
    assert len(found) == 5
    for trace in found:
        assert orphans(trace) == []
        assert sum(called(span) == TIMED_OUT for span in trace) == 1
        assert sum(span.name == "process issue" and called(span)[0] == "routing" for span in trace) == 1


async def test_a_leaders_act_is_a_trace_of_its_own_and_what_the_clock_does_later_is_the_reports(
    world: World, exporter: InMemorySpanExporter
) -> None:
    issue = await world.report(U1)
    await issue.act("accept", "P016")
    await world.advance(hours=60)
    (report,) = traces(exporter, REPORT)
    (act,) = traces(exporter, ("routing", "SERVER", "POST /api/routing/cases/{id}/accept"))
    assert ("notify", "CONSUMER", "process case") in [called(span) for span in act]
    assert TIMED_OUT in [called(span) for span in report]


async def test_a_span_tells_of_an_error_by_its_type_alone(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="13987654321"), traced(None, "a failing act"):
        raise ValueError("13987654321")
    (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert span.events == ()


@pytest.mark.parametrize("parent", ["00-" + "z" * 32 + "-" + "1" * 16 + "-01", "13987654321", "00-" + "0" * 32, ""])
async def test_a_traceparent_that_is_none_is_not_handed_on(world: World, parent: str) -> None:
    answer = await world.http.get("/api/intake/categories", headers={"traceparent": parent})
    given = answer.headers["traceparent"]
    assert len(given) == 55
    assert not parent or parent[3:] not in given


async def test_spans_go_out_by_otlp_when_the_standard_variables_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.split("content-length: ")[1].split("\r\n")[0])
        bodies.append(head.split(" ")[1].encode() + b"\n" + await reader.readexactly(size))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(collect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        configure_tracing()
        try:
            with traced(None, "told", service="intake"):
                pass
            await asyncio.to_thread(flush_traces)
        finally:
            record_with(None)
    path, _, body = bodies[0].partition(b"\n")
    assert path == b"/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert resource.scope_spans[0].spans[0].name == "told"
    assert "intake" in [each.value.string_value for each in resource.resource.attributes if each.key == "service.name"]


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"}, True),
    ],
)
def test_nothing_is_recorded_unless_it_is_asked_for(environment: dict[str, str], wanted: bool) -> None:
    configure_tracing(environment)
    try:
        assert recording() is wanted
    finally:
        record_with(None)


def test_without_it_the_sdk_is_not_even_read_in() -> None:
    program = "import chuishao.wiring, sys; sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
