"""What /metrics shows of the operator: its passes and their queue, as controller-runtime has them, and all bridges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge_operator.report import OperatorReport

PREFIX = "kafka_bridge_operator"
# A pass with nothing to do takes milliseconds; one that waits for an engine's stop, up to a minute.
PASS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

PassResult = Literal["success", "requeue", "error"]


class PassMetrics:
    """Counts what passes come to. `success`: nothing is left to do; `requeue`: something was done, look again soon."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._passes = Counter(f"{PREFIX}_reconcile", "Passes over a bridge", ["result"], registry=registry)
        self._seconds = Histogram(
            f"{PREFIX}_reconcile_time_seconds", "Duration of a pass", buckets=PASS_BUCKETS, registry=registry
        )
        self._actions = Counter(f"{PREFIX}_actions", "Actions on containers", ["action", "result"], registry=registry)

    def note_pass(self, result: PassResult, seconds: float) -> None:
        self._passes.labels(result).inc()
        self._seconds.observe(seconds)

    def note_action(self, action: str, result: Literal["success", "error"]) -> None:
        """`action` is the name of its class: Spawn, Restart and so on."""
        self._actions.labels(action, result).inc()


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the operator's own loops are. `depth` are the names that are due and wait for a worker, the first of them
    for `oldestSeconds`.
    """

    depth: int
    oldestSeconds: float
    longestPassSeconds: float
    lastEventAt: datetime | None
    lastResyncAt: datetime | None


class OperatorCollector(Collector):
    """Renders report and vitals anew at each scrape."""

    def __init__(self, report: Callable[[], OperatorReport], vitals: Callable[[], Vitals]) -> None:
        self._report = report
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        report, vitals = self._report(), self._vitals()
        for name, text, value in (
            ("engine_reachable", "1 where the engine has answered the last call", float(report.engineReachable)),
            ("manifest_problems", "Mistakes in manifests", len(report.problems)),
            ("workqueue_depth", "Bridges that are due and wait for a worker", vitals.depth),
            ("workqueue_oldest_seconds", "How long the first of them has waited", vitals.oldestSeconds),
            ("workqueue_longest_running_seconds", "How long the longest pass takes by now", vitals.longestPassSeconds),
            ("last_event_timestamp_seconds", "When the engine last told of something", _seconds(vitals.lastEventAt)),
            ("last_resync_timestamp_seconds", "When all was last compared", _seconds(vitals.lastResyncAt)),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value)
        replicas = GaugeMetricFamily(f"{PREFIX}_bridge_replicas", "Replicas", labels=["bridge", "state"])
        conditions = GaugeMetricFamily(
            f"{PREFIX}_bridge_condition", "1 for the status a condition has", labels=["bridge", "type", "status"]
        )
        for bridge in report.bridges:
            counts = {"desired": bridge.replicas, "updated": bridge.updatedReplicas, "ready": bridge.readyReplicas}
            for state, value in counts.items():
                replicas.add_metric([bridge.name, state], value)
            for condition in bridge.conditions:
                conditions.add_metric([bridge.name, condition.type, condition.status], 1)
        yield replicas
        yield conditions


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()
