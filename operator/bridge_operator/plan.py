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

# Waits for something that no event announces end in another look after so long.
LOOK_AGAIN_SECONDS = 2.0


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

    `attempts` is by ordinal. `failedHashes` are specs that did not become ready in time. `outageSeenAt` moves a
    rollout's deadline: an outage is not the new spec's fault. Times are in seconds since the epoch.
    """

    attempts: Mapping[int, Attempts] = field(default_factory=dict)
    failedHashes: frozenset[str] = frozenset()
    absentSince: float | None = None
    outageSeenAt: float = 0.0


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
        return _plan_removal(wish, observed, memory)
    current = _Pass(observed, rule, replace(memory, absentSince=None))
    if isinstance(wish, Held) or wish.faults:
        current.keep_all(observed.containers)
    else:
        current.converge(wish)
    return current.result()


def is_retired(container: Container) -> bool:
    """Whether it is kept only to come back if its successor does not become ready."""
    return container.name.endswith("-old")


def rollout_failed(desired: Desired, memory: Memory) -> bool:
    """Whether the spec that is wanted has been tried and rolled back."""
    return any(spec.specHash in memory.failedHashes for spec in desired.specs)


def _plan_removal(wish: Absent, observed: Observed, memory: Memory) -> Plan:
    since = observed.now if memory.absentSince is None else memory.absentSince
    left = since + wish.graceSeconds - observed.now
    if not observed.containers:
        return Plan((), None, Memory())
    if left > 0:
        return Plan((), left, replace(memory, absentSince=since))
    removals = tuple(_remove(one, "ManifestDeleted", "its manifest is gone") for one in observed.containers)
    return Plan(removals, LOOK_AGAIN_SECONDS, replace(memory, absentSince=since))


def _remove(container: Container, reason: str, why: str) -> act.Remove:
    return act.Remove(container.name, container.ordinal, reason, f"removed {container.name}: {why}", "Normal",
                      container.id)  # fmt: skip


class _Pass:
    """One pass over one bridge: collects actions, waits and what to remember."""

    def __init__(self, observed: Observed, rule: BackoffRule, memory: Memory) -> None:
        self._observed = observed
        self._rule = rule
        self._attempts = dict(memory.attempts)
        if any(observed.sees_outage(container) for container in observed.containers):
            memory = replace(memory, outageSeenAt=observed.now)
        self._memory = memory
        self._actions: list[act.Action] = []
        self._waits: list[float] = []
        self._waiting: dict[int, float] = {}

    def result(self) -> Plan:
        return Plan(
            tuple(self._actions),
            min(self._waits, default=None),
            replace(self._memory, attempts=self._attempts),
            self._waiting,
        )

    # ---- a whole bridge

    def converge(self, desired: Desired) -> None:
        known = {spec.specHash for spec in desired.specs}
        self._memory = replace(self._memory, failedHashes=self._memory.failedHashes & known)
        stalled = rollout_failed(desired, self._memory)
        byOrdinal = _by_ordinal(self._observed.containers)
        mayRoll = not stalled and self._gate_is_open(desired, byOrdinal)
        for spec in desired.specs:
            containers = byOrdinal.pop(spec.ordinal, [])
            rolled = self._converge_ordinal(spec, containers, desired.progressDeadlineSeconds, mayRoll, stalled)
            mayRoll = mayRoll and not rolled
        surplus = [container for containers in byOrdinal.values() for container in containers]
        if stalled:
            # The old spec is back in force, and these belong to it.
            self.keep_all(surplus)
        elif not self._actions and self._is_complete(desired):
            self._actions += [_remove(one, "ScaledDown", f"{desired.replicas} replicas are wanted") for one in surplus]
        self._free_fenced(desired)

    def _gate_is_open(self, desired: Desired, byOrdinal: Mapping[int, list[Container]]) -> bool:
        """Whether a running replica may be taken away: no other is away, or not settled, for the sake of the roll."""
        for spec in desired.specs:
            containers = byOrdinal.get(spec.ordinal, [])
            current = _named(containers, spec.name)
            if current is None or len(containers) > 1 or current.state != "running":
                return False
            if current.specHash == spec.specHash and not self._observed.is_settled(current):
                self._waits.append(LOOK_AGAIN_SECONDS)
                return False
        return True

    def _is_complete(self, desired: Desired) -> bool:
        """Every ordinal runs the current spec, alone, and as well as it can."""
        for spec in desired.specs:
            containers = [one for one in self._observed.containers if one.ordinal == spec.ordinal]
            if len(containers) != 1 or containers[0].specHash != spec.specHash:
                return False
            if not self._observed.is_settled(containers[0]):
                return False
        return True

    def _free_fenced(self, desired: Desired) -> None:
        """Give lanes back that a predecessor took from a current replica, once there is no predecessor any more."""
        hashes = {spec.ordinal: spec.specHash for spec in desired.specs}
        containers = self._observed.containers
        if self._actions or any(hashes.get(one.ordinal) != one.specHash for one in containers):
            return
        for container in containers:
            if self._observed.has_fenced_lane(container):
                self._restart(container, "LaneFenced", "another process had taken a lane of it over")

    # ---- one ordinal

    def _converge_ordinal(
        self, spec: ContainerSpec, containers: list[Container], deadlineSeconds: float, mayRoll: bool, stalled: bool
    ) -> bool:
        """True where a running container was taken away for the sake of the roll."""
        current, retired = _named(containers, spec.name), _named(containers, spec.retiredName)
        strays = [one for one in containers if one is not current and one is not retired]
        if strays:
            self._place_strays(strays, spec, current)
        elif current is None and retired is None:
            self._spawn(spec, "Created")
        elif current is None and retired is not None:
            self._succeed(spec, retired)
        elif current is not None and current.specHash == spec.specHash:
            if retired is not None and self._settle_succession(spec, current, retired, deadlineSeconds):
                return False
            self.keep_running(current, spec)
        elif current is not None and retired is not None:
            self._drop_one_of_two_outdated(current, retired)
        elif current is not None and stalled:
            self.keep_running(current, None)
        elif current is not None:
            return self._retire(current, spec, mayRoll)
        return False

    def _place_strays(self, strays: list[Container], spec: ContainerSpec, current: Container | None) -> None:
        """Containers of this ordinal under names that nobody gave them: one may have been renamed by hand."""
        first, *others = sorted(strays, key=lambda one: (one.specHash != spec.specHash, -one.createdAt))
        if current is None:
            self._rename(first, spec.name, "Renamed", "it is to have its own name back")
        else:
            others = strays
        self._actions += [_remove(one, "Superfluous", "another container has its ordinal") for one in others]

    def _succeed(self, spec: ContainerSpec, retired: Container) -> None:
        """The name is free and the predecessor waits: bring the successor, or the predecessor back."""
        if spec.specHash in self._memory.failedHashes:
            self._rename(retired, spec.name, "RolledBack", "its successor did not become ready in time", "Warning")
        elif retired.specHash == spec.specHash:
            self._rename(retired, spec.name, "Restored", "it is what is wanted again")
        else:
            self._spawn(spec, "Created")

    def _settle_succession(
        self, spec: ContainerSpec, current: Container, retired: Container, deadlineSeconds: float
    ) -> bool:
        """True where the matter between successor and predecessor was decided."""
        if self._observed.works(current) or retired.specHash == current.specHash:
            self._actions.append(_remove(retired, "Replaced", f"{current.name} is ready"))
            return True
        deadline = max(current.createdAt, self._memory.outageSeenAt) + deadlineSeconds
        if self._observed.now >= deadline:
            self._memory = replace(self._memory, failedHashes=self._memory.failedHashes | {spec.specHash})
            message = f"{current.name} did not become ready within {deadlineSeconds:.0f} s; its predecessor comes back"
            self._actions.append(
                act.Remove(current.name, current.ordinal, "ProgressDeadlineExceeded", message, "Warning", current.id)
            )
            self._waits.append(LOOK_AGAIN_SECONDS)
            return True
        self._waits.append(min(LOOK_AGAIN_SECONDS, deadline - self._observed.now))
        return False

    def _drop_one_of_two_outdated(self, current: Container, retired: Container) -> None:
        """The manifest was edited again in the middle of a roll: keep the one that is known to work."""
        loser = retired if self._observed.works(current) else current
        self._actions.append(_remove(loser, "Superseded", "the manifest was changed again"))

    def _retire(self, current: Container, spec: ContainerSpec, mayRoll: bool) -> bool:
        if current.state not in ("running", "paused", "restarting"):
            # Stopped for its successor, or crashed: either way the next to run is the current spec.
            self._rename(current, spec.retiredName, "Retired", "it is kept until its successor is ready")
            return False
        if current.state == "paused":
            self.keep_running(current, None)
            return False
        # An unwell replica is not spared: started again on its old spec, it could take lanes from its new peers.
        if mayRoll or (current.state == "running" and current.health == "unhealthy"):
            message = f"stopped {current.name}: its spec has changed"
            self._actions.append(
                act.Stop(current.name, current.ordinal, "RollingUpdate", message, "Normal", current.id)
            )
            return mayRoll
        # Its turn has not come.
        self.keep_running(current, None)
        return False

    # ---- one container

    def keep_all(self, containers: Iterable[Container]) -> None:
        """Mend what needs no knowledge of the spec."""
        for container in containers:
            if not is_retired(container):
                self.keep_running(container, None)

    def keep_running(self, container: Container, spec: ContainerSpec | None) -> None:
        """Mend what is wrong with a container in place. Without its spec, only what needs none."""
        if container.state == "removing":
            self._waits.append(LOOK_AGAIN_SECONDS)
        elif container.state == "dead":
            if spec is not None:
                self._actions.append(_remove(container, "Dead", "the engine cannot start it again"))
        elif container.state == "paused":
            message = f"unpaused {container.name}: a paused replica copies nothing"
            self._actions.append(
                act.Unpause(container.name, container.ordinal, "Unpaused", message, "Warning", container.id)
            )
        elif spec is not None and self._mend_networks(container, spec):
            return
        elif container.state in ("exited", "created"):
            self._start(container)
        elif container.health == "unhealthy":
            self._restart(container, "Unhealthy", "its health check has failed three times")

    def _mend_networks(self, container: Container, spec: ContainerSpec) -> bool:
        """True where an attachment is missing, or is to a network that was removed and made again."""
        for link in spec.networks:
            endpoint = container.endpoints.get(link.engineName)
            if endpoint is not None and endpoint.networkId in ("", link.networkId):
                continue  # a container that never ran has no network id yet
            if endpoint is not None:
                message = f"{container.name} was attached to a former network {link.name}"
                self._actions.append(
                    act.Disconnect(container.name, container.ordinal, "NetworkReplaced", message, "Warning",
                                   container.id, link.engineName)
                )  # fmt: skip
            else:
                message = f"attached {container.name} to {link.name} again"
                self._actions.append(
                    act.Connect(container.name, container.ordinal, "NetworkReconnected", message, "Warning",
                                container.id, link)
                )  # fmt: skip
            return True
        return False

    def _spawn(self, spec: ContainerSpec, reason: str) -> None:
        self._actions.append(act.Spawn(spec.name, spec.ordinal, reason, f"created {spec.name}", "Normal", spec))

    def _rename(
        self, container: Container, newName: str, reason: str, why: str, severity: act.Severity = "Normal"
    ) -> None:
        message = f"renamed {container.name} to {newName}: {why}"
        self._actions.append(
            act.Rename(container.name, container.ordinal, reason, message, severity, container.id, newName)
        )

    def _start(self, container: Container) -> None:
        if container.state == "created":
            message = f"started {container.name}: it had been created and not started"
        else:
            code = "" if container.exitCode is None else f" with code {container.exitCode}"
            message = f"started {container.name} again: it had exited{code}"
        if self._may_try_again(container.ordinal):
            self._actions.append(
                act.Start(container.name, container.ordinal, "Restarted", message, "Warning", container.id)
            )

    def _restart(self, container: Container, reason: str, why: str) -> None:
        if self._may_try_again(container.ordinal):
            message = f"restarted {container.name}: {why}"
            self._actions.append(
                act.Restart(container.name, container.ordinal, reason, message, "Warning", container.id)
            )

    def _may_try_again(self, ordinal: int) -> bool:
        """Whether back-off lets this ordinal be started again now; notes the attempt, or the wait."""
        attempts, now = self._attempts.get(ordinal, Attempts()), self._observed.now
        nextAt = attempts.next_at(self._rule)
        if now >= nextAt:
            self._attempts[ordinal] = attempts.another(now, self._rule)
            return True
        self._waiting[ordinal] = nextAt
        self._waits.append(nextAt - now)
        return False


def _by_ordinal(containers: Iterable[Container]) -> dict[int, list[Container]]:
    grouped: dict[int, list[Container]] = {}
    for container in containers:
        grouped.setdefault(container.ordinal, []).append(container)
    return grouped


def _named(containers: Iterable[Container], name: str) -> Container | None:
    return next((one for one in containers if one.name == name), None)
