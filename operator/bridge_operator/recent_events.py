"""The newest events, kept in memory for whoever looks at them all the time: the file of all events is too long to be
read so often.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable

from bridge_operator.report import Event, EventsReport

KEPT_EVENTS = 200


class RecentEvents:
    """Thread-safe. Begins with those that a former operator has written down."""

    def __init__(self, former: Iterable[Event] = ()) -> None:
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(former, maxlen=KEPT_EVENTS)
        self._added = 0
        self._startedAt = time.time_ns()

    @property
    def version(self) -> str:
        """Another one after each event, and after each start."""
        return f"{self._startedAt}-{self._added}"

    def add(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)
            self._added += 1

    def report(self) -> EventsReport:
        """Oldest first."""
        with self._lock:
            return EventsReport(events=tuple(self._events))
