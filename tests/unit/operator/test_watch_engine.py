"""The engine watcher: whom an event is about, and that nothing which happens between two streams is missed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

from bridge_operator.engine import Container, Engine, EngineEvent, EngineTransient
from bridge_operator.watch_engine import OVERLAP_SECONDS, STREAM_SECONDS, EngineWatcher

NOW = 1_000.0


class World:
    """An engine with one container, whose streams are scripted; the last of them ends the watcher."""

    def __init__(self, *streams: list[EngineEvent] | EngineTransient) -> None:
        self.streams = list(streams)
        self.spans: list[tuple[float, float]] = []
        self.asked: list[str] = []
        self.suspected: list[str] = []
        self.stopping = threading.Event()
        self.watcher = EngineWatcher(
            cast(Engine, self), self.asked.append, self.look, self.suspected.append, clock=lambda: NOW
        )

    def look(self) -> list[Container]:
        self.asked.append("(all)")
        return [Container("id-1", "kbo-orders-0", "orders", 0, 1, "hash", "running")]

    def events(self, since: float, until: float) -> Iterator[EngineEvent]:
        self.spans.append((since, until))
        stream = self.streams.pop(0)
        if isinstance(stream, EngineTransient):
            raise stream
        yield from stream
        if not self.streams:
            self.stopping.set()

    def run(self) -> list[str]:
        self.watcher.run(self.stopping)
        return self.asked


def test_an_event_asks_for_a_pass_over_its_bridge() -> None:
    world = World([EngineEvent(NOW, "payments", "die", "id-2"), EngineEvent(NOW, "orders", "update", "id-1")])
    assert world.run() == ["(all)", "payments", "orders"]
    assert world.suspected == ["orders"], "its limits may have been changed"
    assert world.watcher.lastEventAt == NOW


def test_an_attachment_concerns_the_bridge_whose_it_is() -> None:
    # Each container that starts makes one for each of its networks: looking at everything for them all held
    # fifty starts up.
    created, attached = EngineEvent(NOW, "payments", "create", "id-2"), EngineEvent(NOW, "", "connect", "id-2")
    world = World([EngineEvent(NOW, "", "disconnect", "id-1"), created, attached])
    assert world.run() == ["(all)", "orders", "payments", "payments"]


def test_others_attachments_concern_nobody() -> None:
    gone = EngineEvent(NOW, "orders", "destroy", "id-1")
    world = World([EngineEvent(NOW, "", "connect", "foreign"), gone, EngineEvent(NOW, "", "disconnect", "id-1")])
    assert world.run() == ["(all)", "orders"]


def test_a_network_that_comes_or_goes_may_concern_everybody() -> None:
    assert World([EngineEvent(NOW, "", "create"), EngineEvent(NOW, "", "destroy")]).run() == ["(all)"] * 3


def test_a_new_stream_looks_at_everything_and_overlaps_the_last() -> None:
    world = World([], [EngineEvent(NOW, "orders", "die", "id-1")])
    assert world.run() == ["(all)", "(all)", "orders"]
    assert world.spans == [(NOW - OVERLAP_SECONDS, NOW + STREAM_SECONDS)] * 2


def test_an_engine_that_does_not_answer_is_asked_again() -> None:
    world = World(EngineTransient("away"), [EngineEvent(NOW, "orders", "die", "id-1")])
    assert world.run() == ["(all)", "(all)", "orders"]
