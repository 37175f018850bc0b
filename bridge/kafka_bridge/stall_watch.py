"""Notices a partition that does not move although its source has more. Pure.

librdkafka has been seen to stop fetching a partition for good after its leader's epoch had changed twice in a short
while, and to go on showing the end that it had seen last. A new consumer goes on at once.
"""

from __future__ import annotations

from collections.abc import Mapping

Partition = tuple[str, int]

# Far beyond what a fetch takes; an outage of the source is told otherwise.
STALL_SECONDS = 30.0
# Whoever has not looked for so long was busy elsewhere: nothing could move meanwhile.
GAP_SECONDS = 5.0


class StallWatch:
    """Looked at again and again by the thread that copies."""

    def __init__(self) -> None:
        self._lagging: dict[Partition, tuple[int, float]] = {}
        """Where a partition stands that has more to copy, and since when."""
        self._lookedAt = float("-inf")

    def stalled(self, reached: Mapping[Partition, int], ends: Mapping[Partition, int], now: float) -> list[Partition]:
        """Those that have stood still for STALL_SECONDS short of their end; `ends` is what is known for certain."""
        before = self._lagging if now - self._lookedAt <= GAP_SECONDS else {}
        self._lookedAt = now
        self._lagging = {}
        for place, end in ends.items():
            offset = reached.get(place, end)
            if offset < end:
                stood, since = before.get(place, (offset, now))
                self._lagging[place] = (offset, since if stood == offset else now)
        return sorted(place for place, (_, since) in self._lagging.items() if now - since >= STALL_SECONDS)
