"""One pass over one bridge: look, wish, plan, act, tell. Everything else in the operator only asks for passes.

A pass is given a name and nothing else; it reads what is wanted and what is there anew, does the next safe step of
each replica, and asks for another pass until nothing is left to do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

from loguru import logger

from bridge_operator import actions as act
from bridge_operator.accepted import Accepted, AcceptedBridge, problems_of
from bridge_operator.backoff import Attempts, BackoffRule
from bridge_operator.catalog import Catalog
from bridge_operator.conditions import Picture, conditions, unknown_conditions
from bridge_operator.desired import Desired, Fault, HealthThresholds, Limits
from bridge_operator.engine import Container, Engine, EngineError, EngineNotFound, EngineTransient, NameConflict
from bridge_operator.engine_survey import Survey, Surveyor
from bridge_operator.executor import execute
from bridge_operator.health_poller import Sightings
from bridge_operator.manifest_store import ManifestStore
from bridge_operator.metrics import PassMetrics, PassResult
from bridge_operator.observed import Observed, Sighting
from bridge_operator.plan import Absent, Memory, Plan, Wish, plan
from bridge_operator.report import BridgeReport, Condition, Event
from bridge_operator.report_builder import bridge_report
from bridge_operator.state_files import StateFiles
from bridge_operator.wish import Surroundings, wish_for

# A pass that failed is repeated after so long, doubling.
RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS = 0.5, 60.0
# After an action the next pass follows so soon.
ACT_AGAIN_SECONDS = 0.1
# Passes that keep acting without an end are slowed down after so many: something undoes what they do.
BRISK_PASSES = 30
SLOW_SECONDS = 2.0

# What a report is made of, as long as there is no container whose figures change by themselves.
_Told = tuple[AcceptedBridge | None, Picture, tuple[Condition, ...]]


@dataclass(slots=True)
class _Bridge:
    """What is kept of one bridge between passes. Written by one pass at a time."""

    memory: Memory = field(default_factory=Memory)
    conditions: tuple[Condition, ...] = ()
    picture: Picture | None = None
    failures: int = 0
    actingPasses: int = 0
    actedAt: float = float("-inf")
    fault: Fault | None = None
    told: tuple[_Told, BridgeReport] | None = None


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """Whether the last call to the engine was answered."""

    reachable: bool = False
    message: str = "the engine has not been asked yet"


@dataclass(slots=True)
class _Outcome:
    """What came of a pass's actions."""

    faults: list[Fault] = field(default_factory=list)
    repeat: bool = False


