"""What a replica serves: alive, ready, its status, its metrics; and the health check that asks for it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from kafka_bridge import healthcheck
from kafka_bridge.metrics import LatencyHistogram, StatusCollector
from kafka_bridge.status import BridgeStatus, ClusterStatus, Counters, LaneStatus, PartitionStatus
from kafka_bridge.web import build_app

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
READY = BridgeStatus(
    instance="plant",
    bridge="orders",
    ordinal=1,
    startedAt=NOW,
    ready=True,
    source=ClusterStatus(name="source", clusterId="s", reachable=True, since=NOW),
    target=ClusterStatus(name="target", clusterId="t", reachable=True, since=NOW),
    lanes=(LaneStatus(lane=0, state="Copying", since=NOW), LaneStatus(lane=2, state="Copying", since=NOW)),
    partitions=(
        PartitionStatus(topic="orders", partition=3, lane=0, position=7, endOffset=12, lag=5, lastProgress=NOW),
        PartitionStatus(topic="orders", partition=4, lane=2),
    ),
    counters=Counters(records=11, bytes=222, transactionsCommitted=3, transactionsAborted=4, fences=5),
)


class Replica:
    """A replica whose state the test sets."""

    def __init__(self) -> None:
        self.status = READY
        self.isAlive = True
        self.registry = CollectorRegistry()
        self.latency = LatencyHistogram()
        self.registry.register(self.latency)
        self.registry.register(StatusCollector(lambda: self.status))
        self.client = TestClient(build_app(lambda: self.status, lambda: self.isAlive, self.registry))

    def become(self, **changed: object) -> None:
        self.status = READY.model_copy(update=changed)


@pytest.fixture(name="replica")
def fake_replica() -> Replica:
    return Replica()


def test_healthz_tells_whether_lanes_turn(replica: Replica) -> None:
    assert replica.client.get("/healthz").status_code == 200
    replica.become(ready=False)
    assert replica.client.get("/healthz").status_code == 200, "not ready is no reason to be restarted"
    replica.isAlive = False
    answer = replica.client.get("/healthz")
    assert (answer.status_code, answer.text) == (503, "a lane does not turn\n")


def test_readyz_says_what_is_wrong(replica: Replica) -> None:
    assert replica.client.get("/readyz").status_code == 200
    replica.become(
        ready=False,
        target=ClusterStatus(name="target", reachable=False, since=NOW),
        missingTopics=("late",),
        lanes=(LaneStatus(lane=2, state="Failed", since=NOW, reason="InvalidRecord"),),
    )
    answer = replica.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.text.splitlines() == [
        "cluster target does not answer",
        "source topic late is missing",
        "lane 2 is Failed InvalidRecord",
    ]


def test_status_is_the_typed_model(replica: Replica) -> None:
    answer = replica.client.get("/status")
    assert answer.headers["content-type"] == "application/json"
    assert BridgeStatus.model_validate_json(answer.text) == READY


def test_an_older_operator_reads_a_newer_status() -> None:
    newer = json.loads(READY.model_dump_json()) | {"added": "later"}
    assert BridgeStatus.model_validate(newer) == READY


def test_metrics_show_counts_lag_and_states(replica: Replica) -> None:
    lines = replica.client.get("/metrics").text.splitlines()
    assert {
        "kafka_bridge_record_count_total 11.0",
        "kafka_bridge_byte_count_total 222.0",
        "kafka_bridge_transactions_committed_total 3.0",
        "kafka_bridge_transactions_aborted_total 4.0",
        "kafka_bridge_fences_total 5.0",
        "kafka_bridge_ready 1.0",
        'kafka_bridge_cluster_reachable{cluster="source"} 1.0',
        'kafka_bridge_lane_state{lane="2",state="Copying"} 1.0',
        'kafka_bridge_lag{partition="3",topic="orders"} 5.0',
    } <= set(lines)
    assert not any('partition="4"' in line for line in lines), "an unknown lag is not zero"


def test_metrics_follow_the_status(replica: Replica) -> None:
    replica.become(ready=False, source=ClusterStatus(name="source", reachable=None, since=NOW))
    lines = replica.client.get("/metrics").text.splitlines()
    assert "kafka_bridge_ready 0.0" in lines
    assert 'kafka_bridge_cluster_reachable{cluster="source"} 0.0' in lines


def test_how_far_it_is_behind_a_source_that_is_out_nobody_can_tell(replica: Replica) -> None:
    replica.become(source=ClusterStatus(name="source", reachable=False, since=NOW))
    assert not any(line.startswith("kafka_bridge_lag{") for line in replica.client.get("/metrics").text.splitlines())


def test_latency_is_from_timestamp_to_commit(replica: Replica) -> None:
    replica.latency.observe((1_000_000, 999_960, 1_000_500, -1, 0), 1_000.0)
    lines = replica.client.get("/metrics").text.splitlines()
    name = "kafka_bridge_replication_latency_ms"
    assert f'{name}_bucket{{le="5.0"}} 2.0' in lines, "a clock ahead of ours counts as no delay"
    assert f'{name}_bucket{{le="50.0"}} 3.0' in lines
    assert f"{name}_count 3.0" in lines
    assert f"{name}_sum 40.0" in lines


# ---- the health check


class Answer(http.server.BaseHTTPRequestHandler):
    statusCode = 200
    asked: str | None = None

    def do_GET(self) -> None:  # pylint: disable=invalid-name  # the name that http.server calls
        type(self).asked = self.path
        self.send_response(self.statusCode)
        self.end_headers()
        self.wfile.write(b"a word\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="port")
def health_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    port = server.server_address[1]
    monkeypatch.setenv("BRIDGE_CONFIG", json.dumps({"healthPort": port}))
    yield port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("statusCode", "exitCode"), [(200, 0), (503, 1), (404, 1)])
def test_the_health_check_ends_by_what_healthz_says(
    port: int, statusCode: int, exitCode: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Answer, "statusCode", statusCode)
    assert healthcheck.main() == exitCode
    assert Answer.asked == "/healthz"
    assert capsys.readouterr().out == "a word\n"


def test_a_replica_that_does_not_answer_is_unhealthy(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as free:
        unused = free.server_address[1]
    monkeypatch.setenv("BRIDGE_CONFIG", json.dumps({"healthPort": unused}))
    assert healthcheck.main() == 1
    assert f"no answer on port {unused}" in capsys.readouterr().out
