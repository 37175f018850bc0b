"""Bridges as the engine alone shows them, for the time in which the operator says nothing.

The engine knows which containers run. It knows neither lag nor whether records cross, so a bridge is never called
Ready here: at best Unknown. What was wanted is taken from the operator's last report, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from bridge_operator.desired import container_name
from bridge_operator.engine import Container
from bridge_operator.report import BridgeReport, Condition, OperatorReport, ReplicaReport

SILENT_REASON = "OperatorNotReporting"
STOPPED_REASON = "ReplicaNotRunning"


def bridges_of_engine(
    containers: Iterable[Container], lastReport: OperatorReport | None, instance: str, now: datetime
) -> tuple[BridgeReport, ...]:
    """Every bridge that has a container, or that the last report knew."""
    byBridge: dict[str, list[Container]] = {}
    for container in containers:
        byBridge.setdefault(container.bridge, []).append(container)
    last = {bridge.name: bridge for bridge in lastReport.bridges} if lastReport is not None else {}
    return tuple(
        _bridge(name, byBridge.get(name, []), last.get(name), instance, now) for name in sorted({*byBridge, *last})
    )


def without_witness(lastReport: OperatorReport | None, now: datetime) -> tuple[BridgeReport, ...]:
    """The last report's bridges, with all that may have changed since made unknown."""
    if lastReport is None:
        return ()
    unknown = _ready("Unknown", SILENT_REASON, "neither the operator nor the engine answers", now)
    return tuple(
        bridge.model_copy(
            update={"conditions": (unknown,), "readyReplicas": 0, "replicaReports": (), "lag": None}
            | {"recordsCopied": None, "updatedReplicas": 0}
        )
        for bridge in lastReport.bridges
    )


def _bridge(
    name: str, containers: list[Container], last: BridgeReport | None, instance: str, now: datetime
) -> BridgeReport:
    byOrdinal: dict[int, Container] = {}
    for container in containers:
        # While an update rolls, the predecessor of a replica is kept under another name.
        if container.name == container_name(instance, name, container.ordinal) or container.ordinal not in byOrdinal:
            byOrdinal[container.ordinal] = container
    wanted = last.replicas if last is not None else len(byOrdinal)
    before = {replica.containerId: replica for replica in last.replicaReports} if last is not None else {}
    replicas = [
        _replica(name, ordinal, byOrdinal.get(ordinal), before, instance)
        for ordinal in sorted({*range(wanted), *byOrdinal})
    ]
    stopped = [replica.message for replica in replicas if replica.ordinal < wanted and not replica.ready]
    stopped = [message for message in stopped if message]
    if stopped:
        ready = _ready("False", STOPPED_REASON, "; ".join(stopped), now)
    else:
        ready = _ready("Unknown", SILENT_REASON, "only the operator can tell whether records cross", now)
    return BridgeReport(
        name=name,
        source=last.source if last is not None else "",
        target=last.target if last is not None else "",
        generation=last.generation if last is not None else max(one.generation for one in containers),
        observedGeneration=last.observedGeneration if last is not None else 0,
        replicas=wanted,
        readyReplicas=sum(replica.ready for replica in replicas),
        updatedReplicas=sum(replica.updated for replica in replicas),
        suspended=last.suspended if last is not None else False,
        paused=last.paused if last is not None else False,
        conditions=(ready,),
        replicaReports=tuple(replicas),
    )


def _replica(
    bridge: str, ordinal: int, container: Container | None, before: dict[str, ReplicaReport], instance: str
) -> ReplicaReport:
    if container is None:
        name = container_name(instance, bridge, ordinal)
        return ReplicaReport(
            ordinal=ordinal, container=name, state="missing", updated=False, ready=False, message=f"{name} is missing"
        )
    last = before.get(container.id)
    return ReplicaReport(
        ordinal=ordinal,
        container=container.name,
        containerId=container.id,
        state=container.state,
        health=container.health,
        updated=last.updated if last is not None else False,
        ready=container.state == "running" and container.health == "healthy",
        restarts=last.restarts if last is not None else 0,
        startedAt=datetime.fromtimestamp(container.createdAt, UTC),
        message=_complaint(container),
    )


def _complaint(container: Container) -> str:
    """What is clearly wrong with a container; nothing while it merely starts."""
    if container.state != "running":
        code = f" ({container.exitCode})" if container.exitCode is not None else ""
        return f"{container.name} is {container.state}{code}"
    return f"{container.name} is unhealthy" if container.health == "unhealthy" else ""


def _ready(status: str, reason: str, message: str, now: datetime) -> Condition:
    return Condition.model_validate(
        {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": now}
    )
