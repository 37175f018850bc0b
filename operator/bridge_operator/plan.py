"""The heart of the operator: what to do next about one bridge. A pure function, without I/O and without a clock.

It is level-triggered: it looks at what is and at what should be, never at what happened. For each ordinal it gives
the one next step that is safe from any state, however that state came about; the pass after it sees the result and
gives the next. So an operator that dies between any two calls to the engine is followed by one that goes on.

A roll of one ordinal runs over these states, each told by names and labels alone:

    NAME outdated, running      stop it             (one ordinal at a time)
    NAME outdated, exited       rename to NAME-old
    NAME-old alone              spawn NAME
    NAME current + NAME-old     ready: remove NAME-old; not ready in time: remove NAME
    NAME-old, its spec failed   rename back, start
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bridge_operator import actions as act
from bridge_operator.backoff import Attempts, BackoffRule
from bridge_operator.desired import ContainerSpec, Desired
from bridge_operator.engine import Container
from bridge_operator.observed import Observed
from bridge_operator.steps import LOOK_AGAIN_SECONDS, Steps


@dataclass(frozen=True, slots=True)
class Absent:
    """The manifest is gone: the bridge is to go once `graceSeconds` are over."""

    graceSeconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """Nobody can tell what the bridge should be: what is there is kept running, and nothing else is touched."""

    reason: str
    message: str


Wish = Desired | Absent | Held


@dataclass(frozen=True, slots=True)
class Memory:
    """What one pass leaves to the next. It may be lost: then back-off, grace and deadline start anew.

    `attempts` is by ordinal. `failedHashes` are specs that did not become ready in time. `heldUpAt` moves a
    rollout's deadline: an outage is not the new spec's fault, nor is a pause. Times are in seconds since the epoch.
    """

    attempts: Mapping[int, Attempts] = field(default_factory=dict)
    failedHashes: frozenset[str] = frozenset()
    absentSince: float | None = None
    heldUpAt: float = 0.0
    isPaused: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, when to look again at the latest (seconds from now, None: at the resync), and what to remember.

    `waiting` says by ordinal until when a start is held back.
    """

    actions: tuple[act.Action, ...]
    requeueAfter: float | None
    memory: Memory
    waiting: Mapping[int, float] = field(default_factory=dict)


def plan(wish: Wish, observed: Observed, memory: Memory, rule: BackoffRule) -> Plan:
    """The next steps for one bridge. With nothing left to do, `actions` is empty."""
    if isinstance(wish, Absent):
        return _plan_removal(wish, observed, memory, Steps(observed, memory.attempts, rule))
    memory = replace(memory, absentSince=None)
    if isinstance(wish, Desired) and wish.paused:
        return Plan((), None, replace(memory, isPaused=True))
    if memory.isPaused:
        memory = replace(memory, isPaused=False, heldUpAt=observed.now)
    steps = Steps(observed, memory.attempts, rule)
    if any(observed.sees_outage(container) for container in observed.containers):
        memory = replace(memory, heldUpAt=observed.now)
    if isinstance(wish, Held) or wish.faults:
        _keep_all(observed.containers, steps)
    else:
        memory = _Convergence(wish, observed, memory, steps).run()
    return Plan(tuple(steps.actions), steps.lookAgainAfter, replace(memory, attempts=steps.attempts), steps.waiting)


def is_retired(container: Container) -> bool:
    """Whether it is kept only to come back if its successor does not become ready."""
    return container.name.endswith("-old")


def rollout_failed(desired: Desired, memory: Memory) -> bool:
    """Whether the spec that is wanted has been tried and rolled back."""
    return any(spec.specHash in memory.failedHashes for spec in desired.specs)


def _plan_removal(wish: Absent, observed: Observed, memory: Memory, steps: Steps) -> Plan:
    if not observed.containers:
        return Plan((), None, Memory())
    since = observed.now if memory.absentSince is None else memory.absentSince
    left = since + wish.graceSeconds - observed.now
    if left > 0:
        return Plan((), left, replace(memory, absentSince=since))
    for container in observed.containers:
        steps.remove(container, "ManifestDeleted", "its manifest is gone")
    return Plan(tuple(steps.actions), LOOK_AGAIN_SECONDS, replace(memory, absentSince=since))


