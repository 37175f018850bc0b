"""The operator on the real engine: whatever happens to a bridge's containers, it makes good, and says what it did.

The bridges only pretend to copy (tests/support/inside/pretend_bridge.py), so that each heal takes seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge_operator.report_reader import read_events
from support.pretend_world import (
    BRIDGE,
    NETWORKS,
    World,
    engine_reachable,
    expect_heal,
    kill,
    make_image,
)
from support.stack import wait_until


@pytest.fixture(name="world")
def converged(running: World) -> World:
    wait_until("all is well before the test", running.is_well, 60)
    return running


def stall(world: World) -> None:
    longAgo = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    lanes = [{"lane": 0, "state": "Copying", "since": longAgo}]
    partition = {"topic": "orders", "partition": 0, "lane": 0, "position": 5, "endOffset": 12, "lag": 7}
    world.say(lanes=lanes, partitions=[partition | {"lastProgress": longAgo}], startedAt=longAgo,
              source={"name": "source", "reachable": True, "since": longAgo},
              target={"name": "target", "reachable": True, "since": longAgo})  # fmt: skip


def miss_the_end_of_an_outage(world: World) -> None:
    now, before = datetime.now(UTC), datetime.now(UTC) - timedelta(minutes=5)
    lane = {"lane": 0, "state": "Waiting", "since": before.isoformat(), "lastCopying": before.isoformat()}
    world.say(ready=False, lanes=[lane], startedAt=before.isoformat(),
              source={"name": "source", "reachable": True, "since": now.isoformat()})  # fmt: skip


def disconnect(*networks: str) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        for network in networks:
            world.stack.docker("network", "disconnect", "--force", world.stack.network(network), world.name())

    return spoil


def remake_network(world: World) -> None:
    """Removed, which needs that nothing is attached, and made again under its name, all too quick for the operator."""
    network = world.stack.network("network3")
    world.door.shut()
    for ordinal in range(2):
        world.stack.docker("network", "disconnect", "--force", network, world.name(ordinal))
    world.stack.docker("network", "rm", network)
    world.stack.make_network("network3")
    world.door.open()


def drift_labels(world: World) -> None:
    """Labels cannot be changed: somebody makes the container anew by hand, and says something else of its spec."""
    facts = world.facts()
    labels = facts["Config"]["Labels"] | {"bridge.kafka/spec-hash": "drifted"}
    world.door.shut()
    world.stack.docker("rm", "--force", world.name())
    world.stack.docker(
        "run", "--detach", "--name", world.name(), "--network", world.stack.network("network2"),
        *(f"--label={name}={value}" for name, value in labels.items()),
        *(f"--env={one}" for one in facts["Config"]["Env"] if one.startswith("BRIDGE_CONFIG=")),
        facts["Config"]["Image"],
    )  # fmt: skip
    world.door.open()


def on_container(*command: str) -> Callable[[World], None]:
    """docker COMMAND… on replica 0, {} standing for its name."""

    def spoil(world: World) -> None:
        world.stack.docker(*(word.replace("{}", world.name()) for word in command))

    return spoil


MORE_MEMORY = ("update", "--memory", "128m", "--memory-swap", "128m", "{}")
# What happens, what the operator does about it, and whether the container is the same one afterwards.
HEALS: dict[str, tuple[Callable[[World], None], str, bool]] = {
    "exit": (kill, "Restarted", True),
    "out of memory": (lambda world: world.put("eat"), "Restarted", True),
    "unhealthy": (lambda world: world.put("ill"), "Unhealthy", True),
    "stalled": (stall, "Stalled", True),
    "not resumed": (miss_the_end_of_an_outage, "NotResumed", True),
    "paused": (on_container("pause", "{}"), "Unpaused", True),
    "stopped by hand": (on_container("stop", "--time", "3", "{}"), "Restarted", True),
    "removed": (on_container("rm", "--force", "{}"), "Created", False),
    "renamed": (on_container("rename", "{}", "{}-mine"), "Renamed", True),
    "disconnected from the source": (disconnect("network1"), "NetworkReconnected", True),
    "disconnected from the operator": (disconnect("network2"), "NetworkReconnected", True),
    "disconnected from all": (disconnect(*NETWORKS), "NetworkReconnected", True),
    "labels drifted": (drift_labels, "Replaced", False),
    "network made again": (remake_network, "NetworkReconnected", True),
    "limits changed": (on_container(*MORE_MEMORY), "LimitsRestored", True),
}


@pytest.mark.parametrize("what", HEALS)
def test_heals(world: World, what: str) -> None:
    spoil, reason, isKept = HEALS[what]
    before, since = world.facts()["Id"], len(world.reasons())

    spoil(world)
    expect_heal(world, reason, since, 90 if what == "unhealthy" else 40)

    assert (world.facts()["Id"] == before) is isKept
    assert world.facts()["HostConfig"]["Memory"] == 64 * 2**20
    if what == "out of memory":
        assert [event.message for event in read_events(world.state) if "code 137" in event.message]


def test_another_image_of_that_name_rolls_one_after_the_other(world: World, tmp_path: Path) -> None:
    before = [world.facts(ordinal)["Id"] for ordinal in range(2)]
    since = len(world.reasons())

    make_image(world.stack, tmp_path, 2)
    wait_until("the first is replaced", lambda: "Replaced" in world.reasons()[since:], 60)
    wait_until("all is well", world.is_well, 60)

    assert not {world.facts(ordinal)["Id"] for ordinal in range(2)} & set(before)
    rolled = [reason for reason in world.reasons()[since:] if reason in ("RollingUpdate", "Replaced")]
    assert rolled == ["RollingUpdate", "Replaced"] * 2


def test_a_restart_of_the_engine_is_lived_through(world: World) -> None:
    """What a restart is to an operator: no answer, streams that end, and every container exited when it is back."""
    before = {name: one["Id"] for name, one in world.stack.bridges().items()}
    since = len(world.reasons())

    world.door.shut()
    kill(world, 0)
    kill(world, 1)
    wait_until("the operator says so", lambda: not engine_reachable(world), 30)
    world.door.open()

    expect_heal(world, "Restarted", since)
    assert {name: one["Id"] for name, one in world.stack.bridges().items()} == before


def test_an_engine_that_is_away_for_a_minute_changes_nothing(world: World) -> None:
    """By then everything that asks it asks as seldom as it ever does."""
    before = {name: one["State"]["StartedAt"] for name, one in world.stack.bridges().items()}
    since = len(world.reasons())

    world.door.shut()
    wait_until("the operator says so", lambda: not engine_reachable(world), 30)
    world.write(BRIDGE.replace("replicas: 2", "replicas: 2\n  progressDeadlineSeconds: 500"))
    time.sleep(60)
    world.door.open()
    wait_until("it is back", lambda: engine_reachable(world) and world.is_well(), 30)

    assert {name: one["State"]["StartedAt"] for name, one in world.stack.bridges().items()} == before
    assert world.reasons()[since:] == []


def test_a_new_operator_adopts_and_mends(world: World) -> None:
    before = world.facts()["Id"]
    since = len(world.reasons())

    world.stop_operator()
    kill(world)
    world.stack.docker("update", "--memory", "96m", "--memory-swap", "96m", world.name(1))
    world.start_operator()

    expect_heal(world, "Restarted", since)
    expect_heal(world, "LimitsRestored", since)
    assert world.facts()["Id"] == before


def test_what_is_deleted_goes_and_nothing_else(world: World) -> None:
    """The last of this module: it takes the bridge away."""
    foreign = f"{world.stack.instance}-mine"
    world.stack.docker("create", "--name", foreign, f"{world.stack.instance}-pretend")
    try:
        world.write(BRIDGE.replace("name: orders}", "name: other}").replace("replicas: 2", "replicas: 0"))
        wait_until("its containers are gone", lambda: not world.stack.bridges(), 60)
        assert world.stack.facts(foreign)["Name"] == f"/{foreign}"
    finally:
        world.stack.docker("rm", "--force", foreign, wanted=None)
