"""The operator's process with real threads, files and clock, on the fake engine: do its loops do their part?"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge_operator.daemon import Daemon
from bridge_operator.settings import Settings
from support.fake_engine import FakeClock, FakeEngine
from support.manifests import CLUSTER
from support.stack import wait_until

BRIDGE = """
apiVersion: bridge.kafka/v1alpha1
kind: KafkaBridge
metadata: {name: orders}
spec: {source: {cluster: source}, target: {cluster: target}, topics: [{name: orders}], lanes: 6, replicas: REPLICAS}
"""


class WallClock(FakeClock):
    """The fake engine's containers live in real time here."""

    def __call__(self) -> float:
        return time.time()


class Running:
    """A daemon in a thread."""

    def __init__(self, folder: Path) -> None:
        self.manifests, self.state, schemas = folder / "manifests", folder / "state", folder / "schemas"
        for each in (self.manifests, self.state, schemas):
            each.mkdir()
        self.engine = FakeEngine(WallClock())
        self.write("clusters.yaml", CLUSTER.format(name="source", network="network1") + "---"
                   + CLUSTER.format(name="target", network="network3"))  # fmt: skip
        self.write("orders.yaml", BRIDGE.replace("REPLICAS", "1"))
        settings = Settings(
            instance="test",
            manifestsDir=self.manifests,
            schemasDir=schemas,
            stateDir=self.state,
            removeGraceSeconds=0.5,
            resyncSeconds=3600,
            healthPollSeconds=0.2,
            passDeadlineSeconds=1,
        )
        self.daemon = Daemon(settings, self.engine)
        self.thread = threading.Thread(target=self.daemon.run)
        self.thread.start()

    def write(self, name: str, text: str) -> None:
        (self.manifests / name).write_text(text)

    def containers(self) -> list[str]:
        return sorted(one.name for one in list(self.engine.byId.values()) if one.state == "running")

    def status(self) -> Any:
        path = self.state / "status.json"
        return json.loads(path.read_text()) if path.exists() else None


@pytest.fixture(name="running")
def running_daemon(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    try:
        wait_until("the first replica", lambda: running.containers() == ["test-orders-0"], 20)
        yield running
    finally:
        running.daemon.stop()
        running.thread.join(20)
    assert not running.thread.is_alive()


def test_an_edit_is_acted_on_and_reported(running: Running) -> None:
    running.write("orders.yaml", BRIDGE.replace("REPLICAS", "0"))
    wait_until("the replica to go", lambda: running.containers() == [], 20)
    wait_until("the report to say so", lambda: running.status()["bridges"][0]["replicas"] == 0, 20)


def test_a_deleted_file_removes_its_bridge(running: Running) -> None:
    (running.manifests / "orders.yaml").unlink()
    wait_until("the replica to go", lambda: running.containers() == [], 20)


def test_a_folder_that_was_replaced_is_still_watched(running: Running) -> None:
    running.manifests.rename(running.manifests.with_name("former"))
    wait_until("the fault", lambda: running.status()["folderFault"], 20)
    assert running.containers() == ["test-orders-0"]
    former = running.manifests.with_name("former")
    former.rename(running.manifests)
    wait_until("the fault to go", lambda: not running.status()["folderFault"], 20)
    running.write("orders.yaml", BRIDGE.replace("REPLICAS", "0"))
    wait_until("the edit to be seen", lambda: running.containers() == [], 20)


def test_a_crash_without_an_event_is_healed(running: Running) -> None:
    running.engine.crash("test-orders-0")
    wait_until("the replica to come back", lambda: running.containers() == ["test-orders-0"], 20)


def test_an_engine_that_comes_back_is_taken_up_again(running: Running) -> None:
    running.engine.reachable = False
    running.write("orders.yaml", BRIDGE.replace("REPLICAS", "0"))
    wait_until("the report to say so", lambda: not running.status()["engineReachable"], 20)
    running.engine.reachable = True
    wait_until("the edit to be acted on", lambda: running.containers() == [], 30)


def test_it_ends_quickly_and_leaves_bridges_running(running: Running) -> None:
    began = time.monotonic()
    running.daemon.stop()
    running.thread.join(20)
    assert time.monotonic() - began < 10
    assert running.containers() == ["test-orders-0"]
    assert not running.daemon.failed


def test_the_report_is_renewed_while_nothing_happens(running: Running) -> None:
    first = wait_until("a report", running.status, 10)["writtenAt"]
    wait_until("another one", lambda: running.status()["writtenAt"] != first, 10)


def test_a_pass_that_hangs_is_told(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    goOn = threading.Event()
    with monkeypatch.context() as patch:
        # A look would do as well, but the reading of the edit looks too, and may be the one that hangs.
        for call in ("stop", "remove"):
            patch.setattr(running.engine, call, lambda *given, **named: goOn.wait(60))
        running.write("orders.yaml", BRIDGE.replace("REPLICAS", "0"))
        stuck = wait_until("the report to say so", lambda: running.status()["stuckPasses"], 20)
    goOn.set()
    assert [one["bridge"] for one in stuck] == ["orders"]
    assert stuck[0]["seconds"] >= 1
    wait_until("the report to say that it is over", lambda: not running.status()["stuckPasses"], 20)
    wait_until("the edit to be acted on", lambda: running.containers() == [], 20)
