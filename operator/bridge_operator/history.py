"""How lag and copying went in the last minutes, bridge by bridge, so that a page just opened can show them at once.

Fed by each round of health polls. The records that replicas have copied are summed up into one count for a bridge
that only grows: a process that starts anew counts from zero, and what it counts is added to what was. A figure that
nobody could tell is left out, never taken for zero: rates are then averaged over the gap.
"""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan, nan

from bridge_operator.engine import Container
from bridge_operator.lag import known_lag
from bridge_operator.report import BridgeHistory, HistoryReport
from kafka_bridge.status import BridgeStatus

KEPT_SECONDS = 600.0
# Rounds that come quicker than this share a point.
POINT_SECONDS = 1.0


@dataclass(slots=True)
class _Track:
    """One bridge. `counts` holds what each process has told last, by container id: when it started, and its records.

    Points are kept as three arrays of numbers, nan for what is unknown: of objects, hundreds of bridges have too many.
    """

    copied: int = 0
    counts: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    times: array[float] = field(default_factory=lambda: array("d"))
    lags: array[float] = field(default_factory=lambda: array("d"))
    totals: array[float] = field(default_factory=lambda: array("d"))

    def take(self, containers: Sequence[Container], heard: Mapping[str, BridgeStatus], watchedSince: float) -> None:
        """Add what was copied since the last time. A process that is older than the watch has a count from before."""
        counts: dict[str, tuple[datetime, int]] = {}
        for container in containers:
            before, status = self.counts.get(container.id), heard.get(container.id)
            if status is not None:
                records = status.counters.records
                if before is not None and before[0] == status.startedAt:
                    self.copied += max(0, records - before[1])
                elif before is not None or status.startedAt.timestamp() >= watchedSince:
                    self.copied += records
                counts[container.id] = (status.startedAt, records)
            elif before is not None:
                counts[container.id] = before
        self.counts = counts

    def add_point(self, now: float, lag: int | None, total: int | None) -> None:
        for numbers, number in ((self.times, now), (self.lags, lag), (self.totals, total)):
            numbers.append(nan if number is None else number)

    def trim(self, oldest: float) -> None:
        old = bisect_right(self.times, oldest)
        for numbers in (self.times, self.lags, self.totals):
            del numbers[:old]

    def since(self, moment: float) -> BridgeHistory:
        first = bisect_right(self.times, moment)
        return BridgeHistory(
            times=tuple(round(one, 3) for one in self.times[first:]),
            lag=tuple(map(_known, self.lags[first:])),
            recordsCopied=tuple(map(_known, self.totals[first:])),
        )


class History:
    """Thread-safe. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since = clock()
        self._tracks: dict[str, _Track] = {}

    def note(self, containers: Iterable[Container], heard: Mapping[str, BridgeStatus]) -> None:
        """One round of polls: all containers, and the answers of those that gave one, by container id."""
        now = self._clock()
        byBridge: dict[str, list[Container]] = {}
        for container in containers:
            byBridge.setdefault(container.bridge, []).append(container)
        with self._lock:
            for name, some in byBridge.items():
                track = self._tracks.setdefault(name, _Track())
                track.take(some, heard, self._since)
                if not track.times or now - track.times[-1] >= POINT_SECONDS:
                    track.add_point(now, known_lag(some, heard), _total(track, some, heard))
            for name, track in list(self._tracks.items()):
                track.trim(now - KEPT_SECONDS)
                if not track.times and name not in byBridge:
                    del self._tracks[name]

    def report(self, after: float = 0.0) -> HistoryReport:
        """The points that are younger than `after`, in seconds since the epoch."""
        with self._lock:
            bridges = {name: track.since(after) for name, track in self._tracks.items()}
        return HistoryReport(
            watchedSince=self._since,
            keptSeconds=KEPT_SECONDS,
            bridges={name: one for name, one in bridges.items() if one.times},
        )


def _total(track: _Track, containers: Sequence[Container], heard: Mapping[str, BridgeStatus]) -> int | None:
    """Not known while a process works in silence; one that does not run copies nothing."""
    return None if any(one.state == "running" and one.id not in heard for one in containers) else track.copied


def _known(number: float) -> int | None:
    return None if isnan(number) else int(number)
