"""From any state, after any history, with the operator killed at any call: it gets there, and then it is still."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_operator.model import KafkaBridge
from support.fake_engine import FakeEngine, OperatorKilled
from support.operator_harness import Harness, bridge


def assert_converged(harness: Harness, replicas: int) -> None:
    assert harness.names() == [f"test-orders-{ordinal}" for ordinal in range(replicas)]
    if replicas:
        assert harness.engine.lane_holders("orders") == {lane: f"test-orders-{lane % replicas}" for lane in range(6)}
        assert harness.condition("Ready").status == "True"
    calls = len(harness.engine.calls)
    harness.run(20)
    assert harness.engine.calls[calls:] == []


def settle(harness: Harness) -> None:
    """Long enough for every back-off to run out."""
    harness.run(700, stepSeconds=5.0)


STORIES: dict[str, tuple[KafkaBridge, Callable[[Harness], None], KafkaBridge]] = {
    "spawn": (bridge(replicas=0), lambda harness: None, bridge(replicas=2)),
    "roll": (bridge(replicas=2), lambda harness: None, bridge(replicas=2, commitIntervalMs=500)),
    "scale up": (bridge(), lambda harness: None, bridge(replicas=3)),
    "scale down": (bridge(replicas=3), lambda harness: None, bridge(replicas=1)),
    "to zero": (bridge(replicas=2), lambda harness: None, bridge(replicas=0)),
    "heal": (bridge(), lambda harness: harness.engine.crash("test-orders-0"), bridge()),
    "network": (bridge(), lambda harness: harness.engine.remake_network("network1"), bridge()),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("when", ["killBefore", "killAfter"])
def test_killed_at_every_call_it_still_converges(tmp_path: Path, story: str, when: str) -> None:
    first, spoil, second = STORIES[story]
    number, kills = 1, 0
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        harness = Harness(folder, first)
        harness.run(20)
        offset = len(harness.engine.calls)
        spoil(harness)
        harness.apply(second)
        setattr(harness.engine, when, offset + number)
        try:
            harness.run(60)
        except OperatorKilled:
            kills += 1
            harness.start_operator()
        else:
            break
        settle(harness)
        assert_converged(harness, second.spec.replicas)
        number += 1
    assert kills >= 1, "the story has calls to be killed at"


def rename_at_random(engine: FakeEngine, pick: int) -> None:
    containers = list(engine.byId.values())
    container = containers[pick % len(containers)]
    if not any(one.name == "renamed" for one in containers):
        container.name = "renamed"


def lose_network(engine: FakeEngine, pick: int) -> None:
    containers = list(engine.byId.values())
    containers[pick % len(containers)].endpoints.pop(f"test_network{pick % 3 + 1}", None)


def set_state(state: str) -> Callable[[FakeEngine, int], None]:
    def change(engine: FakeEngine, pick: int) -> None:
        container = list(engine.byId.values())[pick % len(engine.byId)]
        if container.state == "running" or state == "dead":
            container.state = state

    return change


def set_unhealthy(engine: FakeEngine, pick: int) -> None:
    container = list(engine.byId.values())[pick % len(engine.byId)]
    if container.state == "running":
        container.health = "unhealthy"


def remove(engine: FakeEngine, pick: int) -> None:
    del engine.byId[list(engine.byId)[pick % len(engine.byId)]]


def crash(engine: FakeEngine, pick: int) -> None:
    engine.crash(list(engine.byId.values())[pick % len(engine.byId)].name)


def outage(engine: FakeEngine, pick: int) -> None:
    if pick % 2:
        engine.sourceReachable = not engine.sourceReachable
    else:
        engine.targetReachable = not engine.targetReachable


FAULTS: list[Callable[[FakeEngine, int], None]] = [
    rename_at_random,
    lose_network,
    set_state("paused"),
    set_state("dead"),
    set_unhealthy,
    remove,
    crash,
    outage,
    lambda engine, pick: engine.remake_network(f"network{pick % 3 + 1}"),
    lambda engine, pick: setattr(engine, "image", f"sha256:image-{pick % 3}"),
]

Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(st.sampled_from(["fault", "edit", "restart", "wait", "kill"]), st.integers(0, 100), st.integers(0, 40)),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(history=steps, replicas=st.integers(0, 4))
def test_after_any_history_it_converges(history: list[Step], replicas: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), bridge(replicas=2))
        # A spec that never becomes ready is among the edits.
        harness.engine.isBad = lambda config: config.commitIntervalMs == 999
        for kind, pick, seconds in history:
            if kind == "fault" and harness.engine.byId:
                FAULTS[pick % len(FAULTS)](harness.engine, pick // len(FAULTS))
            elif kind == "edit":
                interval = (200, 500, 999)[pick % 3]
                harness.apply(bridge(replicas=pick % 5, commitIntervalMs=interval, progressDeadlineSeconds=30))
            elif kind == "restart":
                harness.start_operator()
            elif kind == "kill":
                harness.engine.killAfter = len(harness.engine.calls) + 1 + pick % 4
            try:
                harness.run(seconds)
            except OperatorKilled:
                harness.start_operator()
        harness.engine.killAfter = None
        harness.engine.sourceReachable = harness.engine.targetReachable = True
        harness.apply(bridge(replicas=replicas, commitIntervalMs=321))
        settle(harness)
        assert_converged(harness, replicas)
