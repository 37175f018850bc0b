"""Carries the positions of the source's consumer groups over to the target, so that a consumer can move across.

A group is carried over only forward, and only while it has no member at the target: whoever reads there by now knows
better. An offset that is not copied yet, or whose counterpart is no longer known, is left for a later round.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from loguru import logger

from kafka_bridge.errors import BridgeError
from kafka_bridge.kafka import Partition
from kafka_bridge.offset_map import OffsetMap
from kafka_bridge.status import GroupStatus
from kafka_bridge.topic_config import ConsumerGroups

Offsets = Mapping[Partition, int]


class GroupAdmin(Protocol):
    """What this module needs of `kafka.ClusterAdmin`."""

    def groups(self) -> list[str]: ...
    def has_members(self, group: str) -> bool: ...
    def group_offsets(self, group: str) -> dict[Partition, int]: ...
    def set_group_offsets(self, group: str, offsets: Offsets) -> None: ...


@dataclass(frozen=True, slots=True)
class GroupParts:
    """What the synchronisation is given. `copied` tells each partition's next offset to copy."""

    config: ConsumerGroups
    source: GroupAdmin
    target: GroupAdmin
    targetNames: Callable[[], Mapping[str, str]]
    copied: Callable[[], Offsets]


class GroupSync:
    """`start`, then `add` what is committed from any thread, then `stop`."""

    def __init__(self, parts: GroupParts) -> None:
        self._parts = parts
        self._maps: dict[Partition, OffsetMap] = {}
        self._lock = threading.Lock()
        self._status: tuple[GroupStatus, ...] = ()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="groups", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def status(self) -> tuple[GroupStatus, ...]:
        return self._status

    def add(self, partition: Partition, runs: Iterable[tuple[int, int, int]]) -> None:
        with self._lock:
            self._maps.setdefault(partition, OffsetMap()).add(runs)

    def look(self) -> None:
        """One round over all groups; one that fails does not keep the others."""
        found = []
        for group in sorted(self._parts.source.groups()):
            if wants(self._parts.config, group):
                try:
                    found.append(self._carry(group))
                except BridgeError as error:
                    found.append(GroupStatus(group=group, carried=0, held=0, message=f"{error.reason}: {error}"))
        self._status = tuple(found)

    def _carry(self, group: str) -> GroupStatus:
        parts, names, copied = self._parts, self._parts.targetNames(), self._parts.copied()
        wanted: dict[Partition, int] = {}
        held = 0
        for place, offset in parts.source.group_offsets(group).items():
            if place not in copied or place[0] not in names:
                continue
            with self._lock:
                known = self._maps.get(place)
                translated = known.translate(offset, copied[place]) if known is not None else None
            if translated is None:
                held += 1
            else:
                wanted[names[place[0]], place[1]] = translated
        present = parts.target.group_offsets(group)
        forward = {place: offset for place, offset in wanted.items() if offset > present.get(place, -1)}
        if forward and parts.target.has_members(group):
            return GroupStatus(group=group, carried=0, held=held, message="the group has members at the target")
        if forward:
            parts.target.set_group_offsets(group, forward)
            logger.debug("carried {} positions of group {} over", len(forward), group)
        return GroupStatus(group=group, carried=len(wanted), held=held)

    def _run(self) -> None:
        while not self._stopping.wait(self._parts.config.intervalSeconds):
            try:
                self.look()
            except BridgeError as error:
                logger.debug("consumer groups: {}", error)
            except Exception:
                # This thread must not die: groups would silently stay where they are.
                logger.exception("unexpected error")


def wants(config: ConsumerGroups, group: str) -> bool:
    """Whether a group is one of those to carry over."""
    isIn = any(re.fullmatch(pattern, group) for pattern in config.include)
    return isIn and not any(re.fullmatch(pattern, group) for pattern in config.exclude)
