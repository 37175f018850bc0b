"""The operator in this process, on a real engine, with bridges that only pretend to copy: each heal takes seconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge_operator.daemon import Daemon
from bridge_operator.docker_engine import DockerEngine
from bridge_operator.report_reader import read_events
from bridge_operator.settings import Settings
from kafka_bridge.serving import serve
from support.engine_door import EngineDoor
from support.manifests import CLUSTER
from support.pretend_operator import free_port
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
        self._port = free_port()
        self._operator: tuple[Daemon, threading.Thread, Callable[[], None]] | None = None

    @property
    def url(self) -> str:
        """Where the operator answers, the same one after each start."""
        return f"http://127.0.0.1:{self._port}/"

    def start_operator(self) -> None:
        engine = DockerEngine(self.settings.engineSocket, self.settings.instance, self.settings.stopGraceSeconds)
        daemon = Daemon(self.settings, engine)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        self._operator = daemon, thread, serve(daemon.build_app(), "127.0.0.1", self._port)

    def stop_operator(self) -> None:
        if self._operator is not None:
            daemon, thread, endWeb = self._operator
            endWeb()
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


@contextmanager
def running_world(stack: Stack, folder: Path) -> Iterator[World]:
    """Networks and volumes as Compose makes them, and an operator with a bridge of two replicas; the image is there."""
    for name in NETWORKS:
        stack.make_network(name)
    for name in VOLUMES:
        stack.make_volume(name)
    world = World(stack, folder)
    world.write()
    world.door.open()
    world.start_operator()
    try:
        yield world
    finally:
        world.stop_operator()
        world.door.shut()
        for name in stack.bridges():
            stack.docker("rm", "--force", name, wanted=None)
        for name in NETWORKS:
            stack.docker("network", "rm", stack.network(name), wanted=None)


def expect_heal(world: World, reason: str, since: int, timeoutSeconds: float = 40) -> None:
    """It comes to that, and then all is well again. `since`: how many events there were before."""
    wait_until(f"{reason} has been done", lambda: reason in world.reasons()[since:], timeoutSeconds, 0.2)
    wait_until(f"all is well after {reason}", world.is_well, timeoutSeconds, 0.2)


def kill(world: World, ordinal: int = 0) -> None:
    os.kill(process_of(world, ordinal), signal.SIGKILL)


def process_of(world: World, ordinal: int = 0) -> int:
    return int(world.facts(ordinal)["State"]["Pid"])


def engine_reachable(world: World) -> bool:
    return bool(json.loads((world.state / "status.json").read_text())["engineReachable"])
