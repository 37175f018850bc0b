"""The operator on the real engine: whatever happens to a bridge's containers, it makes good, and says what it did.

The bridges only pretend to copy (tests/support/inside/pretend_bridge.py), so that each heal takes seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge_operator.daemon import Daemon
from bridge_operator.docker_engine import DockerEngine
from bridge_operator.report_reader import read_events
from bridge_operator.settings import Settings
from support.engine_door import EngineDoor
from support.manifests import CLUSTER
from support.stack import PROJECT_ROOT, Stack, wait_until

NETWORKS = ("network1", "network2", "network3")
VOLUMES = ("tls-bridge-source", "tls-bridge-target")
BRIDGE = """
apiVersion: bridge.kafka/v1alpha1
kind: KafkaBridge
metadata: {name: orders}
spec:
  source: {cluster: source}
  target: {cluster: target}
  topics: [{name: orders}]
  replicas: 2
  resources: {memory: 64Mi}
  health: {stallSeconds: 10, resumeSeconds: 5}
"""
DOCKERFILE = """
FROM {base}
COPY pretend_bridge.py /pretend_bridge.py
LABEL version={version}
ENTRYPOINT ["python", "/pretend_bridge.py"]
"""


class World:
    """An operator in this process, and the containers that it has made."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.manifests, self.state = folder / "manifests", folder / "state"
        for each in (self.manifests, self.state, folder / "schemas"):
            each.mkdir()
        engineSocket = stack.engine_url()
        self.door = EngineDoor(engineSocket.removeprefix("unix://"), folder / "engine.sock")
        self.settings = Settings(
            instance=stack.instance,
            bridgeImage=f"{stack.instance}-pretend",
            manifestsDir=self.manifests,
            schemasDir=folder / "schemas",
            stateDir=self.state,
            engineSocket=self.door.url,
            stopGraceSeconds=3,
            resyncSeconds=3,
            healthPollSeconds=0.5,
            removeGraceSeconds=1,
            crashBackoffFirstSeconds=1,
            crashBackoffMaxSeconds=2,
        )
        self._operator: tuple[Daemon, threading.Thread] | None = None

    def start_operator(self) -> None:
        engine = DockerEngine(self.settings.engineSocket, self.settings.instance, self.settings.stopGraceSeconds)
        daemon = Daemon(self.settings, engine)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        self._operator = daemon, thread

    def stop_operator(self) -> None:
        if self._operator is not None:
            daemon, thread = self._operator
            daemon.stop()
            thread.join(20)
            assert not thread.is_alive()
            self._operator = None

    def write(self, text: str = BRIDGE) -> None:
        clusters = [CLUSTER.format(name=name, network=network) for name, network in
                    (("source", "network1"), ("target", "network3"))]  # fmt: skip
        (self.manifests / "all.yaml").write_text("---".join([*clusters, text]))

    def name(self, ordinal: int = 0) -> str:
        return f"{self.stack.instance}-orders-{ordinal}"

    def facts(self, ordinal: int = 0) -> dict[str, Any]:
        """What `docker inspect` tells of a replica; {} where there is none of that name."""
        return self.stack.bridges().get(self.name(ordinal), {})

    def report(self) -> dict[str, Any]:
        file = self.state / "status.json"
        bridges = json.loads(file.read_text())["bridges"] if file.exists() else []
        return dict(bridges[0]) if bridges else {}

    def is_well(self, replicas: int = 2) -> bool:
        """As many as there should be, of their own names, running on three networks, ready by the operator's word."""
        bridges, said = self.stack.bridges(), self.report()
        networks = {self.stack.network(name) for name in NETWORKS}
        return (
            set(bridges) == {self.name(ordinal) for ordinal in range(replicas)}
            and all(one["State"]["Status"] == "running" for one in bridges.values())
            and all(set(one["NetworkSettings"]["Networks"]) == networks for one in bridges.values())
            and (said.get("readyReplicas"), said.get("updatedReplicas")) == (replicas, replicas)
            and {"Ready": "True", "Degraded": "False"}.items()
            <= {one["type"]: one["status"] for one in said["conditions"]}.items()
        )

    def reasons(self) -> list[str]:
        return [event.reason for event in read_events(self.state)]

    def put(self, name: str, text: str = "", ordinal: int = 0) -> None:
        """A file in the /tmp of a replica."""
        self.stack.docker("exec", self.name(ordinal), "sh", "-c", f"cat >/tmp/{name} <<'END'\n{text}\nEND")

    def say(self, **changes: object) -> None:
        """Replica 0 says so of itself from now on."""
        self.put("say.json", json.dumps(changes))


def make_image(stack: Stack, folder: Path, version: int) -> None:
    shutil.copy(PROJECT_ROOT / "tests/support/inside/pretend_bridge.py", folder)
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=f"{stack.instance}-bridge", version=version))
    label = f"com.docker.compose.project={stack.instance}"
    stack.docker("build", "--quiet", "--tag", f"{stack.instance}-pretend", "--label", label, str(folder))


@pytest.fixture(scope="module", name="surroundings")
def networks_volumes_image(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """As Compose makes them; they go with the instance."""
    stack.compose("build", "bridge", timeoutSeconds=400)
    make_image(stack, tmp_path_factory.mktemp("image"), 1)
    for name in NETWORKS:
        stack.make_network(name)
    for name in VOLUMES:
        stack.make_volume(name)
    return stack


@pytest.fixture(scope="module", name="running")
def running_operator(surroundings: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(surroundings, tmp_path_factory.mktemp("operator"))
    world.write()
    world.door.open()
    world.start_operator()
    try:
        yield world
    finally:
        world.stop_operator()
        world.door.shut()
        for name in surroundings.bridges():
            surroundings.docker("rm", "--force", name, wanted=None)
        for name in NETWORKS:
            surroundings.docker("network", "rm", surroundings.network(name), wanted=None)


@pytest.fixture(name="world")
def converged(running: World) -> World:
    wait_until("all is well before the test", running.is_well, 60)
    return running


def expect_heal(world: World, reason: str, since: int, timeoutSeconds: float = 40) -> None:
    """It comes to that, and then all is well again. `since`: how many events there were before."""
    wait_until(f"{reason} has been done", lambda: reason in world.reasons()[since:], timeoutSeconds, 0.2)
    wait_until(f"all is well after {reason}", world.is_well, timeoutSeconds, 0.2)


def kill(world: World, ordinal: int = 0) -> None:
    os.kill(int(world.facts(ordinal)["State"]["Pid"]), signal.SIGKILL)


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
    "network made again": (remake_network, "NetworkReconnected", True),
    "limits changed": (
        on_container("update", *["--memory", "128m", "--memory-swap", "128m", "{}"]),
        "LimitsRestored",
        True,
    ),
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


def test_an_engine_that_is_away_for_a_while_changes_nothing(world: World) -> None:
    before = {name: one["State"]["StartedAt"] for name, one in world.stack.bridges().items()}
    since = len(world.reasons())

    world.door.shut()
    wait_until("the operator says so", lambda: not engine_reachable(world), 30)
    world.write(BRIDGE.replace("replicas: 2", "replicas: 2\n  progressDeadlineSeconds: 500"))
    world.door.open()
    wait_until("it is back", lambda: engine_reachable(world) and world.is_well(), 60)

    assert {name: one["State"]["StartedAt"] for name, one in world.stack.bridges().items()} == before
    assert world.reasons()[since:] == []


def engine_reachable(world: World) -> bool:
    return bool(json.loads((world.state / "status.json").read_text())["engineReachable"])


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
