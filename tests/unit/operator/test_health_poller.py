"""The poller: whose word counts, and what makes it ask for a pass."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bridge_operator.health_poller import HealthPoller, Sightings, StatusFetcher
from bridge_operator.observed import REPORT_FRESH_SECONDS, Observed
from kafka_bridge.status import BridgeStatus
from support.operator_harness import Harness, bridge


class World:
    """Running bridges, and the poller that asks them."""

    def __init__(self, folder: Path) -> None:
        self.harness = Harness(folder, bridge(replicas=2))
        self.harness.run(20)
        self.answers: dict[str, BridgeStatus | None] = {}
        self.sightings = Sightings()
        self.enqueued: list[str] = []
        self.asked: list[str] = []
        self.noted: list[tuple[set[str], set[str]]] = []
        self.poller = HealthPoller(
            self.harness.engine,
            self.sightings,
            "network2",
            self.enqueued.append,
            fetch=self._fetch,
            clock=self.harness.clock,
            note=lambda containers, heard: self.noted.append(({one.id for one in containers}, set(heard))),
        )

    def _fetch(self, address: str) -> BridgeStatus | None:
        self.asked.append(address)
        # All containers of the fake engine share an address: answers are given in their order.
        running = [one for one in self.harness.engine.byId.values() if one.state == "running"]
        one = running[(len(self.asked) - 1) % len(running)]
        if one.id in self.answers:
            return self.answers[one.id]
        return self.harness.engine.sightings()[one.id].status

    def poll(self) -> list[str]:
        """What one round asks passes for."""
        self.enqueued.clear()
        self.asked.clear()
        with ThreadPoolExecutor(1) as pool:
            self.poller.poll(pool)
        return list(self.enqueued)


@pytest.fixture(name="world")
def polled_world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.poll()
    return world


def test_it_keeps_what_each_process_says(world: World) -> None:
    assert {one.status.ordinal for one in world.sightings.snapshot().values()} == {0, 1}


def test_each_round_tells_who_is_there_and_who_has_answered(world: World) -> None:
    silent, other = world.harness.engine.byId
    world.answers[silent] = None
    world.poll()
    assert world.noted == [({silent, other}, {silent, other}), ({silent, other}, {other})]


def test_it_is_silent_while_nothing_changes(world: World) -> None:
    world.harness.clock.advance(2)
    assert world.poll() == []


def test_a_change_that_no_event_told_is_found(world: World) -> None:
    world.harness.engine.crash("test-orders-1")
    assert world.poll() == ["orders"]
    assert world.poll() == []
    del world.harness.engine.byId[world.harness.engine.named("test-orders-1").id]
    assert world.poll() == ["orders"]


def test_a_cluster_that_stops_answering_is_found(world: World) -> None:
    world.harness.engine.sourceReachable = False
    assert world.poll() == ["orders"]


def test_a_process_that_falls_silent_is_found_once_its_word_is_old(world: World) -> None:
    first = world.harness.engine.named("test-orders-0")
    world.answers[first.id] = None
    world.harness.clock.advance(2)
    assert world.poll() == []
    world.harness.clock.advance(REPORT_FRESH_SECONDS)
    assert world.poll() == ["orders"]
    containers = tuple(world.harness.engine.containers())
    observed = Observed(world.harness.clock.now, containers, world.sightings.snapshot())
    assert [observed.is_ready(one) for one in containers] == [False, True]


def test_another_process_at_the_same_address_is_not_believed(world: World) -> None:
    first, second = (world.harness.engine.named(f"test-orders-{ordinal}") for ordinal in (0, 1))
    world.sightings.forget(first.id)
    world.answers[first.id] = world.harness.engine.sightings()[second.id].status
    world.poll()
    assert first.id not in world.sightings.snapshot()


def test_what_is_gone_is_forgotten(world: World) -> None:
    world.harness.engine.byId.clear()
    world.poll()
    assert world.sightings.snapshot() == {}


# ---- over the network

HERE = "127.0.0.1"


class BridgeFace:
    """What a bridge serves: `answer` is its code and body, `connections` how many were made to it."""

    def __init__(self) -> None:
        face = self
        self.answer = (200, b"")
        self.connections = 0

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                face.connections += 1
                super().setup()

            def do_GET(self) -> None:  # pylint: disable=invalid-name  # the library's own
                code, body = face.answer
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer((HERE, 0), Handler)
        self.port = self.server.server_port


@pytest.fixture(name="face")
def served_face(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[BridgeFace]:
    """It says what a process of the fake engine says, and would keep connections."""
    monkeypatch.setattr(BaseHTTPRequestHandler, "protocol_version", "HTTP/1.1")
    face = BridgeFace()
    face.answer = (200, next(iter(world.sightings.snapshot().values())).status.model_dump_json().encode())
    thread = threading.Thread(target=face.server.serve_forever, args=(0.01,))
    thread.start()
    yield face
    face.server.shutdown()
    face.server.server_close()
    thread.join()


def test_a_status_is_fetched(face: BridgeFace, world: World) -> None:
    assert StatusFetcher(face.port)(HERE) in [one.status for one in world.sightings.snapshot().values()]


@pytest.mark.parametrize("answer", [(503, None), (200, b"ok"), (200, b'{"instance": 1}'), (200, b"\xff"), (302, b"")])
def test_an_answer_that_is_no_status_is_none(face: BridgeFace, answer: tuple[int, bytes | None]) -> None:
    code, body = answer
    face.answer = (code, face.answer[1] if body is None else body)
    assert StatusFetcher(face.port)(HERE) is None


@pytest.mark.parametrize("address", ["127.0.0.2", "no address", "", "["])
def test_no_answer_is_none(face: BridgeFace, address: str) -> None:
    assert StatusFetcher(face.port)(address) is None


def test_no_connection_outlives_its_answer(face: BridgeFace) -> None:
    """Behind the same address there may be another container by then."""
    fetch = StatusFetcher(face.port)
    for _ in range(3):
        assert fetch(HERE) is not None
    assert face.connections == 3


def test_the_machines_certificates_are_not_read_at_each_call(face: BridgeFace, monkeypatch: pytest.MonkeyPatch) -> None:
    """That took 45 ms of CPU for each replica, every two seconds."""
    made = []
    create = ssl.create_default_context

    def counting(*arguments: Any, **rest: Any) -> ssl.SSLContext:
        made.append(arguments)
        return create(*arguments, **rest)

    monkeypatch.setattr(ssl, "create_default_context", counting)
    fetch = StatusFetcher(face.port)
    for _ in range(3):
        assert fetch(HERE) is not None
    assert len(made) <= 1
