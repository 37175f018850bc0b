"""Listens to the engine's events and asks for passes. Events are hints: they get lost, and nothing depends on them.

Each stream starts a little before the last one ended, so that what happened in between is told twice rather than not
at all; it ends by itself after a while, since a stream can fall silent without an error; and every new stream is
preceded by a look at everything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from loguru import logger

from bridge_operator.engine import Container, Engine, EngineError, EngineEvent

STREAM_SECONDS = 300.0
OVERLAP_SECONDS = 5.0
RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS = 1.0, 15.0


class EngineWatcher:
    """`enqueue` is called with a bridge's name, `enqueueAll` where anything may have changed, which gives the
    containers that there are; `suspectLimits` before that, where the limits of a bridge's container may have.
    """

    def __init__(
        self,
        engine: Engine,
        enqueue: Callable[[str], None],
        enqueueAll: Callable[[], Iterable[Container]],
        suspectLimits: Callable[[str], None] = lambda name: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._enqueueAll = enqueueAll
        self._suspectLimits = suspectLimits
        self._clock = clock
        self.lastEventAt: float | None = None
        """When the engine last told of something, in seconds since the epoch."""
        self._bridges: dict[str, str] = {}
        """Whose a container is, by its id."""

    def run(self, stopping: threading.Event) -> None:
        retrySeconds, since = RETRY_FIRST_SECONDS, self._clock()
        while not stopping.is_set():
            try:
                began = self._clock()
                self._bridges = {one.id: one.bridge for one in self._enqueueAll()}
                self.listen(since - OVERLAP_SECONDS, began + STREAM_SECONDS, stopping)
                retrySeconds, since = RETRY_FIRST_SECONDS, self._clock()
            except EngineError as error:
                logger.warning("engine events: {}; trying again in {:.0f} s", error, retrySeconds)
                stopping.wait(retrySeconds)
                retrySeconds = min(retrySeconds * 2, RETRY_MAX_SECONDS)

    def listen(self, since: float, until: float, stopping: threading.Event) -> None:
        """One stream, to its end."""
        for event in self._engine.events(since, until):
            if stopping.is_set():
                return
            self.lastEventAt = self._clock()
            if event.action == "update":
                self._suspectLimits(event.bridge)
            self._pass_on(event)

    def _pass_on(self, event: EngineEvent) -> None:
        """A container that starts is told as attached to each of its networks: that concerns its own bridge alone."""
        if event.bridge:
            if event.action == "destroy":
                self._bridges.pop(event.containerId, None)
            else:
                self._bridges[event.containerId] = event.bridge
            self._enqueue(event.bridge)
        elif not event.containerId:
            self._enqueueAll()
        elif bridge := self._bridges.get(event.containerId):
            self._enqueue(bridge)
