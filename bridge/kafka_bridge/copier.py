"""The seam between a lane and how records get across.

A lane owns identity, positions, start-up order and the classes of errors; a copier only moves records from where it
was put into the lane's open transaction, and says how far it came. One that opens records and one that passes whole
record batches on fit the same interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kafka_bridge.errors import TerminalError
from kafka_bridge.kafka import Partition, Progress
from kafka_bridge.offset_map import Run


@dataclass(frozen=True, slots=True)
class CopyStep:
    """What one step did.

    `progress` holds partitions from which records went into the transaction. `ends` holds partitions found dry, with
    the offset of their end. `timestamps` are those of the records, in milliseconds. `isCaughtUp`: all that the source
    was last known to have has been moved, so that waiting for more would only delay it. `failure` ends the lane after
    what was copied before it has been committed.
    """

    records: int = 0
    bytes: int = 0
    deadLetters: int = 0
    progress: Mapping[Partition, Progress] = field(default_factory=dict)
    ends: Mapping[Partition, int] = field(default_factory=dict)
    timestamps: tuple[int, ...] = ()
    isCaughtUp: bool = False
    failure: TerminalError | None = None


class Transaction(Protocol):
    """The lane's transaction as a copier sees it: opened by the first record."""

    def ensure_open(self) -> None: ...


class Copier(Protocol):
    """Moves records of assigned partitions. Errors leave through `kafka_bridge.errors`."""

    def assign(self, places: Mapping[Partition, Progress]) -> None:
        """Go on from these offsets, forgetting everything fetched before."""

    def step(self, transaction: Transaction, timeoutSeconds: float, limit: int) -> CopyStep:
        """Move what is there, `limit` records at most, waiting up to `timeoutSeconds` for the first one.

        A lane lowers the limit to find the record that its target refuses; at 1 a step moves one record, no more.
        """

    def refuse(self, partition: Partition, offset: int, why: str) -> None:
        """The target does not take this record: from now on it is one that failed its check."""

    def take_runs(self) -> Mapping[Partition, Sequence[Run]]:
        """What the open transaction has carried over so far, once it has been flushed; told once."""

    def end_offset(self, partition: Partition) -> int | None:
        """The partition's end as last seen, None before anything was fetched."""

    def close(self) -> None: ...
