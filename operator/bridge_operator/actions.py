"""What the operator can do to a container: plain data, decided by `plan`, carried out by `executor`.

Each names its container for people, and carries the reason and the sentence of the event that it will leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge_operator.desired import ContainerSpec, Limits, NetworkLink

Severity = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class Action:
    """`reason` is CamelCase; `severity` Warning where the operator reacts to a fault."""

    container: str
    ordinal: int
    reason: str
    message: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Spawn(Action):
    """Create a container and start it."""

    spec: ContainerSpec


@dataclass(frozen=True, slots=True)
class OnContainer(Action):
    """Anything that is done to a container that exists."""

    containerId: str


@dataclass(frozen=True, slots=True)
class Start(OnContainer):
    pass


@dataclass(frozen=True, slots=True)
class Stop(OnContainer):
    pass


@dataclass(frozen=True, slots=True)
class Restart(OnContainer):
    """Stop and start in place: its processes are gone, its place in the networks is not."""


@dataclass(frozen=True, slots=True)
class Remove(OnContainer):
    """Stop, then remove."""


@dataclass(frozen=True, slots=True)
class Unpause(OnContainer):
    pass


@dataclass(frozen=True, slots=True)
class Rename(OnContainer):
    newName: str


@dataclass(frozen=True, slots=True)
class SetLimits(OnContainer):
    """In place, while it runs."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class Connect(OnContainer):
    link: NetworkLink


@dataclass(frozen=True, slots=True)
class Disconnect(OnContainer):
    """Drop a stale attachment, by the network's name on the engine."""

    network: str
