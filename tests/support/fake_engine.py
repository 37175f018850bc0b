"""A Docker engine in memory, with bridge processes that hold lanes, for tests of the operator. Time is the test's own.

It behaves as the real one where the operator depends on it (`tests/integration/test_docker_engine.py` holds the real
engine to the same), and as Kafka where bridges do: the last process to start on a lane fences the one before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from bridge_operator.desired import ContainerSpec, Limits
from bridge_operator.engine import (
    Container,
    Endpoint,
    EngineEvent,
    EngineNotFound,
    EngineTransient,
    LogRequest,
    NameConflict,
)
from bridge_operator.observed import Sighting
from kafka_bridge.config import BridgeConfig
from kafka_bridge.lanes import lanes_of_replica
from kafka_bridge.status import BridgeStatus, ClusterStatus, LaneStatus, PartitionStatus

FaultKind = Literal["killBefore", "killAfter", "failBefore", "failAfter", "readFails"]


class OperatorKilled(BaseException):
    """The operator's process ends here: nothing of it may catch this."""


class FakeClock:
    """Seconds since the epoch, moved by the test alone."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True)
class FakeContainer:
    id: str
    name: str
    config: BridgeConfig | None
    bridge: str = ""
    ordinal: int = -1
    generation: int = 0
    specHash: str = ""
    limits: Limits | None = None
    state: str = "created"
    health: str = ""
    exitCode: int | None = None
    createdAt: float = 0.0
    startedAt: float = 0.0
    run: int = 0
    endpoints: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)


class FakeEngine:
    """`isBad` tells which bridge configurations never become ready. `faultAt`: what happens at which change, or read,
    counted from 1 by `changes` and `reads`.
    """

    def __init__(self, clock: FakeClock, readySeconds: float = 3.0) -> None:
        self.clock = clock
        self.readySeconds = readySeconds
        self.isBad: Callable[[BridgeConfig], bool] = lambda config: False
        self.networkIds = {"network1": "id-1", "network2": "id-2", "network3": "id-3"}
        self.volumeNames = ["tls-bridge-source", "tls-bridge-target", "schemas"]
        self.stalledSince: float | None = None
        """Processes that have been started before then copy nothing, though there is something to copy."""
        self.deafSince: float | None = None
        """Those that have been started before then do not notice that a cluster is back."""
        self.certificatesAt = 0.0
        """When the certificates were last made anew."""
        self.answersSince = 0.0
        self.image: str | None = "sha256:image-1"
        self.byId: dict[str, FakeContainer] = {}
        self.calls: list[str] = []
        self.reachable = True
        self.sourceReachable = True
        self.targetReachable = True
        # A reason of Kafka's that keeps every lane waiting.
        self.waitsFor = ""
        self.faultAt: tuple[FaultKind, int] | None = None
        self._laneOwner: dict[tuple[str, int], tuple[str, int]] = {}
        self._lastId = 0
        self.changes = 0
        self.reads = 0

    # ---- what the operator calls

    def containers(self, bridge: str | None = None) -> list[Container]:
        self._answer()
        return [
            Container(
                id=one.id,
                name=one.name,
                bridge=one.bridge,
                ordinal=one.ordinal,
                generation=one.generation,
                specHash=one.specHash,
                state=one.state,
                health=one.health,
                exitCode=one.exitCode,
                createdAt=one.createdAt,
                endpoints={name: Endpoint(networkId, "10.0.0.1") for name, networkId in one.endpoints.items()},
            )
            # A copy: where a whole daemon runs, its threads and the test's come and go here.
            for one in list(self.byId.values())
            if one.bridge and bridge in (None, one.bridge)
        ]

    def networks(self) -> dict[str, tuple[str, str]]:
        self._answer()
        return {name: (networkId, f"test_{name}") for name, networkId in self.networkIds.items()}

    def volumes(self) -> dict[str, str]:
        self._answer()
        return {name: f"test_{name}" for name in self.volumeNames}

    def image_id(self, image: str) -> str | None:
        self._answer()
        return self.image

    def limits(self, containerId: str) -> Limits:
        self._answer()
        found = self._get(containerId).limits
        assert found is not None, "a foreign container is not asked for its limits"
        return found

    def set_limits(self, containerId: str, limits: Limits) -> None:
        with self._change(f"update {self._name(containerId)}"):
            self._get(containerId).limits = limits

    def create(self, spec: ContainerSpec, generation: int) -> str:
        with self._change(f"create {spec.name}"):
            taken = next((one for one in self.byId.values() if one.name == spec.name), None)
            if taken is not None and not taken.bridge:
                raise NameConflict(f"container {spec.name} is not ours")
            if taken is not None and taken.specHash != spec.specHash:
                raise EngineTransient(f"the name {spec.name} is taken")
            if taken is not None:
                return taken.id
            self._lastId += 1
            container = FakeContainer(
                id=f"c{self._lastId}",
                name=spec.name,
                config=BridgeConfig.model_validate(json.loads(dict(spec.environment)["BRIDGE_CONFIG"])),
                bridge=spec.bridge,
                ordinal=spec.ordinal,
                generation=generation,
                specHash=spec.specHash,
                limits=spec.limits,
                createdAt=self.clock.now,
                endpoints={link.engineName: "" for link in spec.networks},
                aliases={link.engineName: link.aliases for link in spec.networks},
            )
            self.byId[container.id] = container
            return container.id

    def start(self, containerId: str) -> None:
        with self._change(f"start {self._name(containerId)}"):
            one = self._get(containerId)
            if one.state == "paused":
                raise EngineTransient("cannot start a paused container, try unpause instead")
            if one.state == "running":
                return
            current = {f"test_{name}": networkId for name, networkId in self.networkIds.items()}
            for name, networkId in one.endpoints.items():
                if name not in current or networkId not in ("", current[name]):
                    raise EngineTransient(f"network {networkId or name} not found")
            one.endpoints = {name: current[name] for name in one.endpoints}
            self._begin(one)

    def stop(self, containerId: str) -> None:
        with self._change(f"stop {self._name(containerId)}"):
            self._end(self._get(containerId), 0)

    def restart(self, containerId: str) -> None:
        with self._change(f"restart {self._name(containerId)}"):
            one = self._get(containerId)
            self._end(one, 0)
            self._begin(one)

    def remove(self, containerId: str) -> None:
        with self._change(f"remove {self._name(containerId)}"):
            self._get(containerId)
            del self.byId[containerId]

    def rename(self, containerId: str, name: str) -> None:
        with self._change(f"rename {self._name(containerId)} {name}"):
            if any(one.name == name for one in self.byId.values()):
                raise EngineTransient(f"the name {name} is taken")
            self._get(containerId).name = name

    def unpause(self, containerId: str) -> None:
        with self._change(f"unpause {self._name(containerId)}"):
            one = self._get(containerId)
            if one.state != "paused":
                raise EngineTransient("container is not paused")
            one.state = "running"

    def connect(self, containerId: str, networkId: str, aliases: tuple[str, ...]) -> None:
        with self._change(f"connect {self._name(containerId)} {networkId}"):
            name = next((f"test_{key}" for key, value in self.networkIds.items() if value == networkId), None)
            if name is None:
                raise EngineNotFound(f"network {networkId}")
            one = self._get(containerId)
            if name in one.endpoints:
                raise EngineTransient(f"endpoint already exists in {name}")
            one.endpoints[name] = networkId if one.state == "running" else ""
            one.aliases[name] = aliases

    def disconnect(self, containerId: str, network: str) -> None:
        with self._change(f"disconnect {self._name(containerId)} {network}"):
            self._get(containerId).endpoints.pop(network, None)

    def logs(self, containerId: str, wanted: LogRequest) -> Iterator[str]:
        self._get(containerId)
        yield from ()

    def events(self, since: float, until: float) -> Iterator[EngineEvent]:
        yield from ()

    # ---- what the world does

    def named(self, name: str) -> FakeContainer:
        return next(one for one in self.byId.values() if one.name == name)

    def crash(self, name: str, code: int = 137) -> None:
        self._end(self.named(name), code)

    def remake_network(self, name: str) -> None:
        """Removed and made again under the same name, which needs that nothing that runs is attached."""
        for one in self.byId.values():
            if one.state in ("running", "paused"):
                one.endpoints.pop(f"test_{name}", None)
        self.networkIds[name] += "'"

    def add_foreign(self, name: str) -> None:
        self._lastId += 1
        self.byId[f"c{self._lastId}"] = FakeContainer(f"c{self._lastId}", name, None, state="running")

    def sightings(self) -> dict[str, Sighting]:
        """What every running process says of itself now."""
        return {
            one.id: Sighting(self._status(one, one.config), self.clock.now)
            for one in self.byId.values()
            if one.state == "running" and one.config is not None and f"test_{'network2'}" in one.endpoints
        }

    def lane_holders(self, bridge: str) -> dict[int, str]:
        """Which running container copies each lane."""
        holders = {}
        for one in self.byId.values():
            if one.state == "running" and one.bridge == bridge and one.config is not None:
                for lane in self._status(one, one.config).lanes:
                    if lane.state == "Copying":
                        holders[lane.lane] = one.name
        return holders

    # ---- inside

    def _status(self, one: FakeContainer, config: BridgeConfig) -> BridgeStatus:
        at = datetime.fromtimestamp(one.startedAt, UTC)
        answers = {
            "source": self.sourceReachable and "test_network1" in one.endpoints,
            "target": self.targetReachable and "test_network3" in one.endpoints,
        }
        answering = datetime.fromtimestamp(max(one.startedAt, self.answersSince), UTC)
        isDeaf = self.deafSince is not None and one.startedAt < self.deafSince
        isStalled = self.stalledSince is not None and one.startedAt < self.stalledSince
        lanes = []
        for lane in lanes_of_replica(config.ordinal, config.replicas, config.lanes):
            if self._laneOwner.get((one.bridge, lane)) != (one.id, one.run):
                state = "Fenced"
            elif self.isBad(config):
                state = "Failed"
            elif not all(answers.values()) or isDeaf or self.waitsFor:
                state = "Waiting"
            else:
                state = "Copying" if self.clock.now - one.startedAt >= self.readySeconds else "Starting"
            last = at if isDeaf else datetime.fromtimestamp(self.clock.now, UTC) if state == "Copying" else None
            said = {"reason": self.waitsFor, "message": "as it said"} if state == "Waiting" else {}
            lanes.append(
                LaneStatus.model_validate({"lane": lane, "state": state, "since": at, "lastCopying": last} | said)
            )
        return BridgeStatus(
            instance=config.instance,
            bridge=config.bridge,
            ordinal=config.ordinal,
            startedAt=at,
            ready=all(lane.state == "Copying" for lane in lanes) and all(answers.values()),
            source=ClusterStatus(name="source", reachable=answers["source"], since=answering),
            target=ClusterStatus(name="target", reachable=answers["target"], since=answering),
            certificatesChanged=one.startedAt < self.certificatesAt,
            lanes=tuple(lanes),
            partitions=(self._partition(lanes[0].lane, isStalled),) if lanes else (),
        )

    def _partition(self, lane: int, isStalled: bool) -> PartitionStatus:
        seen = self.stalledSince if isStalled and self.stalledSince is not None else self.clock.now
        progress = datetime.fromtimestamp(seen, UTC)
        return PartitionStatus(topic="orders", partition=0, lane=lane, position=5, lag=7, lastProgress=progress)

    def _begin(self, one: FakeContainer) -> None:
        one.state, one.exitCode, one.startedAt, one.health = "running", None, self.clock.now, "starting"
        one.run += 1
        if one.config is not None:
            for lane in lanes_of_replica(one.config.ordinal, one.config.replicas, one.config.lanes):
                self._laneOwner[(one.bridge, lane)] = (one.id, one.run)

    def _end(self, one: FakeContainer, code: int) -> None:
        if one.state in ("running", "paused"):
            one.state, one.exitCode, one.health = "exited", code, ""

    def _get(self, containerId: str) -> FakeContainer:
        if containerId not in self.byId:
            raise EngineNotFound(f"no container {containerId}")
        return self.byId[containerId]

    def _name(self, containerId: str) -> str:
        return self.byId[containerId].name if containerId in self.byId else containerId

    def _answer(self) -> None:
        self.reads += 1
        if not self.reachable or self.faultAt == ("readFails", self.reads):
            raise EngineTransient("the engine does not answer: connection refused")

    @contextmanager
    def _change(self, call: str) -> Iterator[None]:
        """A call that changes something; it can fail, or the operator be killed, before it or after it."""
        if not self.reachable:
            raise EngineTransient("the engine does not answer: connection refused")
        self.changes += 1
        kind = self.faultAt[0] if self.faultAt is not None and self.faultAt[1] == self.changes else None
        if kind == "killBefore":
            raise OperatorKilled(f"before {call}")
        if kind == "failBefore":
            raise EngineTransient(f"{call}: the engine failed")
        self.calls.append(call)
        yield
        if kind == "killAfter":
            raise OperatorKilled(f"after {call}")
        if kind == "failAfter":
            raise EngineTransient(f"{call}: read timed out")
