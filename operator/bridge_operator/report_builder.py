"""From what the controller last saw of a bridge to what people are shown of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from bridge_operator.accepted import AcceptedBridge
from bridge_operator.catalog import Problem
from bridge_operator.conditions import Picture, count, last_words
from bridge_operator.engine import Container
from bridge_operator.lag import known_lag
from bridge_operator.observed import Observed
from bridge_operator.plan import is_retired
from bridge_operator.report import BridgeReport, Condition, ManifestProblem, ReplicaReport


def bridge_report(
    name: str, accepted: AcceptedBridge | None, picture: Picture, conditions: Sequence[Condition]
) -> BridgeReport:
    """`accepted` is None for a bridge of which only containers are known."""
    observed = picture.observed
    tally = count(picture.wish, observed)
    heard = {one.id: report for one in observed.containers if (report := observed.report(one)) is not None}
    return BridgeReport(
        name=name,
        source=accepted.bridge.spec.source.cluster if accepted else "",
        target=accepted.bridge.spec.target.cluster if accepted else "",
        sourceNetwork=accepted.source.spec.network if accepted else "",
        targetNetwork=accepted.target.spec.network if accepted else "",
        generation=accepted.generation if accepted else 0,
        observedGeneration=picture.generation,
        replicas=tally.wanted,
        readyReplicas=tally.ready,
        updatedReplicas=tally.updated,
        suspended=picture.suspended,
        paused=accepted.bridge.spec.paused if accepted else False,
        lag=known_lag(observed.containers, heard),
        recordsCopied=sum(one.counters.records for one in heard.values()) if heard else None,
        conditions=tuple(conditions),
        replicaReports=tuple(
            _replica_report(one, picture, tally.hashes.get(one.ordinal) == one.specHash)
            for one in sorted(observed.containers, key=lambda one: (one.ordinal, one.name))
        ),
    )


def manifest_problem(problem: Problem) -> ManifestProblem:
    return ManifestProblem(**asdict(problem))


def _replica_report(container: Container, picture: Picture, updated: bool) -> ReplicaReport:
    observed = picture.observed
    report = observed.report(container)
    attempts = picture.plan.memory.attempts.get(container.ordinal)
    return ReplicaReport(
        ordinal=container.ordinal,
        container=container.name,
        containerId=container.id,
        state=container.state,
        health=container.health,
        updated=updated,
        ready=observed.is_ready(container) and not is_retired(container),
        restarts=attempts.total if attempts else 0,
        startedAt=report.startedAt if report is not None else datetime.fromtimestamp(container.createdAt, UTC),
        message=_message(container, picture, observed),
    )


def _message(container: Container, picture: Picture, observed: Observed) -> str:
    if is_retired(container):
        return "kept until its successor is ready"
    until = picture.plan.waiting.get(container.ordinal)
    words = last_words(container)
    if until is not None:
        return f"{words or container.health}; next start in {max(0.0, until - observed.now):.0f} s"
    report = observed.report(container)
    if report is None:
        return words or ("has not told its status" if container.state == "running" else "")
    for lane in report.lanes:
        if lane.state in ("Failed", "Waiting", "Fenced"):
            return f"lane {lane.lane} {lane.state}: {lane.message or lane.reason}"
    return ""
