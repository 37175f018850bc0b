"""What passes see of the engine: one list and one set of facts for all of those that were asked for before it.

A pass has to see everything that had happened when it was asked for. So a survey that began later than that will do,
whoever it was made for; a resync over hundreds of bridges costs one list, not one each.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge_operator.desired import EngineFacts
from bridge_operator.engine import Container, Engine

# An older one is good enough to find that nothing is to be done, and not to act upon.
FRESH_SECONDS = 0.2
# What manifests refer to is hardly replaced within so long; where it is, a call that names it fails and is repeated.
FACTS_FRESH_SECONDS = 10.0
NO_FACTS = EngineFacts({}, {}, None, {})


@dataclass(frozen=True, slots=True)
class Survey:
    """`takenAt` is when it was begun, on the clock that requests are dated by."""

    takenAt: float
    containers: tuple[Container, ...]
    facts: EngineFacts


@dataclass(slots=True)
class Surveyor:
    """Thread-safe. `factsOf` gives what manifests may refer to; all calls raise EngineError alone."""

    engine: Engine
    factsOf: Callable[[], EngineFacts]
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: Survey = field(default_factory=lambda: Survey(float("-inf"), (), NO_FACTS))
    _byBridge: Mapping[str, tuple[Container, ...]] = field(default_factory=dict)

    def survey(self) -> Survey:
        """A new one, of everything."""
        with self._lock:
            return self._take()

    def look(self, bridge: str, asOf: float, isForMany: bool) -> Survey:
        """What there is of one bridge, no older than `asOf`. `isForMany`: others wait who can use it too."""
        if isForMany or self._last.takenAt >= asOf:
            # Whoever comes while one is being taken waits for it.
            with self._lock:
                if self._last.takenAt < asOf:
                    self._take()
                last = self._last
                return Survey(last.takenAt, self._byBridge.get(bridge, ()), last.facts)
        takenAt = self.clock()
        return Survey(takenAt, tuple(self.engine.containers(bridge)), self.factsOf())

    def look_again(self, bridge: str, before: Survey) -> Survey:
        """At its containers, which are to be acted upon; for the rest, what `before` has seen will do for a while."""
        takenAt = self.clock()
        facts = before.facts if takenAt - before.takenAt <= FACTS_FRESH_SECONDS else self.factsOf()
        return Survey(takenAt, tuple(self.engine.containers(bridge)), facts)

    def is_fresh(self, survey: Survey) -> bool:
        return self.clock() - survey.takenAt <= FRESH_SECONDS

    def _take(self) -> Survey:
        takenAt = self.clock()
        self._last = Survey(takenAt, tuple(self.engine.containers()), self.factsOf())
        byBridge: dict[str, list[Container]] = {}
        for container in self._last.containers:
            byBridge.setdefault(container.bridge, []).append(container)
        self._byBridge = {name: tuple(containers) for name, containers in byBridge.items()}
        return self._last
