"""The Docker engine as the operator sees it: what can be asked and done, what comes back, and what can go wrong.

`Engine` is the seam: a fake stands behind it in unit tests, `docker_engine.DockerEngine` in the product. What is
observed comes from list calls, one for all containers of a bridge; errors come in three kinds.

    EngineError
    ├── EngineTransient     no answer, a race, or an answer too late: the outcome is unknown, look again
    ├── EngineNotFound      what was meant is gone: look again
    └── NameConflict        another container, not ours to touch, has the name
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridge_operator.desired import ContainerSpec, Limits

INSTANCE_LABEL = "bridge.kafka/instance"
BRIDGE_LABEL = "bridge.kafka/bridge"
ORDINAL_LABEL = "bridge.kafka/ordinal"
GENERATION_LABEL = "bridge.kafka/generation"
SPEC_HASH_LABEL = "bridge.kafka/spec-hash"


class EngineError(Exception):
    """Base of all."""


class EngineTransient(EngineError):
    """Nobody knows whether it was done: look again."""


class EngineNotFound(EngineError):
    """The container, network or image is not there (any more)."""


class NameConflict(EngineError):
    """The name is taken by a container that is not this operator's."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's attachment to one network."""

    networkId: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of this instance as one list call tells it. `endpoints` is by the network's name on the engine."""

    id: str
    name: str
    bridge: str
    ordinal: int
    generation: int
    specHash: str
    state: str
    health: str = ""
    exitCode: int | None = None
    createdAt: float = 0.0
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to a bridge, or, with an empty `bridge`, to a network: then `containerId` says whose
    attachment to it has changed, be it a bridge's or anybody's.
    """

    time: float
    bridge: str
    action: str
    containerId: str = ""


@dataclass(frozen=True, slots=True)
class LogRequest:
    """How much of a log: `since` in seconds since the epoch, `tail` lines at the most; None: all there is."""

    since: float | None = None
    tail: int | None = None
    follow: bool = False
    timestamps: bool = False


class Engine(Protocol):
    """Every call raises EngineError alone. Names of networks and volumes are those that manifests use."""

    def containers(self, bridge: str | None = None) -> list[Container]: ...
    def networks(self) -> dict[str, tuple[str, str]]:
        """By manifest name: (id, name on the engine)."""

    def volumes(self) -> dict[str, str]:
        """By manifest name: name on the engine."""

    def image_id(self, image: str) -> str | None: ...
    def limits(self, containerId: str) -> Limits:
        """As they are in force. No list tells them: this is a call for each container."""

    def set_limits(self, containerId: str, limits: Limits) -> None:
        """While it runs."""

    def create(self, spec: ContainerSpec, generation: int) -> str: ...
    def start(self, containerId: str) -> None: ...
    def stop(self, containerId: str) -> None:
        """Once it is over, every list shows it."""

    def restart(self, containerId: str) -> None: ...
    def remove(self, containerId: str) -> None: ...
    def rename(self, containerId: str, name: str) -> None: ...
    def unpause(self, containerId: str) -> None: ...
    def connect(self, containerId: str, networkId: str, aliases: tuple[str, ...]) -> None: ...
    def disconnect(self, containerId: str, network: str) -> None: ...
    def logs(self, containerId: str, wanted: LogRequest) -> Iterator[str]:
        """What a container has written, line by line; where it is to be followed, until it ends."""

    def events(self, since: float, until: float) -> Iterator[EngineEvent]: ...
