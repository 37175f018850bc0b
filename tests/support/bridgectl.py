"""bridgectl for tests: reports made by hand, an engine that lists what it is told, a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from typer.testing import CliRunner, Result

from bridge_operator.cli.main import app
from bridge_operator.cli.tools import Tools
from bridge_operator.engine import Container, Engine, EngineNotFound, EngineTransient, LogRequest
from bridge_operator.report import (
    EVENTS_FILE,
    STATUS_FILE,
    BridgeReport,
    Condition,
    Event,
    ManifestProblem,
    OperatorReport,
    ReplicaReport,
)
from bridge_operator.settings import Settings

NOW = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)
INSTANCE = "plant"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def condition(conditionType: str, status: str, reason: str, message: str = "", seconds: float = 200) -> Condition:
    return Condition.model_validate(
        {"type": conditionType, "status": status, "reason": reason, "message": message}
        | {"lastTransitionTime": ago(seconds), "observedGeneration": 3}
    )


def ready(replicas: int = 1) -> tuple[Condition, ...]:
    return (
        condition("Ready", "True", "AllReplicasReady", f"{replicas} of {replicas} replicas are ready"),
        condition("Progressing", "True", "RolloutComplete"),
        condition("ManifestValid", "True", "Valid"),
        condition("Degraded", "False", "AsExpected"),
    )


def replica(ordinal: int, bridge: str = "orders", **changes: Any) -> ReplicaReport:
    return ReplicaReport.model_validate(
        {
            "ordinal": ordinal,
            "container": f"{INSTANCE}-{bridge}-{ordinal}",
            "containerId": f"id-{bridge}-{ordinal}",
            "state": "running",
            "health": "healthy",
            "updated": True,
            "ready": True,
            "startedAt": ago(200),
        }
        | changes
    )


def bridge(name: str = "orders", **changes: Any) -> BridgeReport:
    return BridgeReport.model_validate(
        {
            "name": name,
            "source": "plant-floor",
            "target": "headquarters",
            "generation": 3,
            "observedGeneration": 3,
            "replicas": 1,
            "readyReplicas": 1,
            "updatedReplicas": 1,
            "lag": 0,
            "recordsCopied": 1234,
            "conditions": ready(),
            "replicaReports": (replica(0, name),),
        }
        | changes
    )


def problem(**changes: Any) -> ManifestProblem:
    return ManifestProblem.model_validate(
        {
            "file": "bridges/orders.yaml",
            "line": 14,
            "column": 13,
            "fieldPath": "spec.replicas",
            "found": "99",
            "expected": "a whole number from 0 to 64",
            "kind": "KafkaBridge",
            "name": "orders",
        }
        | changes
    )


def report(*bridges: BridgeReport, **changes: Any) -> OperatorReport:
    return OperatorReport.model_validate(
        {
            "instance": INSTANCE,
            "startedAt": ago(7200),
            "writtenAt": ago(2),
            "engineReachable": True,
            "bridges": bridges,
        }
        | changes
    )


def container(ordinal: int = 0, bridge: str = "orders", **changes: Any) -> Container:
    values: dict[str, object] = {
        "id": f"id-{bridge}-{ordinal}",
        "name": f"{INSTANCE}-{bridge}-{ordinal}",
        "bridge": bridge,
        "ordinal": ordinal,
        "generation": 3,
        "specHash": "a",
        "state": "running",
        "health": "healthy",
        "createdAt": ago(500).timestamp(),
    }
    return Container(**(values | changes))  # type: ignore[arg-type]


@dataclass
class Desk:
    """One user's bridgectl. `containers` None: the engine does not answer. `turns` run between two looks of a watch.

    `logs` is by container id.
    """

    folder: Path
    containers: Sequence[Container] | None = None
    turns: list[Callable[[], None]] = field(default_factory=list)
    logs: dict[str, Iterable[str]] = field(default_factory=dict)
    logRequests: list[LogRequest] = field(default_factory=list)
    engineCalls: int = 0
    passed: float = 0.0
    """Seconds by which the clock is ahead of NOW."""

    @property
    def stateDir(self) -> Path:
        return self.folder / "state"

    @property
    def manifestsDir(self) -> Path:
        return self.folder / "manifests"

    def write(self, report: OperatorReport) -> None:
        self.write_raw(report.model_dump_json())

    def write_raw(self, text: str) -> None:
        self.stateDir.mkdir(exist_ok=True)
        (self.stateDir / STATUS_FILE).write_text(text)

    def write_events(self, *events: Event, trailing: str = "") -> None:
        self.stateDir.mkdir(exist_ok=True)
        text = "".join(event.model_dump_json() + "\n" for event in events)
        (self.stateDir / EVENTS_FILE).write_text(text + trailing)

    def run(self, *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None) -> Result:
        settings = Settings(
            instance=INSTANCE,
            stateDir=self.stateDir,
            manifestsDir=self.manifestsDir,
            schemasDir=self.folder / "schemas",
        )
        tools = Tools(settings, lambda: NOW + timedelta(seconds=self.passed), self._engine, self._pause)
        return CliRunner().invoke(app, list(arguments), obj=tools, input=stdin, env=env, prog_name="bridgectl")

    def _engine(self) -> Engine:
        self.engineCalls += 1
        return cast(Engine, ListingEngine(self.containers, self.logs, self.logRequests))

    def _pause(self, seconds: float) -> None:
        assert seconds > 0
        if not self.turns:
            raise KeyboardInterrupt
        self.turns.pop(0)()


@dataclass
class ListingEngine:
    """Answers with its list and its logs, by container id, or not at all."""

    listed: Sequence[Container] | None
    written: Mapping[str, Iterable[str]]
    requests: list[LogRequest]

    def containers(self, bridge: str | None = None) -> list[Container]:
        if self.listed is None:
            raise EngineTransient("the engine does not answer: no such file: /run/engine/docker.sock")
        return [one for one in self.listed if bridge in (None, one.bridge)]

    def logs(self, containerId: str, wanted: LogRequest) -> Iterator[str]:
        self.requests.append(wanted)
        if containerId not in self.written:
            raise EngineNotFound(f"no such container: {containerId}")
        yield from self.written[containerId]
