"""Tells from sequences whether records were lost, repeated or reordered. Pure, and bounded in memory.

A sequence counts from 0 for each (run, key). What is above the next expected number opens a gap; what falls into a
gap later was out of order; what is below and in no gap was there before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Gaps remembered for each (run, key): a topic with more is broken beyond counting.
GAPS_PER_KEY = 1_000


@dataclass(slots=True)
class _Seen:
    next: int = 0
    gaps: set[int] = field(default_factory=set)
    forgottenGaps: int = 0


class SequenceCheck:
    """Feed it every record's run, key, sequence and partition, in the order of reading."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._partitions: dict[tuple[str, str], int] = {}
        self.repeated = 0
        self.outOfOrder = 0
        self.moved = 0

    @property
    def missing(self) -> int:
        """Numbers that were skipped and have not come since."""
        return sum(len(seen.gaps) + seen.forgottenGaps for seen in self._seen.values())

    @property
    def keys(self) -> int:
        return len(self._seen)

    def take(self, run: str, key: str, sequence: int, partition: int) -> None:
        """Count one record. `moved` counts records whose key came from another partition before."""
        identity = (run, key)
        if self._partitions.setdefault(identity, partition) != partition:
            self.moved += 1
        seen = self._seen.setdefault(identity, _Seen())
        if sequence == seen.next:
            seen.next += 1
        elif sequence > seen.next:
            room = GAPS_PER_KEY - len(seen.gaps)
            skipped = sequence - seen.next
            seen.gaps.update(range(seen.next, seen.next + min(skipped, room)))
            seen.forgottenGaps += max(0, skipped - room)
            seen.next = sequence + 1
        elif sequence in seen.gaps:
            seen.gaps.discard(sequence)
            self.outOfOrder += 1
        else:
            self.repeated += 1
