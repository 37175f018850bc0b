"""What is seen of one bridge in one pass: its containers, and what their processes said last. Pure.

A container's own word counts only while it is fresh, and only about itself: a report is kept by container id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bridge_operator.desired import HealthThresholds, Limits
from bridge_operator.engine import Container
from kafka_bridge.status import BridgeStatus, ClusterStatus

# A report older than this tells nothing: bridges are asked every two seconds.
REPORT_FRESH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """A bridge process's status and when it was received, in seconds since the epoch."""

    status: BridgeStatus
    receivedAt: float


@dataclass(frozen=True, slots=True)
class Ailment:
    """Why a container that runs has to be started anew: a CamelCase reason and a sentence."""

    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Observed:
    """`sightings` is by container id, and so are `limits`, where they have been asked for; `thresholds` are those of
    the bridge, where they are known.
    """

    now: float
    containers: tuple[Container, ...] = ()
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    thresholds: HealthThresholds = field(default_factory=HealthThresholds)
    limits: Mapping[str, Limits] = field(default_factory=dict)

    def report(self, container: Container) -> BridgeStatus | None:
        """What the container's process said, where that is fresh."""
        sighting = self.sightings.get(container.id)
        if sighting is None or container.state != "running" or self.now - sighting.receivedAt > REPORT_FRESH_SECONDS:
            return None
        return sighting.status

    def is_ready(self, container: Container) -> bool:
        """Running, well, and by its own word copying all that it owns between two clusters that answer."""
        report = self.report(container)
        return report is not None and report.ready and self.ailment(container) is None

    def sees_outage(self, container: Container) -> bool:
        """The process runs and says that a cluster does not answer: not its fault."""
        report = self.report(container)
        return report is not None and (report.source.reachable is False or report.target.reachable is False)

    def works(self, container: Container) -> bool:
        """As ready as its spec can make it: ready, but for lanes that a replica of another spec has taken over."""
        report = self.report(container)
        return self.is_ready(container) or (
            report is not None
            and self.ailment(container) is None
            and bool(report.source.reachable and report.target.reachable)
            and not report.missingTopics
            and all(lane.state in ("Copying", "Fenced") for lane in report.lanes)
        )

    def is_settled(self, container: Container) -> bool:
        """As well as it can be: what is missing, if anything, lies outside of it, and another roll may go on."""
        report = self.report(container)
        return self.works(container) or (
            report is not None
            and (
                self.sees_outage(container)
                or (bool(report.missingTopics) and all(lane.state in ("Copying", "Fenced") for lane in report.lanes))
            )
        )

    def ailment(self, container: Container) -> Ailment | None:
        """What a restart may mend, though the process runs."""
        return next((one for at, one in self._suspicions(container) if self.now >= at), None)

    def seconds_to_ailment(self, container: Container) -> float | None:
        """After how long this report would be taken for an ailment, if nothing better came; None: never."""
        return min((at - self.now for at, _ in self._suspicions(container) if at > self.now), default=None)

    def _suspicions(self, container: Container) -> Iterator[tuple[float, Ailment]]:
        """What may be wrong, and when that is certain. Nothing of that while a cluster does not answer."""
        if container.state != "running":
            return
        if container.health == "unhealthy":
            yield self.now, Ailment("Unhealthy", "its health check has failed three times")
        report = self.report(container)
        if report is None or not (report.source.reachable and report.target.reachable):
            return
        answering = max(report.source.since, report.target.since)
        yield from self._stalls(report, answering)
        yield from self._missed_resumptions(report, answering)

    def _stalls(self, report: BridgeStatus, answering: datetime) -> Iterator[tuple[float, Ailment]]:
        """Records are there, and a lane that says that it copies does not copy them."""
        copyingSince = {lane.lane: lane.since for lane in report.lanes if lane.state == "Copying"}
        for one in report.partitions:
            if one.lag and one.lane in copyingSince:
                last = max(one.lastProgress or report.startedAt, copyingSince[one.lane], answering).timestamp()
                why = f"nothing of {one.topic}-{one.partition} was copied for {self.now - last:.0f} s, lag {one.lag}"
                yield last + self.thresholds.stallSeconds, Ailment("Stalled", why)

    def _missed_resumptions(self, report: BridgeStatus, answering: datetime) -> Iterator[tuple[float, Ailment]]:
        """Both clusters answer again, and a lane that lived through that has not copied since.

        A process that is hardly older than their answers has begun with them: a restart would change nothing for it.
        """
        patience = self.thresholds.resumeSeconds
        if (answering - report.startedAt).total_seconds() <= patience:
            return
        for lane in report.lanes:
            if lane.state in ("Waiting", "Starting") and lane.lastCopying is not None and lane.lastCopying <= answering:
                why = f"lane {lane.lane} has not resumed {self.now - answering.timestamp():.0f} s after an outage"
                yield answering.timestamp() + patience, Ailment("NotResumed", why)

    def has_old_certificates(self, container: Container) -> bool:
        report = self.report(container)
        return report is not None and report.certificatesChanged

    def has_fenced_lane(self, container: Container) -> bool:
        report = self.report(container)
        return report is not None and any(lane.state == "Fenced" for lane in report.lanes)

    def cluster_reports(self, side: str) -> list[ClusterStatus]:
        """What every fresh report says of "source" or "target"."""
        reports = [self.report(container) for container in self.containers]
        return [getattr(report, side) for report in reports if report is not None]
