"""From what was seen and decided to conditions, after the Kubernetes conventions. Pure.

Each condition is computed anew in every pass from the whole picture; only the time of its last transition is taken
over from the one before. Unknown is a value: silence is never read as good news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bridge_operator.catalog import Problem
from bridge_operator.desired import Desired, Fault
from bridge_operator.engine import Container
from bridge_operator.observed import Observed
from bridge_operator.plan import Absent, Held, Wish, is_retired, rollout_failed
from bridge_operator.plan import Plan as PassPlan
from bridge_operator.report import Condition, ConditionStatus, ConditionType
from kafka_bridge.status import LaneStatus

# A replica that was started again so often in a row is called crash-looping, as Kubernetes does it.
CRASH_LOOP_COUNT = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """All that conditions are made of. `fault` is what the last pass failed with, e.g. NameConflict."""

    wish: Wish
    observed: Observed
    plan: PassPlan
    suspended: bool = False
    problems: tuple[Problem, ...] = ()
    fault: Fault | None = None
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition without its times."""

    status: ConditionStatus
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class ReplicaCount:
    wanted: int
    updated: int
    ready: int
    present: int
    hashes: Mapping[int, str] = field(default_factory=dict)


def conditions(picture: Picture, before: Sequence[Condition]) -> tuple[Condition, ...]:
    """All six, in the order that people read them in. `before`: those of the pass before."""
    source, target = reachability(picture.observed, "source"), reachability(picture.observed, "target")
    verdicts: dict[ConditionType, Verdict] = {
        "Ready": _ready(picture, source, target),
        "Progressing": _progressing(picture),
        "SourceReachable": source,
        "TargetReachable": target,
        "ManifestValid": _manifest_valid(picture),
        "Degraded": _degraded(picture),
    }
    former = {one.type: one for one in before}
    now = datetime.fromtimestamp(picture.observed.now, UTC)
    return tuple(
        _condition(conditionType, verdict, former.get(conditionType), now, picture.generation)
        for conditionType, verdict in verdicts.items()
    )


def unknown_conditions(before: Sequence[Condition], reason: str, message: str, now: float) -> tuple[Condition, ...]:
    """The same conditions when nothing can be seen any more; what manifests say stays known."""
    at = datetime.fromtimestamp(now, UTC)
    return tuple(
        one if one.type == "ManifestValid" else _condition(one.type, Verdict("Unknown", reason, message), one, at,
                                                           one.observedGeneration)
        for one in before
    )  # fmt: skip


def count(wish: Wish, observed: Observed) -> ReplicaCount:
    """How many replicas there should be, run the current spec, are ready, and are there at all."""
    serving = [one for one in observed.containers if not is_retired(one)]
    hashes = {spec.ordinal: spec.specHash for spec in wish.specs} if isinstance(wish, Desired) else {}
    updated = [one for one in serving if hashes.get(one.ordinal) == one.specHash]
    wanted = wish.replicas if isinstance(wish, Desired) else 0
    return ReplicaCount(wanted, len(updated), sum(observed.is_ready(one) for one in serving), len(serving), hashes)


def reachability(observed: Observed, side: str) -> Verdict:
    """Of "source" or "target": what the replicas that were heard of lately say."""
    heard = observed.cluster_reports(side)
    lost = [one for one in heard if one.reachable is False]
    if lost:
        since = min(one.since for one in lost)
        return Verdict("False", "Unreachable", f"no answer since {since:%Y-%m-%d %H:%M:%S} UTC: {lost[0].message}")
    if any(one.reachable for one in heard):
        return Verdict("True", "Answers")
    return Verdict("Unknown", "NoReport", "no replica has told lately whether it answers")


def _ready(picture: Picture, source: Verdict, target: Verdict) -> Verdict:
    wish, observed = picture.wish, picture.observed
    if isinstance(wish, Absent):
        return Verdict("False", "ManifestDeleted", "the manifest is gone; the bridge is being removed")
    if isinstance(wish, Held):
        return Verdict("Unknown", wish.reason, wish.message)
    if wish.faults:
        return Verdict("False", wish.faults[0].reason, _sentences(wish.faults))
    if wish.replicas == 0:
        if picture.suspended:
            return Verdict("False", "Suspended", "the manifest says suspend: true")
        return Verdict("False", "ScaledToZero", "the manifest asks for no replicas")
    tally = count(wish, observed)
    if source.status == "False":
        return Verdict("False", "SourceUnreachable", source.message)
    if target.status == "False":
        return Verdict("False", "TargetUnreachable", target.message)
    troubles = [*_lane_troubles(observed), *_missing_topics(observed), *_replica_faults(observed)]
    troubles += [Fault(one.reason, one.why) for one in map(observed.ailment, observed.containers) if one is not None]
    if troubles:
        return Verdict("False", troubles[0].reason, _sentences(troubles))
    if tally.ready < wish.replicas:
        waiting = _waiting_lanes(observed)
        reason = waiting[0].reason if waiting else "ReplicasNotReady"
        told = "".join(f"; {one.message}" for one in waiting[:1])
        return Verdict("False", reason, f"{tally.ready} of {wish.replicas} replicas are ready{told}")
    if tally.updated < wish.replicas or tally.present > wish.replicas:
        return Verdict("False", "RolloutNotComplete", f"{tally.updated} of {wish.replicas} run the current spec")
    return Verdict("True", "AllReplicasReady", f"{tally.ready} of {wish.replicas} replicas are ready")


