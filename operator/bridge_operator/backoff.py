"""How long to wait before a replica that failed is started again. Pure.

The first start after a failure comes at once; further ones are spaced, doubling up to a limit, until a replica has
run long enough to be forgiven. The numbers are Kubernetes' own for crashing containers.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class BackoffRule:
    """All in seconds; `jitter` is the part by which a wait may be longer, so that what failed together does not try
    again together.
    """

    first: float = 10.0
    maximum: float = 300.0
    reset: float = 600.0
    jitter: float = 0.1


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often in a row a replica was started again, how often in all, and when last (seconds since the epoch)."""

    count: int = 0
    lastAt: float = 0.0
    total: int = 0

    def next_at(self, rule: BackoffRule) -> float:
        """The earliest time of the next start."""
        if self.count == 0:
            return 0.0
        # Bounded before doubling: a count of thousands must not make an endless number.
        wait = min(rule.first * 2.0 ** min(self.count - 1, 32), rule.maximum)
        return self.lastAt + wait * (1.0 + rule.jitter * _chance(self.lastAt))

    def another(self, now: float, rule: BackoffRule) -> Attempts:
        """These attempts with one more, made now; earlier ones are forgiven after `rule.reset`."""
        return Attempts(1 if now - self.lastAt >= rule.reset else self.count + 1, now, self.total + 1)


def _chance(seed: float) -> float:
    """From 0 to 1, the same for the same moment: whoever asks again is told the same time."""
    return crc32(repr(seed).encode()) / 2**32
