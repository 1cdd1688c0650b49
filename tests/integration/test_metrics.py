"""Metrics as a running system exports them, and what dashboard, alerts and documentation say about them."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import AggregateExpr, BinaryExpr, Call, MatrixSelector, VectorSelector

from chuishao.wiring import SERVICES
from tests.world import U1, World

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"][
    0
]["rules"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [(title, target["expr"]) for title, target in TARGETS] + [(a["alert"], a["expr"]) for a in ALERTS]
ADDED = {"job", "instance"}
"""Labels that Prometheus puts on whatever it scrapes."""
ITS_OWN = {"up"}
Exported = dict[str, list[dict[str, str]]]
"""Name of a sample → the labels of each."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def exported(world: World) -> Exported:
    """What /metrics says after a case has been reported, has climbed, and people were told."""
    await world.report(U1)
    await world.advance(hours=5)
    await world.call("GET", "/api/routing/no-such-path")
    await world.call("PROPFIND", "/api/intake/categories")
    found: Exported = {}
    for service in SERVICES:
        path = "/sandbox" if service.name == "sandbox" else f"/api/{service.name}"
        answer = await world.http.get(f"{path}/metrics")
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample.labels)
    return found


def parsed(expression: str) -> Any:
    return promql_parser.parse(expression.replace("$__rate_interval", "1m"))


def parts(node: Any) -> Iterator[Any]:
    """A node and everything below it."""
    yield node
    below: list[Any] = []
    if isinstance(node, BinaryExpr):
        below = [node.lhs, node.rhs]
    elif isinstance(node, Call):
        below = list(node.args)
    elif isinstance(node, MatrixSelector):
        below = [node.vector_selector]
    elif hasattr(node, "expr"):
        below = [node.expr]
    for each in below:
        yield from parts(each)


def selectors(node: Any) -> list[VectorSelector]:
    return [each for each in parts(node) if isinstance(each, VectorSelector)]


def labels_of(exported: Exported, node: Any) -> set[str]:
    """Labels of the series that an expression looks at."""
    return ADDED.union(*(labels for each in selectors(node) for labels in exported.get(each.name, [])))


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
async def test_every_expression_asks_for_metrics_and_labels_that_are_exported(
    exported: Exported, where: str, expression: str
) -> None:
    tree = parsed(expression)
    assert selectors(tree)
    for selector in selectors(tree):
        if selector.name in ITS_OWN:
            continue
        assert selector.name in exported, f"{where}: nobody exports {selector.name}"
        for matcher in selector.matchers.matchers:
            values = {labels.get(matcher.name) for labels in exported[selector.name]}
            assert values != {None}, f"{where}: {selector.name} has no label {matcher.name}"
            if "Equal" in str(matcher.op) and "Not" not in str(matcher.op):
                assert matcher.value in values, f"{where}: {matcher.name} is never {matcher.value}"
    for node in parts(tree):
        if isinstance(node, AggregateExpr) and node.modifier:
            unknown = set(node.modifier.labels) - labels_of(exported, node)
            assert not unknown, f"{where}: grouped by {unknown}"


@pytest.mark.parametrize("expression", ["sum by (level (x)", "rate(chuishao_escalations_total)", "x{a=b}", "time("])
def test_an_expression_that_is_none_does_not_parse(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parsed(expression)


# -- the dashboard -------------------------------------------------------------------------------------------------
def test_the_dashboard_is_one_that_grafana_takes() -> None:
    everything = DASHBOARD["panels"]
    assert DASHBOARD["uid"] == "chuishao"
    assert isinstance(DASHBOARD["schemaVersion"], int)
    assert [(v["name"], v["type"], v["query"]) for v in DASHBOARD["templating"]["list"]] == [
        ("datasource", "datasource", "prometheus")
    ]
    assert max(Counter(panel["id"] for panel in everything).values()) == 1
    taken = Counter(
        (x, y)
        for panel in everything
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    )
    assert max(taken.values()) == 1, "two panels lie on one place"
    assert max(x for x, _ in taken) < 24
    assert {panel["type"] for panel in PANELS} == {"stat", "timeseries"}
    for panel in PANELS:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        names = [target["refId"] for target in panel["targets"]]
        assert names == sorted(set(names))
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[title for title, _ in TARGETS])
async def test_a_legend_names_labels_that_its_expression_leaves(
    exported: Exported, title: str, target: dict[str, Any]
) -> None:
    tree = parsed(target["expr"])
    groups = [set(n.modifier.labels) for n in parts(tree) if isinstance(n, AggregateExpr) and n.modifier]
    left = groups[0] if groups else labels_of(exported, tree)
    assert set(re.findall(r"\{\{(\w+)}}", target["legendFormat"])) <= left


# -- the alerts ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
async def test_an_alert_says_how_bad_it_is_what_it_means_and_of_whom(exported: Exported, alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description"}
    tree = parsed(alert["expr"])
    named = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
    groups = [set(n.modifier.labels) for n in parts(tree) if isinstance(n, AggregateExpr) and n.modifier]
    assert named <= (groups[0] if groups else labels_of(exported, tree))


# -- what is exported ----------------------------------------------------------------------------------------------
PREFIX = re.compile(r"^t[0-9a-f]{8}\.")
"""Of the topics and groups of a module of tests."""


async def test_a_label_has_few_values_and_none_of_them_is_an_id_or_a_path(exported: Exported) -> None:
    labels: dict[str, set[str]] = {}
    for each in (each for rows in exported.values() for each in rows):
        for name, value in each.items():
            labels.setdefault(name, set()).add(PREFIX.sub("", value))
    an_id = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}|\d{7}")
    for name, values in labels.items():
        assert len(values) < 100, name
        assert [value for value in values if an_id.search(value) and name != "le"] == [], name
    assert "_OTHER" in labels["http_request_method"]
    assert "" in labels["http_route"]
    assert "/api/routing/no-such-path" not in labels["http_route"]


async def test_the_documentation_names_every_metric_with_its_labels_and_no_other(exported: Exported) -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()
    ours = re.compile(r"^(chuishao|kafka|http)_\w+?(?=(_bucket|_count|_sum|_created)?$)")
    wanted: dict[str, set[str]] = {}
    for name, rows in exported.items():
        if (found := ours.match(name)) and not name.endswith("_created"):
            wanted.setdefault(found[0], set()).update(*({*labels} - {"le"} for labels in rows))
    rows = re.findall(r"^\| `((?:chuishao|kafka|http)_\w+)` \| ([^|]*) \|", text, re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert told == wanted
