"""`python docs/pictures.py`: draws `screens/trace.svg` and `screens/dashboard.svg` from a system at work.

Starts `chuishao up` under the demo policy, with Debian's `prometheus` scraping it and a collector of its spans, reports
issues for two minutes, and draws one exported trace, and every panel of `deploy/grafana/dashboard.json` with what
Prometheus answers to its expressions. Grafana itself has no part in it. Takes three minutes.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.running import up
from chuishao.target import find
from shared.embedded.kafka import free_ports

ROOT = Path(__file__).resolve().parents[1]
SCREENS = ROOT / "docs" / "screens"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
C = "150902-01-01"
PLACES = [f"{C}-{rest}" for rest in ("L1-M1-S1-U1", "L1-M1-S1-U2", "L1-M1-S1-U3", "L1-M2-S1-U1", "L2-M1-S1-U1")]
SECONDS = 120
COLOURS = ("#3274d9", "#73bf69", "#f2a13c", "#e0564f", "#8f5bd1", "#2aa5a0", "#c7662f", "#7a8899", "#d16ba5", "#9aa63a")
FONT = 'font-family="system-ui, sans-serif" font-size="11"'


# -- what is drawn ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Span:
    """An exported span; times in seconds."""

    trace: bytes
    id: bytes
    parent: bytes
    service: str
    name: str
    kind: int
    begin: float
    end: float


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(re.findall(r"content-length: (\d+)", head)[0]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                times = span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9
                ids = span.trace_id, span.span_id, span.parent_span_id
                self.spans.append(Span(*ids, named["service.name"], span.name, span.kind, *times))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    def trace(self) -> list[Span]:
        """The first report's, until what came of its first timeout was told."""
        root = min((s for s in self.spans if s.name == "POST /api/intake/issues"), key=lambda span: span.begin)
        trace = [span for span in self.spans if span.trace == root.trace]
        climbed = min(span.end for span in trace if span.name == "case timed out")
        return [span for span in trace if span.begin < climbed + 1.0]


