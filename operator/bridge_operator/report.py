"""What the operator says of every bridge: the model behind `status.json`, bridgectl and the console.

The operator writes it, others read it; terms and shapes follow the Kubernetes conventions for conditions and events.
Times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

STATUS_FILE = "status.json"
EVENTS_FILE = "events.jsonl"

ConditionType = Literal["Ready", "Progressing", "SourceReachable", "TargetReachable", "ManifestValid", "Degraded"]
ConditionStatus = Literal["True", "False", "Unknown"]


class ReportModel(BaseModel):
    """Frozen; unknown fields are ignored, so that an older bridgectl can read a newer operator's report."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Condition(ReportModel):
    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str = ""
    lastTransitionTime: datetime
    observedGeneration: int = 0


class Event(ReportModel):
    """One thing that happened to a bridge; a line of events.jsonl. An empty `bridge` means the operator itself."""

    time: datetime
    bridge: str = ""
    type: Literal["Normal", "Warning"] = "Normal"
    reason: str
    message: str


class ReplicaReport(ReportModel):
    """One ordinal. `state` and `health` are the engine's words; `updated`: it runs the current spec."""

    ordinal: int
    container: str
    containerId: str = ""
    state: str
    health: str = ""
    updated: bool
    ready: bool
    restarts: int = 0
    startedAt: datetime | None = None
    message: str = ""


class BridgeReport(ReportModel):
    """One bridge as desired and as seen. `lag` is in records, None while no replica tells it.

    `source` and `target` are clusters, the networks those that they are on.
    """

    name: str
    source: str
    target: str
    sourceNetwork: str = ""
    targetNetwork: str = ""
    generation: int
    observedGeneration: int
    replicas: int
    readyReplicas: int
    updatedReplicas: int
    suspended: bool = False
    paused: bool = False
    lag: int | None = None
    recordsCopied: int | None = None
    conditions: tuple[Condition, ...] = ()
    replicaReports: tuple[ReplicaReport, ...] = ()

    def condition(self, conditionType: ConditionType) -> Condition | None:
        """The condition of that type, None where it has not been set yet."""
        return next((one for one in self.conditions if one.type == conditionType), None)


class ManifestProblem(ReportModel):
    """A mistake in a manifest, as `bridge_operator.catalog.Problem`."""

    file: str
    line: int
    column: int
    fieldPath: str
    found: str
    expected: str
    kind: str = ""
    name: str = ""
    reason: str = "InvalidManifest"


class StuckPass(ReportModel):
    """A pass that takes longer than OPERATOR_PASS_DEADLINE_SECONDS: what is told of its bridge may be old."""

    bridge: str
    seconds: float


class OperatorReport(ReportModel):
    """The whole picture. `writtenAt` is renewed every few seconds: an old one means that the operator is down."""

    instance: str
    startedAt: datetime
    writtenAt: datetime
    engineReachable: bool
    engineMessage: str = ""
    managementNetwork: str = ""
    folderFault: str = ""
    problems: tuple[ManifestProblem, ...] = ()
    bridges: tuple[BridgeReport, ...] = ()
    stuckPasses: tuple[StuckPass, ...] = ()


class BridgeHistory(ReportModel):
    """Points in time, in seconds since the epoch, oldest first; in the two others each has its place.

    `lag` in records; `recordsCopied` since the operator watches, over all replicas and their restarts. None: not known.
    """

    times: tuple[float, ...]
    lag: tuple[int | None, ...]
    recordsCopied: tuple[int | None, ...]


class HistoryReport(ReportModel):
    """The last minutes, by bridge. Another `watchedSince` means another operator: counts begin anew."""

    watchedSince: float
    keptSeconds: float
    bridges: dict[str, BridgeHistory] = {}


class EventsReport(ReportModel):
    """The newest events, oldest first."""

    events: tuple[Event, ...] = ()
