"""The operator's face without an operator: the real application with the real console, over what a test says.

Time stands still at NOW, so that a page looks the same whenever it is looked at.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from bridge_operator.console import console_routes
from bridge_operator.history import KEPT_SECONDS, History
from bridge_operator.recent_events import RecentEvents
from bridge_operator.report import BridgeReport, Condition, Event, OperatorReport
from bridge_operator.web import build_app
from kafka_bridge.serving import serve
from kafka_bridge.status import BridgeStatus
from support.bridgectl import NOW, ago, bridge, condition, container, replica, report
from support.stack import wait_until

# Of one bridge at an age in seconds: its lag, and records per second.
Figures = Callable[[float], tuple[int, float]]


class PretendOperator:
    """Serves on a port of the loopback, the same one after each start."""

    def __init__(self, links: Mapping[str, str] | None = None) -> None:
        self.report = report(managementNetwork="network2", writtenAt=NOW)
        self.history = History()
        self.events = RecentEvents()
        self.port = free_port()
        self._links = links or {}
        self._end: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def say(
        self, said: OperatorReport, figures: Mapping[str, Figures] | None = None, events: Iterable[Event] = ()
    ) -> None:
        """From now on. The figures are told in rounds of polls, as the health poller does it."""
        self.report, self.history, self.events = said, filled_history(figures or {}), RecentEvents(events)
        if self._end is not None:
            self.stop()
            self.start()

    def start(self) -> None:
        routes = console_routes(self.history, self.events, self._links)
        self._end = serve(build_app(lambda: self.report, CollectorRegistry(), routes), "127.0.0.1", self.port)
        wait_until("the operator answers", lambda: answers(self.port), 10, 0.02)

    def stop(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None
            wait_until("the operator is gone", lambda: not answers(self.port), 10, 0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def filled_history(figures: Mapping[str, Figures], stepSeconds: float = 2.0) -> History:
    age = KEPT_SECONDS
    history = History(lambda: NOW.timestamp() - age)
    copied = dict.fromkeys(figures, 0.0)
    containers = [container(bridge=name) for name in figures]
    while age > 0:
        age -= stepSeconds
        heard = {}
        for one in containers:
            lag, perSecond = figures[one.bridge](age)
            copied[one.bridge] += perSecond * stepSeconds
            heard[one.id] = status_of(one.bridge, lag, int(copied[one.bridge]))
        history.note(containers, heard)
    return history


def status_of(name: str, lag: int, records: int) -> BridgeStatus:
    side = {"name": "any", "reachable": True, "since": NOW}
    partition = {"topic": name, "partition": 0, "lane": 0, "lag": lag}
    return BridgeStatus.model_validate(
        {"instance": "plant", "bridge": name, "ordinal": 0, "startedAt": NOW, "ready": True, "source": side}
        | {"target": side, "partitions": (partition,), "counters": {"records": records}}
    )


def conditions(**changes: Condition) -> tuple[Condition, ...]:
    """All six of a bridge that is well, and what is different, by type."""
    well = [
        condition("Ready", "True", "AllReplicasReady", "all replicas are ready"),
        condition("Progressing", "True", "RolloutComplete"),
        condition("SourceReachable", "True", "Answers"),
        condition("TargetReachable", "True", "Answers"),
        condition("ManifestValid", "True", "Valid"),
        condition("Degraded", "False", "AsExpected"),
    ]
    return tuple(changes.get(one.type, one) for one in well)


def crossing(name: str = "orders", replicas: int = 2, **changes: Any) -> BridgeReport:
    """A bridge from network1 to network3 that is well."""
    return bridge(
        name,
        **{
            "source": "source",
            "target": "target",
            "sourceNetwork": "network1",
            "targetNetwork": "network3",
            "replicas": replicas,
            "readyReplicas": replicas,
            "updatedReplicas": replicas,
            "conditions": conditions(),
            "replicaReports": tuple(replica(ordinal, name, startedAt=ago(5400)) for ordinal in range(replicas)),
        }
        | changes,
    )


def operator_report(*bridges: BridgeReport, **changes: Any) -> OperatorReport:
    return report(*bridges, **({"managementNetwork": "network2", "writtenAt": NOW} | changes))
