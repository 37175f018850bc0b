"""What is seen of one bridge in one pass: its containers, and what their processes said last. Pure.

A container's own word counts only while it is fresh, and only about itself: a report is kept by container id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
class Observed:
    """`sightings` is by container id."""

    now: float
    containers: tuple[Container, ...] = ()
    sightings: Mapping[str, Sighting] = field(default_factory=dict)

    def report(self, container: Container) -> BridgeStatus | None:
        """What the container's process said, where that is fresh."""
        sighting = self.sightings.get(container.id)
        if sighting is None or container.state != "running" or self.now - sighting.receivedAt > REPORT_FRESH_SECONDS:
            return None
        return sighting.status

    def is_ready(self, container: Container) -> bool:
        """Running, not unhealthy, and by its own word copying all that it owns between two clusters that answer."""
        report = self.report(container)
        return report is not None and report.ready and container.health != "unhealthy"

    def sees_outage(self, container: Container) -> bool:
        """The process runs and says that a cluster does not answer: not its fault."""
        report = self.report(container)
        return report is not None and (report.source.reachable is False or report.target.reachable is False)

    def works(self, container: Container) -> bool:
        """As ready as its spec can make it: ready, but for lanes that a replica of another spec has taken over."""
        report = self.report(container)
        return self.is_ready(container) or (
            report is not None
            and container.health != "unhealthy"
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

    def has_fenced_lane(self, container: Container) -> bool:
        report = self.report(container)
        return report is not None and any(lane.state == "Fenced" for lane in report.lanes)

    def cluster_reports(self, side: str) -> list[ClusterStatus]:
        """What every fresh report says of "source" or "target"."""
        reports = [self.report(container) for container in self.containers]
        return [getattr(report, side) for report in reports if report is not None]
