"""README.md names what a user can call and see: commands of bridgectl, scripts, suites, reasons, metrics."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import get_args

import pytest
import typer
from prometheus_client import CollectorRegistry

from bridge_operator.cli import main as cli
from bridge_operator.metrics import OperatorCollector, PassMetrics, Vitals
from bridge_operator.report import ConditionType
from kafka_bridge.metrics import LatencyHistogram, StatusCollector
from kafka_bridge.status import BridgeStatus, ClusterStatus, LaneState
from support.bridgectl import report
from support.project_files import PROJECT_ROOT, commands, read

AT = datetime(2026, 1, 2, tzinfo=UTC)
CLUSTER = ClusterStatus(name="source", since=AT)
STATUS = BridgeStatus(
    instance="plant", bridge="orders", ordinal=0, startedAt=AT, ready=False, source=CLUSTER, target=CLUSTER
)


def commands_of_bridgectl() -> list[str]:
    group = typer.main.get_command(cli.app)
    return sorted(name for name, command in getattr(group, "commands", {}).items() if not command.hidden)


def suites_of_tests() -> list[str]:
    """The words that the help of tests/run lists, each on a line of its own."""
    return re.findall(r"^#   ([a-z][a-z0-9-]*)  ", read("tests/run"), re.MULTILINE)


def reasons_of_bridges() -> list[str]:
    """The words that the bridge's own errors are told by."""
    raised = re.compile(r'\b[A-Z]\w+(?:Error|Record)\(\s*"([A-Z][A-Za-z]+)",')
    sources = (PROJECT_ROOT / "bridge").rglob("*.py")
    return sorted({reason for source in sources for reason in raised.findall(source.read_text())} | {"InvalidRecord"})


def reasons_of_the_operator() -> list[str]:
    """Of conditions and of events: words in CamelCase where it observes, plans and judges; not those of its models."""
    modules = (
        "catalog",
        "conditions",
        "controller",
        "desired",
        "manifest_references",
        "observed",
        "plan",
        "steps",
        "wish",
    )
    words = {
        word
        for module in modules
        for word in re.findall(r'"([A-Z][a-z]+(?:[A-Z][a-z]+)*)"', read(f"operator/bridge_operator/{module}.py"))
    }
    others = {"KafkaCluster", "KafkaBridge", "Normal", "Warning", "True", "False", "Unknown", "Ki", "Mi", "Gi"}
    return sorted(words - others - set(get_args(ConditionType)) - set(get_args(LaneState)))


def test_there_is_something_to_document() -> None:
    assert {"SourceUnreachable", "NameConflict", "Stalled", "ScaledDown", "NetworkReconnected"} <= set(
        reasons_of_the_operator()
    )
    assert {"LanesMismatch", "SourceStalled", "SchemaInvalid"} <= set(reasons_of_bridges())
    assert "status" in commands_of_bridgectl()
    assert suites_of_tests() == ["unit", "integration", "e2e", "chaos-selection", "chaos", "all"]


@pytest.mark.parametrize("command", commands_of_bridgectl())
def test_commands_of_bridgectl(command: str) -> None:
    assert re.search(rf"bridgectl {command}\b", read("README.md")), f"README.md does not show: bridgectl {command}"


@pytest.mark.parametrize("reason", reasons_of_bridges())
def test_reasons_of_lanes(reason: str) -> None:
    assert f"`{reason}`" in read("README.md"), f"README.md does not say what {reason} means"


@pytest.mark.parametrize("condition", get_args(ConditionType))
def test_conditions(condition: str) -> None:
    assert f"`{condition}`" in read("README.md"), f"README.md does not name the condition {condition}"


@pytest.mark.parametrize("reason", reasons_of_the_operator())
def test_reasons_of_the_operator(reason: str) -> None:
    assert f"`{reason}`" in read("README.md"), f"README.md does not name the reason {reason}"


def names_of_metrics() -> list[str]:
    """As a scrape shows them, without the parts of a histogram."""
    bridge, operator = CollectorRegistry(), CollectorRegistry()
    bridge.register(LatencyHistogram())
    bridge.register(StatusCollector(lambda: STATUS))
    PassMetrics(operator)
    operator.register(OperatorCollector(report, lambda: Vitals(0, 0.0, 0.0, None, None)))
    return sorted(
        one.name + ("_total" if one.type == "counter" else "")
        for registry in (bridge, operator)
        for one in registry.collect()
    )


@pytest.mark.parametrize("metric", names_of_metrics())
def test_metrics(metric: str) -> None:
    assert f"`{metric}`" in read("README.md"), f"README.md does not name the metric {metric}"


@pytest.mark.parametrize("script", commands(), ids=str)
def test_scripts(script: str) -> None:
    assert re.search(rf"(?<![\w./-]){re.escape(str(script))}(?![\w-])", read("README.md")), (
        f"not in README.md: {script}"
    )


@pytest.mark.parametrize("suite", suites_of_tests())
def test_suites(suite: str) -> None:
    assert re.search(rf"tests/run[^\n]*\b{suite}\b|`{suite}`", read("README.md")), f"README.md does not name: {suite}"
