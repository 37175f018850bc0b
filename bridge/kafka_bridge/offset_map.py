"""Which offset at the target stands for which offset at the source. Pure.

A run is a piece of a partition in which both sides count alike: consecutive records of one transaction. Between runs
lie what the source has without a record (markers, what was compacted away or aborted), dead letters, and the target's
own markers.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Runs kept of a partition: at five commits a second, a little more than five hours.
MAX_RUNS = 100_000


@dataclass(slots=True)
class Run:
    """`count` records from offset `source` on, which stand from offset `target` on; None until that is known."""

    source: int
    target: int | None
    count: int = 1


@dataclass(slots=True)
class OffsetMap:
    """The runs of one partition in their order."""

    sources: list[int] = field(default_factory=list)
    runs: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, runs: Iterable[tuple[int, int, int]]) -> None:
        """Take in (source, target, count) of what was committed. A rewind replaces what it copies again."""
        for run in runs:
            while self.sources and self.sources[-1] >= run[0]:
                self.sources.pop()
                self.runs.pop()
            self.sources.append(run[0])
            self.runs.append(run)
        if len(self.runs) > 2 * MAX_RUNS:
            del self.sources[:-MAX_RUNS], self.runs[:-MAX_RUNS]

    def translate(self, offset: int, copied: int) -> int | None:
        """The target's offset before which stands all that comes before `offset` at the source, and nothing else.

        `copied` is the next offset to copy. None where it cannot be told: not copied yet, or before all known runs.
        """
        index = bisect_right(self.sources, offset) - 1
        if index < 0 or offset > copied:
            return None
        source, target, count = self.runs[index]
        if offset < source + count:
            return target + offset - source
        # Behind the run's last record, before the next run's first.
        return self.runs[index + 1][1] if index + 1 < len(self.runs) else target + count


def encode_runs(runs: Sequence[tuple[int, int, int]]) -> bytes:
    return json.dumps(runs, separators=(",", ":")).encode()


def decode_runs(value: bytes) -> list[tuple[int, int, int]]:
    """ValueError where the record is none of ours."""
    try:
        return [(int(source), int(target), int(count)) for source, target, count in json.loads(value)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"no runs: {value!r} ({error})") from error
