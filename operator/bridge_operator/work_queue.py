"""The queue of names to look at: each at most once, one pass at a time for each, later ones in their time.

A request is a name and nothing else, so asking twice is asking once. A name that is asked for while its pass runs is
passed again afterwards: nothing that happened meanwhile is missed.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable


class WorkQueue:
    """Thread-safe. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._order: list[tuple[float, str]] = []
        self._busy: dict[str, float] = {}
        self._requests: dict[str, list[tuple[float, float]]] = {}
        self._asOf: dict[str, float] = {}
        self._closed = False

    def add(self, name: str, delaySeconds: float = 0.0, asOf: float | None = None) -> None:
        """Ask for a pass over `name`, at the latest after `delaySeconds`; an earlier date that is set stands.

        It has to see all that had happened by `asOf`: by its date, where nothing else is said.
        """
        with self._changed:
            due = self._clock() + max(0.0, delaySeconds)
            self._requests.setdefault(name, []).append((due, due if asOf is None else asOf))
            if due < self._due.get(name, float("inf")):
                self._due[name] = due
                heapq.heappush(self._order, (due, name))
                self._changed.notify()

    def get(self, timeoutSeconds: float | None = None) -> str | None:
        """The next name that is due and that nobody works on, marked as busy; None when closed or timed out."""
        deadline = None if timeoutSeconds is None else self._clock() + timeoutSeconds
        with self._changed:
            while not self._closed:
                name, waitSeconds = self._next()
                if name is not None:
                    now = self._busy[name] = self._clock()
                    requests = self._requests.pop(name)
                    self._asOf[name] = max(asOf for due, asOf in requests if due <= now)
                    return name
                if deadline is not None:
                    left = deadline - self._clock()
                    if left <= 0:
                        return None
                    waitSeconds = left if waitSeconds is None else min(left, waitSeconds)
                self._changed.wait(waitSeconds)
            return None

    def done(self, name: str) -> None:
        """The pass is over; `name` may be given out again."""
        with self._changed:
            self._busy.pop(name, None)
            self._asOf.pop(name, None)
            if name in self._due:
                heapq.heappush(self._order, (self._due[name], name))
            self._changed.notify()

    def as_of(self, name: str) -> float:
        """What the pass over `name` that runs has to have seen, at the least."""
        with self._changed:
            return self._asOf[name]

    def busy_for(self) -> dict[str, float]:
        """The passes that run, and for how many seconds already."""
        with self._changed:
            now = self._clock()
            return {name: now - since for name, since in self._busy.items()}

    def waiting_for(self) -> dict[str, float]:
        """What is due and has no worker yet, and for how many seconds it has been."""
        with self._changed:
            now = self._clock()
            return {name: now - due for name, due in self._due.items() if due <= now and name not in self._busy}

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> tuple[str | None, float | None]:
        """A name to give out, or how long to wait for one (None: until something is added)."""
        while self._order:
            due, name = self._order[0]
            stale = self._due.get(name) != due
            if not stale and name not in self._busy and due > self._clock():
                return None, due - self._clock()
            heapq.heappop(self._order)
            # A busy name comes back with `done`.
            if not stale and name not in self._busy:
                del self._due[name]
                return name, None
        return None, None
