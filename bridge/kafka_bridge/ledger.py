"""What a lane knows of its partitions: what is stored at the target, and what the open transaction will make true.

Pure: times come in, nothing goes out. The lane writes down here what its copier and its producer have done, and reads
off what a commit has to store, when one is due, and what to tell whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kafka_bridge.copier import CopyStep
from kafka_bridge.kafka import Partition, Progress
from kafka_bridge.positions import Position
from kafka_bridge.status import PartitionStatus
from kafka_bridge.transaction_limit import TransactionLimit

# A commit that takes longer is a sign of a target that has more to do: a broker that comes back, replicas catching up.
# What is quicker is a busy machine, no more: resting after that too doubled the delay at p99 with 20,000 records/s.
SLOW_COMMIT_SECONDS = 0.5


@dataclass(slots=True)
class OpenTransaction:
    """Since when it is open, and what it will make true once committed."""

    since: float
    progress: dict[Partition, Progress] = field(default_factory=dict)
    records: int = 0
    bytes: int = 0
    deadLetters: int = 0
    timestamps: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CommitRhythm:
    """A lane commits after `longestSeconds`; once it has caught up at once, but not within `shortestSeconds`."""

    longestSeconds: float
    shortestSeconds: float


class Ledger:
    """Written by the lane's thread; `statuses` and `copied` may be called from any."""

    def __init__(self, rhythm: CommitRhythm) -> None:
        self._rhythm = rhythm
        self.stored: Mapping[Partition, Position] = {}
        """By partition, the position that was last committed."""
        self.open: OpenTransaction | None = None
        self._reached: dict[Partition, int] = {}
        self.hasCaughtUp = False
        """Whether there was nothing more to copy at the last step."""
        self._ends: dict[Partition, int] = {}
        self._lastProgress: dict[Partition, datetime] = {}
        self._lastCommit = float("-inf")
        self._lastCommitTook = 0.0
        self._limit = TransactionLimit()

    # ---- what happens

    def start_from(self, stored: Mapping[Partition, Position]) -> None:
        """Go on from here. Whatever was reached before and not stored has not been copied, and is forgotten."""
        self.stored = stored
        self._reached = {partition: position.offset for partition, position in stored.items()}
        self.hasCaughtUp = False
        self._ends = {}

    def begin(self, now: float) -> None:
        self.open = OpenTransaction(now)

    def begin_at(self, offsets: Mapping[Partition, int]) -> None:
        """The open transaction makes these the first positions of their partitions."""
        assert self.open is not None, "a transaction is open"
        self.open.progress |= {partition: Progress(offset) for partition, offset in offsets.items()}

    def take(self, step: CopyStep) -> None:
        for partition, progress in step.progress.items():
            self._reached[partition] = progress.offset
        for partition, end in step.ends.items():
            # Behind the last record lie markers and aborted records; they need not be read again.
            self._reached[partition] = max(end, self._reached.get(partition, end))
        self.hasCaughtUp = step.isCaughtUp
        if self.open is not None:
            self.open.progress |= step.progress
            self.open.records += step.records
            self.open.bytes += step.bytes
            self.open.deadLetters += step.deadLetters
            self.open.timestamps += step.timestamps

    def see_ends(self, ends: Mapping[Partition, int]) -> None:
        """The ends of partitions, as last heard of."""
        self._ends |= ends

    def commit(self, positions: Mapping[Partition, Position], began: float, now: float, moment: datetime) -> None:
        """The open transaction was committed with these positions, from `began` to `now` (`moment`, for people)."""
        assert self.open is not None, "a transaction is open"
        self._limit.note_commit(self.open.records, now - began)
        self.open = None
        self._lastCommit, self._lastCommitTook = now, now - began
        self.stored = {**self.stored, **positions}
        self._lastProgress |= dict.fromkeys(positions, moment)

    def lose(self) -> OpenTransaction | None:
        """The open transaction has come to nothing; what it was."""
        lost, self.open = self.open, None
        if lost is not None:
            self._limit.note_loss(lost.records)
        return lost

    # ---- what is to be done

    def due_positions(self) -> dict[Partition, Position]:
        """What the open transaction has to store. A partition found dry since has its position behind the markers."""
        assert self.open is not None, "a transaction is open"
        return {
            partition: Position(
                max(progress.offset, self._reached.get(partition, 0)),
                self.stored[partition].topicId,
                progress.leaderEpoch,
            )
            for partition, progress in self.open.progress.items()
        }

    def is_due(self, now: float) -> bool:
        """Whether the open transaction is to be committed now: its time is over, it is full, or there is no more."""
        return self.open is not None and (self.open.records >= self._limit.records or now >= self._due_at(self.open))

    def room(self) -> int:
        """How many records the open transaction may still take, or the next one."""
        taken = 0 if self.open is None else self.open.records
        return max(1, self._limit.records - taken)

    def seconds_until_due(self, now: float) -> float | None:
        """None where nothing is open."""
        return None if self.open is None else max(0.0, self._due_at(self.open) - now)

    def _due_at(self, opened: OpenTransaction) -> float:
        due = opened.since + self._rhythm.longestSeconds
        if self.hasCaughtUp:
            due = min(due, self._lastCommit + max(self._rhythm.shortestSeconds, self._owed_rest()))
        return due

    def _owed_rest(self) -> float:
        """By who has caught up to a target that was slow to commit: as long as it took, within the longest interval."""
        return self._lastCommitTook if self._lastCommitTook > SLOW_COMMIT_SECONDS else 0.0

    # ---- what is told

    def copied(self) -> dict[Partition, int]:
        """By partition, the next offset to copy as it is stored."""
        return {partition: position.offset for partition, position in self.stored.items()}

    def reached(self) -> dict[Partition, int]:
        """By partition, the next offset to copy, stored or not."""
        return self._reached.copy()

    def statuses(self, lane: int) -> Iterable[PartitionStatus]:
        """One entry for each partition that was taken up. Lag counts offsets, markers included."""
        for (topic, partition), position in sorted(self._reached.copy().items()):
            end = self._ends.get((topic, partition))
            end = None if end is None else max(end, position)
            yield PartitionStatus(
                topic=topic,
                partition=partition,
                lane=lane,
                position=position,
                endOffset=end,
                lag=None if end is None else end - position,
                lastProgress=self._lastProgress.get((topic, partition)),
            )
