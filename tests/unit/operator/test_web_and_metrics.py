"""What the operator serves: alive, ready, its report, its metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from bridge_operator.metrics import OperatorCollector, Vitals
from bridge_operator.report import OperatorReport, StuckPass
from bridge_operator.web import build_app
from support.bridgectl import bridge, problem, report
from support.operator_harness import Harness
from support.operator_harness import bridge as manifest

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Served:
    """An operator's face, over a report that the test sets."""

    def __init__(self) -> None:
        self.report: OperatorReport = report(bridge())
        self.vitals = Vitals(2, 0.5, 3.0, AT, None)
        self.registry = CollectorRegistry()
        self.registry.register(OperatorCollector(lambda: self.report, lambda: self.vitals))
        self.client = TestClient(build_app(lambda: self.report, self.registry))

    def samples(self) -> dict[str, float]:
        return samples_of(self.client.get("/metrics").text)


def samples_of(text: str) -> dict[str, float]:
    """By name and labels as they are written."""
    return {
        f"{one.name}{json.dumps(one.labels, sort_keys=True) if one.labels else ''}": one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


@pytest.fixture(name="served")
def served_report() -> Served:
    return Served()


def test_healthz_names_a_pass_that_is_stuck(served: Served) -> None:
    assert served.client.get("/healthz").status_code == 200
    served.report = report(bridge(), stuckPasses=(StuckPass(bridge="orders", seconds=75),))
    answer = served.client.get("/healthz")
    assert (answer.status_code, answer.text) == (503, "a pass over orders takes 75 s by now\n")


@pytest.mark.parametrize(
    "changes",
    [{"engineReachable": False, "engineMessage": "connection refused"}, {"folderFault": "the folder is gone"}],
)
def test_readyz_says_what_is_missing(served: Served, changes: dict[str, object]) -> None:
    assert served.client.get("/readyz").status_code == 200
    served.report = report(bridge(), **changes)
    answer = served.client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, f"{list(changes.values())[-1]}\n")
    assert served.client.get("/healthz").status_code == 200, "the operator itself is well"


def test_status_is_the_report(served: Served) -> None:
    answer = served.client.get("/status")
    assert answer.headers["content-type"] == "application/json"
    assert OperatorReport.model_validate_json(answer.text) == served.report


def test_metrics_show_loops_and_bridges(served: Served) -> None:
    served.report = report(bridge(replicas=3, readyReplicas=1), problems=(problem(),))
    samples = served.samples()
    assert samples["kafka_bridge_operator_engine_reachable"] == 1
    assert samples["kafka_bridge_operator_manifest_problems"] == 1
    assert samples["kafka_bridge_operator_workqueue_depth"] == 2
    assert samples["kafka_bridge_operator_workqueue_oldest_seconds"] == 0.5
    assert samples["kafka_bridge_operator_workqueue_longest_running_seconds"] == 3
    assert samples["kafka_bridge_operator_last_event_timestamp_seconds"] == AT.timestamp()
    assert samples["kafka_bridge_operator_last_resync_timestamp_seconds"] == 0
    assert samples['kafka_bridge_operator_bridge_replicas{"bridge": "orders", "state": "desired"}'] == 3
    assert samples['kafka_bridge_operator_bridge_replicas{"bridge": "orders", "state": "ready"}'] == 1
    assert samples['kafka_bridge_operator_bridge_condition{"bridge": "orders", "status": "True", "type": "Ready"}'] == 1


def test_passes_and_actions_are_counted(tmp_path: Path) -> None:
    harness = Harness(tmp_path, manifest())
    client = TestClient(build_app(lambda: report(), harness.registry))

    def passes(result: str) -> float:
        found = samples_of(client.get("/metrics").text)
        return found.get(f'kafka_bridge_operator_reconcile_total{{"result": "{result}"}}', 0.0)

    harness.run(20)
    acted, quiet = passes("requeue"), passes("success")
    assert acted >= 1
    assert quiet >= 1
    found = samples_of(client.get("/metrics").text)
    assert found['kafka_bridge_operator_actions_total{"action": "Spawn", "result": "success"}'] == 1
    assert found["kafka_bridge_operator_reconcile_time_seconds_count"] == acted + quiet
    harness.engine.reachable = False
    harness.run(3)
    assert passes("error") >= 1
    harness.engine.reachable = True
    harness.engine.crash("test-orders-0")
    harness.engine.faultAt = ("failBefore", harness.engine.changes + 1)
    before = passes("error")
    harness.look()
    assert passes("error") == before + 1
    found = samples_of(client.get("/metrics").text)
    assert found['kafka_bridge_operator_actions_total{"action": "Start", "result": "error"}'] == 1