class Controller:
    """`tell` takes events, `metrics` counts passes. `files` keep over a restart how often replicas were started
    again.
    """

    def __init__(
        self,
        engine: Engine,
        store: ManifestStore,
        sightings: Sightings,
        surroundings: Surroundings,
        rule: BackoffRule,
        surveyor: Surveyor,
        tell: Callable[[Event], None],
        metrics: PassMetrics,
        files: StateFiles,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._store = store
        self._sightings = sightings
        self._surroundings = surroundings
        self._rule = rule
        self._surveyor = surveyor
        self._tell = tell
        self._metrics = metrics
        self._files = files
        self._attempts = files.read_attempts()
        self._clock = clock
        self._lock = threading.Lock()
        self._bridges: dict[str, _Bridge] = {}
        self._limits: dict[str, dict[str, Limits]] = {}
        self._engineHealth = EngineHealth()
        self._passNumbers = count(1)

    # ---- for others

    @property
    def engineHealth(self) -> EngineHealth:
        return self._engineHealth

    def names(self, containers: Iterable[Container] = ()) -> set[str]:
        """Every bridge that is wanted, was wanted, or has one of these containers."""
        running = {container.bridge for container in containers}
        with self._lock:
            known = set(self._bridges)
        return running | known | set(self._store.accepted.bridges) | set(self._store.catalog.bridges)

    def forget_limits(self, name: str) -> None:
        """Somebody may have changed what the containers of a bridge may use: it is asked for in the next pass."""
        with self._lock:
            self._limits.pop(name, None)

    def reports(self) -> list[BridgeReport]:
        """All bridges as last seen, with the newest figures of their processes."""
        sightings, now, accepted = self._sightings.snapshot(), self._clock(), self._store.accepted.bridges
        with self._lock:
            known = sorted(self._bridges.items())
        return [
            _report(name, bridge, bridge.picture, accepted.get(name), sightings, now)
            for name, bridge in known
            if bridge.picture is not None
        ]

    # ---- a pass

    def reconcile(self, name: str, asOf: float = float("inf"), isOneOfMany: bool = False) -> float | None:
        """One pass; returns after how many seconds the next is due (None: at the resync). Never raises EngineError.

        It sees everything that had happened by `asOf`, and what is now where it comes to act. `isOneOfMany`: other
        passes wait, which can share its look.
        """
        with self._lock:
            bridge = self._bridges.setdefault(name, _Bridge(Memory(attempts=self._attempts.get(name, {}))))
        began = time.monotonic()
        result: PassResult = "error"
        with logger.contextualize(bridge=name, passId=next(self._passNumbers)):
            try:
                again = self._pass(name, bridge, asOf, isOneOfMany)
                if bridge.fault is None:
                    result = "requeue" if bridge.actingPasses else "success"
                return again
            except EngineError as error:
                self._engineHealth = EngineHealth(False, str(error))
                bridge.conditions = unknown_conditions(
                    bridge.conditions, "EngineUnreachable", str(error), self._clock()
                )
                logger.warning("pass failed: {}", error)
                return self._retry_after(bridge)
            except Exception:
                # One bridge that the operator cannot deal with must not take the others with it.
                logger.exception("pass failed for a reason that is the operator's own")
                bridge.conditions = unknown_conditions(
                    bridge.conditions, "InternalError", "the operator failed on this bridge; see its log", self._clock()
                )
                return self._retry_after(bridge)
            finally:
                self._metrics.note_pass(result, time.monotonic() - began)

    def _pass(self, name: str, bridge: _Bridge, asOf: float, isOneOfMany: bool) -> float | None:
        # One that was begun amid this bridge's last actions, for others, does not show what they did.
        survey = self._surveyor.look(name, max(asOf, bridge.actedAt), isOneOfMany)
        self._engineHealth = EngineHealth(True, "")
        catalog, accepted = self._store.catalog, self._store.accepted
        wish, observed, decided = self._decide(name, bridge.memory, survey, catalog, accepted)
        if decided.actions and not self._surveyor.is_fresh(survey):
            survey = self._surveyor.look_again(name, survey)
            wish, observed, decided = self._decide(name, bridge.memory, survey, catalog, accepted)
        bridge.memory = decided.memory
        self._keep_attempts(name, decided.memory.attempts)
        last = accepted.bridges.get(name)
        if isinstance(wish, Absent) and not observed.containers:
            self._forget(name)
            return None
        generation = last.generation if last else 0
        seen = Picture(
            wish=wish,
            observed=observed,
            plan=decided,
            suspended=bool(last and last.bridge.spec.suspend),
            problems=problems_of(name, catalog, accepted),
            fault=bridge.fault,
            generation=_observed_generation(wish, generation, bridge.picture, observed),
        )
        # Told before anything is done about it: a replica that has ended is not Ready while the engine starts it.
        _show(bridge, seen)
        outcome = self._act(name, decided.actions, generation)
        if decided.actions:
            bridge.actedAt = self._surveyor.clock()
        fault = outcome.faults[0] if outcome.faults else None
        if fault != bridge.fault:
            if fault is not None:
                self._tell_event(name, "Warning", fault.reason, fault.message)
            bridge.fault = fault
            _show(bridge, replace(seen, fault=fault))
        if fault is not None:
            return self._retry_after(bridge)
        bridge.failures = 0
        if decided.actions or outcome.repeat:
            bridge.actingPasses += 1
            return ACT_AGAIN_SECONDS if bridge.actingPasses < BRISK_PASSES else SLOW_SECONDS
        bridge.actingPasses = 0
        return decided.requeueAfter

    def _decide(
        self, name: str, memory: Memory, survey: Survey, catalog: Catalog, accepted: Accepted
    ) -> tuple[Wish, Observed, Plan]:
        """What is wanted, what is there, and what to do about the difference."""
        wish = wish_for(name, catalog, accepted, survey.facts, self._surroundings)
        observed = Observed(
            now=self._clock(),
            containers=survey.containers,
            sightings=self._sightings.snapshot(),
            thresholds=wish.thresholds if isinstance(wish, Desired) else HealthThresholds(),
            limits=self._limits_of(name, survey.containers),
        )
        return wish, observed, plan(wish, observed, memory, self._rule)

    def _limits_of(self, name: str, containers: Sequence[Container]) -> dict[str, Limits]:
        """Each running container is asked once, and again when an event says that they were changed."""
        with self._lock:
            known = self._limits.setdefault(name, {})
        for gone in known.keys() - {container.id for container in containers}:
            del known[gone]
        for container in containers:
            if container.state == "running" and container.id not in known:
                with suppress(EngineNotFound):
                    known[container.id] = self._engine.limits(container.id)
        return known

    def _act(self, name: str, actions: tuple[act.Action, ...], generation: int) -> _Outcome:
        """All of them, also when one fails: they concern different replicas."""
        outcome = _Outcome()
        for action in actions:
            faultsBefore = len(outcome.faults)
            if isinstance(action, act.SetLimits):
                self.forget_limits(name)
            if isinstance(action, act.Start | act.Stop | act.Restart | act.Remove):
                # What its process said so far no longer holds.
                self._sightings.forget(action.containerId)
            try:
                execute(self._engine, action, generation)
            except EngineNotFound as error:
                logger.info("{} {}: gone meanwhile: {}", action.reason, action.container, error)
                outcome.repeat = True
            except NameConflict as error:
                outcome.faults.append(Fault("NameConflict", str(error)))
            except EngineTransient as error:
                outcome.faults.append(Fault("EngineError", f"{type(action).__name__} {action.container}: {error}"))
            else:
                self._tell_event(name, action.severity, action.reason, action.message)
            failed = len(outcome.faults) > faultsBefore
            self._metrics.note_action(type(action).__name__, "error" if failed else "success")
        return outcome

    def _keep_attempts(self, name: str, attempts: Mapping[int, Attempts]) -> None:
        """Written before the restart that they count: who crashes in between has counted one too many, not too few."""
        with self._lock:
            if attempts == self._attempts.get(name, {}):
                return
            self._attempts = {other: one for other, one in self._attempts.items() if other != name}
            if attempts:
                self._attempts[name] = dict(attempts)
            self._files.write_attempts(self._attempts)

    def _retry_after(self, bridge: _Bridge) -> float:
        bridge.failures += 1
        return float(min(RETRY_FIRST_SECONDS * 2.0 ** min(bridge.failures - 1, 16), RETRY_MAX_SECONDS))

    def _forget(self, name: str) -> None:
        """Nothing is wanted and nothing is left."""
        self._store.forget(name)
        with self._lock:
            known = self._bridges.pop(name, None)
            self._limits.pop(name, None)
        if known is not None and known.picture is not None:
            self._tell_event(name, "Normal", "Removed", f"bridge {name} is gone, its manifest was deleted")

    def _tell_event(self, name: str, severity: act.Severity, reason: str, message: str) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        self._tell(Event(time=now, bridge=name, type=severity, reason=reason, message=message))


def _show(bridge: _Bridge, picture: Picture) -> None:
    bridge.picture = picture
    bridge.conditions = conditions(picture, bridge.conditions)


def _observed_generation(wish: Wish, generation: int, before: Picture | None, observed: Observed) -> int:
    """Of what was last acted upon: while a bridge is paused, that is not what its manifest says now."""
    if not (isinstance(wish, Desired) and wish.paused):
        return generation
    if before is not None:
        return before.generation
    return max((container.generation for container in observed.containers), default=0)


def _report(
    name: str,
    bridge: _Bridge,
    picture: Picture,
    accepted: AcceptedBridge | None,
    sightings: Mapping[str, Sighting],
    now: float,
) -> BridgeReport:
    """Made anew where there are containers; of hundreds of bridges without one, it would be much of an idle's work."""
    if picture.observed.containers:
        current = replace(picture, observed=replace(picture.observed, now=now, sightings=sightings))
        return bridge_report(name, accepted, current, bridge.conditions)
    basis = (accepted, picture, bridge.conditions)
    if bridge.told is None or not all(one is other for one, other in zip(bridge.told[0], basis, strict=True)):
        bridge.told = (basis, bridge_report(name, accepted, picture, bridge.conditions))
    return bridge.told[1]
