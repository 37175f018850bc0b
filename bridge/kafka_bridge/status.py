"""What a bridge says of itself at /status: a typed model, read by the operator and by people.

Like `config`, this module is a contract and imports nothing but pydantic. Times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

# Starting: between init_transactions and the first fetch. Copying: at work, or waiting for records.
# Waiting: a cluster does not answer, the lane tries again. Fenced: another process has taken the lane over.
# Failed: stopped for a named reason that a retry cannot mend.
LaneState = Literal["Starting", "Copying", "Waiting", "Fenced", "Failed"]


class StatusModel(BaseModel):
    """Frozen; unknown fields are ignored, so that an operator can read a newer bridge."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ClusterStatus(StatusModel):
    """Whether one cluster answers. `reachable` is None until it is known; `since` is its last change."""

    name: str
    clusterId: str | None = None
    reachable: bool | None = None
    since: datetime
    message: str = ""


class LaneStatus(StatusModel):
    """One lane: its state, and for Waiting and Failed a CamelCase reason and a sentence.

    `lastCopying` is now while it copies, and None where it never has.
    """

    lane: int
    state: LaneState
    since: datetime
    reason: str = ""
    message: str = ""
    lastCopying: datetime | None = None


class PartitionStatus(StatusModel):
    """One source partition. `position` is the next offset to copy, `lag` the records from there to `endOffset`."""

    topic: str
    partition: int
    lane: int
    position: int | None = None
    endOffset: int | None = None
    lag: int | None = None
    lastProgress: datetime | None = None


class Fault(StatusModel):
    """What keeps a replica from doing all of its work: a CamelCase reason and a sentence."""

    reason: str
    message: str


class Counters(StatusModel):
    """Totals since the process started; `records` and `bytes` count dead letters too."""

    records: int = 0
    bytes: int = 0
    transactionsCommitted: int = 0
    transactionsAborted: int = 0
    deadLetters: int = 0
    fences: int = 0


class GroupStatus(StatusModel):
    """A consumer group of the source: for how many of this replica's partitions its position stands at the target.

    `held` are those whose position could not be told yet.
    """

    group: str
    carried: int
    held: int
    message: str = ""


class BridgeStatus(StatusModel):
    """One replica. `ready`: every owned lane is Copying, both clusters answer, no source topic is missing, no fault.

    `certificatesChanged`: its files hold other ones than it has loaded.
    """

    instance: str
    bridge: str
    ordinal: int
    startedAt: datetime
    ready: bool
    source: ClusterStatus
    target: ClusterStatus
    missingTopics: tuple[str, ...] = ()
    fault: Fault | None = None
    certificatesChanged: bool = False
    lanes: tuple[LaneStatus, ...] = ()
    partitions: tuple[PartitionStatus, ...] = ()
    consumerGroups: tuple[GroupStatus, ...] = ()
    counters: Counters = Counters()