def _keep_all(containers: Iterable[Container], steps: Steps) -> None:
    """Mend what needs no knowledge of a spec."""
    for container in containers:
        if not is_retired(container):
            steps.keep_running(container, None)


class _Convergence:
    """One pass over a bridge whose spec is known."""

    def __init__(self, desired: Desired, observed: Observed, memory: Memory, steps: Steps) -> None:
        self._desired = desired
        self._observed = observed
        self._steps = steps
        known = {spec.specHash for spec in desired.specs}
        self._memory = replace(memory, failedHashes=memory.failedHashes & known)
        self._stalled = rollout_failed(desired, self._memory)

    def run(self) -> Memory:
        """Puts the steps down; returns what to remember."""
        byOrdinal = _by_ordinal(self._observed.containers)
        mayRoll = not self._stalled and self._gate_is_open(byOrdinal)
        for spec in self._in_rolling_order(byOrdinal):
            rolled = self._converge_ordinal(spec, byOrdinal.pop(spec.ordinal, []), mayRoll)
            mayRoll = mayRoll and not rolled
        surplus = [container for containers in byOrdinal.values() for container in containers]
        if self._stalled:
            # The old spec is back in force, and these belong to it.
            _keep_all(surplus, self._steps)
        elif not self._steps.actions and self._is_complete():
            for container in surplus:
                self._steps.remove(container, "ScaledDown", f"{self._desired.replicas} replicas are wanted")
        elif surplus:
            self._steps.look_again_after(LOOK_AGAIN_SECONDS)
        self._free_fenced()
        return self._memory

    # ---- the replicas together

    def _in_rolling_order(self, byOrdinal: Mapping[int, list[Container]]) -> list[ContainerSpec]:
        """Those that do not serve come first: the roll may mend them, and until then the last that serves is spared."""

        def serves(spec: ContainerSpec) -> bool:
            current = _named(byOrdinal.get(spec.ordinal, []), spec.name)
            return current is not None and self._observed.is_ready(current)

        return sorted(self._desired.specs, key=serves)

    def _gate_is_open(self, byOrdinal: Mapping[int, list[Container]]) -> bool:
        """Whether a running replica may be taken away: no other is away, or not settled, for the sake of the roll."""
        for spec in self._desired.specs:
            containers = byOrdinal.get(spec.ordinal, [])
            current = _named(containers, spec.name)
            if current is None or len(containers) > 1 or current.state != "running":
                return False
            if current.specHash == spec.specHash and not self._observed.is_settled(current):
                return False
        return True

    def _is_complete(self) -> bool:
        """Every ordinal runs the current spec, alone, and as well as it can."""
        for spec in self._desired.specs:
            containers = [one for one in self._observed.containers if one.ordinal == spec.ordinal]
            if len(containers) != 1 or containers[0].specHash != spec.specHash:
                return False
            if not self._observed.is_settled(containers[0]):
                return False
        return True

    def _free_fenced(self) -> None:
        """Give lanes back that a predecessor took from a current replica, once there is no predecessor any more."""
        hashes = {spec.ordinal: spec.specHash for spec in self._desired.specs}
        containers = self._observed.containers
        if self._steps.actions or any(hashes.get(one.ordinal) != one.specHash for one in containers):
            return
        for container in containers:
            if self._observed.has_fenced_lane(container):
                self._steps.restart(container, "LaneFenced", "another process had taken a lane of it over")

    # ---- one ordinal

    def _converge_ordinal(self, spec: ContainerSpec, containers: list[Container], mayRoll: bool) -> bool:
        """True where a running container was taken away for the sake of the roll."""
        current, retired = _named(containers, spec.name), _named(containers, spec.retiredName)
        strays = [one for one in containers if one is not current and one is not retired]
        if strays:
            self._place_strays(strays, spec, current)
        elif current is None and retired is None:
            self._steps.spawn(spec, "Created")
        elif current is None and retired is not None:
            self._succeed(spec, retired)
        elif current is not None and current.specHash == spec.specHash:
            if retired is not None and self._settle_succession(spec, current, retired):
                return False
            if self._observed.has_old_certificates(current):
                if mayRoll:
                    self._steps.renew(current, "CertificatesChanged", "it has loaded others than its volumes hold now")
                    return True
                self._steps.look_again_after(LOOK_AGAIN_SECONDS)
            self._steps.keep_running(current, spec)
        elif current is not None and retired is not None:
            self._drop_one_of_two_outdated(current, retired)
        elif current is not None and self._stalled:
            self._steps.keep_running(current, None)
        elif current is not None:
            return self._retire(current, spec, mayRoll)
        return False

    def _place_strays(self, strays: list[Container], spec: ContainerSpec, current: Container | None) -> None:
        """Containers of this ordinal under names that nobody gave them: one may have been renamed by hand."""
        first, *others = sorted(strays, key=lambda one: (one.specHash != spec.specHash, -one.createdAt))
        if current is None:
            self._steps.rename(first, spec.name, "Renamed", "it is to have its own name back")
        else:
            others = strays
        for container in others:
            self._steps.remove(container, "Superfluous", "another container has its ordinal")

    def _succeed(self, spec: ContainerSpec, retired: Container) -> None:
        """The name is free and the predecessor waits: bring the successor, or the predecessor back."""
        if spec.specHash in self._memory.failedHashes:
            self._steps.rename(
                retired, spec.name, "RolledBack", "its successor did not become ready in time", "Warning"
            )
        elif retired.specHash == spec.specHash:
            self._steps.rename(retired, spec.name, "Restored", "it is what is wanted again")
        else:
            self._steps.spawn(spec, "Created")

    def _settle_succession(self, spec: ContainerSpec, current: Container, retired: Container) -> bool:
        """True where the matter between successor and predecessor was decided."""
        if self._observed.works(current) or retired.specHash == current.specHash:
            self._steps.remove(retired, "Replaced", f"{current.name} is ready")
            return True
        deadlineSeconds = self._desired.progressDeadlineSeconds
        deadline = max(current.createdAt, self._memory.heldUpAt) + deadlineSeconds
        if self._observed.now >= deadline:
            self._memory = replace(self._memory, failedHashes=self._memory.failedHashes | {spec.specHash})
            why = f"it did not become ready within {deadlineSeconds:.0f} s; its predecessor comes back"
            self._steps.remove(current, "ProgressDeadlineExceeded", why, "Warning")
            self._steps.look_again_after(LOOK_AGAIN_SECONDS)
            return True
        self._steps.look_again_after(min(LOOK_AGAIN_SECONDS, deadline - self._observed.now))
        return False

    def _drop_one_of_two_outdated(self, current: Container, retired: Container) -> None:
        """The manifest was edited again in the middle of a roll: keep the one that is known to work."""
        loser = retired if self._observed.works(current) else current
        self._steps.remove(loser, "Superseded", "the manifest was changed again")

    def _retire(self, current: Container, spec: ContainerSpec, mayRoll: bool) -> bool:
        if current.state not in ("running", "paused", "restarting"):
            # Stopped for its successor, or crashed: either way the next to run is the current spec.
            self._steps.rename(current, spec.retiredName, "Retired", "it is kept until its successor is ready")
            return False
        if current.state == "paused":
            self._steps.keep_running(current, None)
            return False
        # An unwell replica is not spared: started again on its old spec, it could take lanes from its new peers.
        if mayRoll or self._observed.ailment(current) is not None:
            self._steps.stop(current, "RollingUpdate", "its spec has changed")
            return mayRoll
        # Its turn has not come. Whoever waits for nothing is not looked at again: what changes tells by itself.
        self._steps.look_again_after(LOOK_AGAIN_SECONDS)
        self._steps.keep_running(current, None)
        return False


def _by_ordinal(containers: Iterable[Container]) -> dict[int, list[Container]]:
    grouped: dict[int, list[Container]] = {}
    for container in containers:
        grouped.setdefault(container.ordinal, []).append(container)
    return grouped


def _named(containers: Iterable[Container], name: str) -> Container | None:
    return next((one for one in containers if one.name == name), None)