def _progressing(picture: Picture) -> Verdict:
    wish = picture.wish
    if isinstance(wish, Absent):
        return Verdict("True", "Removing")
    if isinstance(wish, Held):
        return Verdict("False", wish.reason, wish.message)
    if wish.paused:
        return Verdict("Unknown", "ReconciliationPaused", "the manifest says paused: true; nothing is done or healed")
    if wish.faults:
        return Verdict("False", wish.faults[0].reason, _sentences(wish.faults))
    if rollout_failed(wish, picture.plan.memory):
        message = f"the new spec was not ready within {wish.progressDeadlineSeconds:.0f} s; rolled back"
        return Verdict("False", "ProgressDeadlineExceeded", message)
    tally = count(wish, picture.observed)
    extra = len(picture.observed.containers) - wish.replicas
    if tally.updated == wish.replicas and extra == 0:
        return Verdict("True", "RolloutComplete")
    return Verdict("True", "RollingUpdate", f"{tally.updated} of {wish.replicas} replicas run the current spec")


def _manifest_valid(picture: Picture) -> Verdict:
    if not picture.problems:
        return Verdict("True", "Valid")
    first, *others = picture.problems
    more = f" (and {len(others)} more)" if others else ""
    return Verdict("False", first.reason, f"{first}{more}; the last good manifest stays in force")


def _degraded(picture: Picture) -> Verdict:
    if picture.fault is not None:
        return Verdict("True", picture.fault.reason, picture.fault.message)
    now = picture.observed.now
    for ordinal, until in sorted(picture.plan.waiting.items()):
        attempts = picture.plan.memory.attempts[ordinal]
        message = f"replica {ordinal} was started again {attempts.count} times; next try in {until - now:.0f} s"
        return Verdict("True", "CrashLoopBackOff", message)
    troubles = _lane_troubles(picture.observed)
    if troubles:
        return Verdict("True", troubles[0].reason, _sentences(troubles))
    return Verdict("False", "AsExpected")


def _lane_troubles(observed: Observed) -> list[Fault]:
    """Lanes that have stopped for a reason that no retry mends."""
    return [
        Fault(lane.reason or "LaneFailed", f"lane {lane.lane}: {lane.message}")
        for lane in _lanes(observed)
        if lane.state == "Failed"
    ]


def _waiting_lanes(observed: Observed) -> list[Fault]:
    """Lanes that try again, for a reason that may pass by itself or not: who looks wants to know it."""
    return [
        Fault(lane.reason, f"lane {lane.lane} waits: {lane.message}")
        for lane in _lanes(observed)
        if lane.state == "Waiting" and lane.reason
    ]


def _lanes(observed: Observed) -> list[LaneStatus]:
    reports = map(observed.report, observed.containers)
    return [lane for report in reports if report is not None for lane in report.lanes]


def _replica_faults(observed: Observed) -> list[Fault]:
    """What keeps replicas from taking up their topics."""
    reports = [observed.report(container) for container in observed.containers]
    return [Fault(one.fault.reason, one.fault.message) for one in reports if one is not None and one.fault is not None]


def _missing_topics(observed: Observed) -> list[Fault]:
    names: set[str] = set()
    for container in observed.containers:
        report = observed.report(container)
        names.update(report.missingTopics if report is not None else ())
    return [Fault("TopicNotFound", f"the source has no topic {', '.join(sorted(names))}")] if names else []


def _sentences(faults: Sequence[Fault]) -> str:
    return "; ".join(dict.fromkeys(fault.message for fault in faults))


def _condition(
    conditionType: ConditionType, verdict: Verdict, former: Condition | None, now: datetime, generation: int
) -> Condition:
    changed = former is None or former.status != verdict.status
    return Condition(
        type=conditionType,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        lastTransitionTime=now if changed or former is None else former.lastTransitionTime,
        observedGeneration=generation,
    )


def last_words(container: Container) -> str:
    """What there is to say of a container that does not run."""
    if container.state == "exited" and container.exitCode is not None:
        return f"exited with code {container.exitCode}"
    return ""
