"""Consumer groups are carried over forward, exactly, and only where nobody reads yet."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kafka_bridge.errors import TransientError
from kafka_bridge.group_sync import GroupParts, GroupSync, wants
from kafka_bridge.kafka import Partition
from kafka_bridge.status import GroupStatus
from kafka_bridge.topic_config import ConsumerGroups

P0, P1, OTHER = ("orders", 0), ("orders", 1), ("other", 0)
T0, T1 = ("x.orders", 0), ("x.orders", 1)


class Groups:
    """The groups of one cluster."""

    def __init__(self) -> None:
        self.offsets: dict[str, dict[Partition, int]] = {}
        self.members: set[str] = set()
        self.fault: Exception | None = None

    def groups(self) -> list[str]:
        return list(self.offsets)

    def has_members(self, group: str) -> bool:
        return group in self.members

    def group_offsets(self, group: str) -> dict[Partition, int]:
        if self.fault is not None:
            raise self.fault
        return dict(self.offsets.get(group, {}))

    def set_group_offsets(self, group: str, offsets: Mapping[Partition, int]) -> None:
        self.offsets.setdefault(group, {}).update(offsets)


class World:
    def __init__(self) -> None:
        self.source, self.target = Groups(), Groups()
        self.copied = {P0: 20, P1: 20}
        config = ConsumerGroups(include=("billing.*",), exclude=("billing-test",))
        parts = GroupParts(config, self.source, self.target, lambda: {"orders": "x.orders"}, lambda: self.copied)
        self.sync = GroupSync(parts)
        self.sync.add(P0, [(0, 100, 10), (10, 111, 10)])
        self.sync.add(P1, [(0, 0, 20)])


@pytest.fixture(name="world")
def two_clusters() -> World:
    return World()


def test_positions_are_carried_over_to_what_stands_there(world: World) -> None:
    world.source.offsets = {"billing": {P0: 12, P1: 20}, "billing-test": {P0: 1}, "audit": {P0: 1}}
    world.sync.look()
    assert world.target.offsets == {"billing": {T0: 113, T1: 20}}
    assert world.sync.status() == (GroupStatus(group="billing", carried=2, held=0),)


def test_only_forward(world: World) -> None:
    world.source.offsets = {"billing": {P0: 5, P1: 5}}
    world.target.offsets = {"billing": {T0: 113, T1: 3}}
    world.sync.look()
    assert world.target.offsets == {"billing": {T0: 113, T1: 5}}


def test_whoever_reads_at_the_target_is_left_alone(world: World) -> None:
    world.source.offsets = {"billing": {P0: 12}}
    world.target.offsets = {"billing": {T0: 101}}
    world.target.members = {"billing"}
    world.sync.look()
    assert world.target.offsets == {"billing": {T0: 101}}
    assert world.sync.status()[0].message == "the group has members at the target"


def test_what_is_not_copied_yet_waits(world: World) -> None:
    world.source.offsets = {"billing": {P0: 25, P1: 7}}
    world.sync.look()
    assert world.target.offsets == {"billing": {T1: 7}}
    assert world.sync.status() == (GroupStatus(group="billing", carried=1, held=1),)
    world.sync.add(P0, [(20, 122, 8)])
    world.copied[P0] = 28
    world.sync.look()
    assert world.target.offsets == {"billing": {T0: 127, T1: 7}}


def test_partitions_of_other_replicas_and_topics_are_theirs(world: World) -> None:
    del world.copied[P1]
    world.source.offsets = {"billing": {P0: 12, P1: 7, OTHER: 3}}
    world.sync.look()
    assert world.target.offsets == {"billing": {T0: 113}}


def test_a_group_that_cannot_be_carried_is_told(world: World) -> None:
    world.source.offsets = {"billing": {P0: 12}}
    world.target.fault = TransientError("Transport", "away")
    world.sync.look()
    assert world.sync.status() == (GroupStatus(group="billing", carried=0, held=0, message="Transport: away"),)


@pytest.mark.parametrize(
    ("group", "isWanted"), [("billing", True), ("billing-2", True), ("billing-test", False), ("my-billing", False)]
)
def test_patterns_fit_whole_names(group: str, isWanted: bool) -> None:
    assert wants(ConsumerGroups(include=("billing.*",), exclude=("billing-test",)), group) is isWanted