@asynccontextmanager
async def prometheus(target: str, folder: Path) -> AsyncIterator[str]:
    """A Prometheus that scrapes every second; its address."""
    (port,) = free_ports(1)
    config = folder / "prometheus.yml"
    scrape = {"job_name": "chuishao", "metrics_path": "/api/notify/metrics", "static_configs": [{"targets": [target]}]}
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}))
    process = subprocess.Popen(  # noqa: ASYNC220 (a child that lives as long as the block)
        [
            shutil.which("prometheus") or "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def work(url: str) -> None:
    """Reports at five places in turn, and somebody who looks. Nobody acts: the clock does. The first one is alone for a
    while, so that its trace is."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        end, number = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            place = {"grid": PLACES[number % len(PLACES)]}
            body = {"category": "FAC.light", "text": "楼道灯不亮了", "place": place, "phone": f"1380013{number:04}"}
            await client.post("/api/intake/issues", json=body)
            await client.get("/api/intake/categories")
            if number % 7 == 0:
                await client.get("/api/routing/cases")
            number += 1
            await asyncio.sleep(2 if number > 1 else 8)


async def answers(url: str, begin: float, end: float) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """(panel, refId) → the series that Prometheus gives."""
    found = {}
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        for panel in json.loads(DASHBOARD.read_text())["panels"]:
            for target in panel.get("targets", []):
                query = target["expr"].replace("$__rate_interval", "15s")
                span = {"start": f"{begin:.0f}", "end": f"{end:.0f}", "step": "2"}
                answer = await client.get("/api/v1/query_range", params={"query": query, **span})
                found[panel["id"], target["refId"]] = answer.raise_for_status().json()["data"]["result"]
    return found


# -- the trace -------------------------------------------------------------------------------------------------------
def drawn_trace(spans: Sequence[Span]) -> str:
    """Bars by time, each under its parent. Where nothing happens for long the axis is cut."""
    rows = _tree(spans)
    begin = min(span.begin for span in spans)
    pieces = _pieces(spans)
    services = list(dict.fromkeys(span.service for span, _ in rows))
    left, width, line = 330, 640, 20
    spent = sum(b - a for a, b in pieces)

    def x(at: float) -> float:
        before = 0.0
        for number, (a, b) in enumerate(pieces):
            if at <= b or number == len(pieces) - 1:
                share = (before + min(max(at - a, 0), b - a)) / spent
                return left + number * 40 + share * (width - 40 * (len(pieces) - 1))
            before += b - a
        raise AssertionError

    out = [_text(left, 18, f"{(pieces[0][0] - begin) * 1000:.0f} ms")]
    for (_, a), (b, _) in pairwise(pieces):
        out.append(_text((x(a) + x(b)) / 2, 18, f"… {b - a:.1f} s …", 'text-anchor="middle" fill="#888"'))
    for number, (span, depth) in enumerate(rows):
        y = 30 + number * line
        colour = COLOURS[services.index(span.service)]
        wide = max(x(span.end) - x(span.begin), 2)
        out.append(_text(10 + depth * 12, y + 13, f"{span.service}  {_short(span.name)}"))
        out.append(f'<rect x="{x(span.begin):.1f}" y="{y + 3}" width="{wide:.1f}" height="13" rx="2" fill="{colour}"/>')
        out.append(_text(x(span.begin) + wide + 4, y + 13, _seconds(span.end - span.begin), 'fill="#666"'))
    return _svg(1080, 40 + len(rows) * line, out)


def _tree(spans: Sequence[Span]) -> list[tuple[Span, int]]:
    def below(parent: bytes, depth: int) -> list[tuple[Span, int]]:
        found = []
        for span in sorted((s for s in spans if s.parent == parent), key=lambda span: span.begin):
            found += [(span, depth), *below(span.id, depth + 1)]
        return found

    return below(b"", 0)


def _pieces(spans: Sequence[Span], gap: float = 0.3) -> list[tuple[float, float]]:
    """The stretches of time in which something happens."""
    pieces: list[tuple[float, float]] = []
    for span in sorted(spans, key=lambda span: span.begin):
        if pieces and span.begin - pieces[-1][1] < gap:
            pieces[-1] = (pieces[-1][0], max(pieces[-1][1], span.end))
        else:
            pieces.append((span.begin, span.end))
    return pieces


def _short(name: str) -> str:
    return name if len(name) < 38 else f"{name[:18]}…{name[-18:]}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


# -- the dashboard ---------------------------------------------------------------------------------------------------
def drawn_dashboard(found: dict[tuple[int, str], list[dict[str, Any]]], begin: float, end: float) -> str:
    """Every panel where Grafana would put it."""
    dashboard = json.loads(DASHBOARD.read_text())
    out = [f'<rect width="1440" height="100%" fill="#f4f5f5"/>{_text(10, 20, dashboard["title"])}']
    bottom = 0
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y, w, h = place["x"] * 60 + 4, place["y"] * 26 + 34, place["w"] * 60 - 8, place["h"] * 26 - 6
        bottom = max(bottom, y + h)
        if panel["type"] == "row":
            out.append(_text(x + 4, y + 15, panel["title"], 'font-weight="bold" fill="#333"'))
            continue
        out.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="#fff" stroke="#ddd"/>')
        out.append(_text(x + 8, y + 16, panel["title"], 'fill="#333"'))
        series = [
            (_legend(target["legendFormat"], each["metric"]), each["values"])
            for target in panel["targets"]
            for each in found[panel["id"], target["refId"]]
        ]
        draw = _stat if panel["type"] == "stat" else _chart
        out += draw(panel, series, (x + 8, y + 24, w - 16, h - 30), begin, end)
    return _svg(1440, bottom + 10, out)


Series = list[tuple[str, list[tuple[float, str]]]]
Box = tuple[float, float, float, float]


def _stat(panel: dict[str, Any], series: Series, box: Box, _: float, __: float) -> list[str]:
    defaults = panel["fieldConfig"]["defaults"]
    value = float(series[0][1][-1][1]) if series else 0.0
    colour = "#e0564f" if value >= defaults["thresholds"]["steps"][1]["value"] else "#3f9c4f"
    shown = {"percentunit": f"{value * 100:.1f} %", "s": f"{value:.1f} s"}.get(defaults["unit"], f"{value:,.0f}")
    at = f'text-anchor="middle" fill="{colour}" style="font-size:30px"'
    return [_text(box[0] + box[2] / 2, box[1] + box[3] / 2 + 12, shown, at)]


def _chart(panel: dict[str, Any], series: Series, box: Box, begin: float, end: float) -> list[str]:
    x, y, w, h = box[0] + 36, box[1], box[2] - 40, box[3] - 44
    shown = [(name, [(at, float(value)) for at, value in values if value != "NaN"]) for name, values in series]
    shown = [each for each in shown if any(value for _, value in each[1])] or shown[:1]
    top = max([value for _, points in shown for _, value in points] + [1e-9])
    out = [f'<path d="M{x},{y} V{y + h} H{x + w}" fill="none" stroke="#ccc"/>']
    out += [_text(x - 4, y + 10, _number(top), 'text-anchor="end" fill="#888"')]
    out += [_text(x - 4, y + h, "0", 'text-anchor="end" fill="#888"')]
    for number, (name, points) in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{x + (at - begin) / (end - begin) * w:.1f},{y + h - v / top * h:.1f}" for at, v in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        columns = int(box[2] // 100)
        lx, ly = box[0] + number % columns * box[2] / columns, y + h + 18 + number // columns * 12
        if number < 2 * columns:
            out.append(_text(lx, ly, f"— {name}"[:24], f'fill="{colour}" style="font-size:8px"'))
    return out


def _legend(pattern: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)}}", lambda found: labels.get(found[1], ""), pattern)


def _number(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.0f}M"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def _svg(width: int, height: int, inside: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {FONT}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#fff"/>', *inside, "</svg>\n"])


async def main() -> None:
    collector = Collector()
    with tempfile.TemporaryDirectory(prefix="chuishao-pictures-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with await asyncio.start_server(collector.take, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            os.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1"}
            async with up(folder / "data", "--policy", "demo", "--district", "small"):
                url = find(folder / "data").base_url
                async with prometheus(url.removeprefix("http://"), folder) as asked:
                    begin = time.time()
                    await work(url)
                    end = time.time()
                    found = await answers(asked, begin, end)
    (SCREENS / "trace.svg").write_text(drawn_trace(collector.trace()))
    (SCREENS / "dashboard.svg").write_text(drawn_dashboard(found, begin, end))


if __name__ == "__main__":
    asyncio.run(main())
