"""From any state, after any history, with the operator killed at any call: it gets there, and then it is still."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_operator.conditions import Picture
from bridge_operator.desired import Desired
from bridge_operator.model import KafkaBridge
from support.fake_engine import FakeContainer, FakeEngine, FaultKind, OperatorKilled
from support.operator_harness import Harness, bridge

# A read that fails ends its pass, and the next begins anew: those of the first few passes stand for all.
READS = 10


def assert_converged(harness: Harness, replicas: int) -> None:
    assert harness.names() == [f"test-orders-{ordinal}" for ordinal in range(replicas)]
    if replicas:
        assert harness.engine.lane_holders("orders") == {lane: f"test-orders-{lane % replicas}" for lane in range(6)}
        assert harness.condition("Ready").status == "True"
    calls = len(harness.engine.calls)
    harness.run(20)
    assert harness.engine.calls[calls:] == []


def assert_sound(harness: Harness) -> None:
    """Never two of one ordinal at work: they would take lanes from each other without an end."""
    atWork = [one.ordinal for one in harness.engine.byId.values() if one.state == "running" and one.config is not None]
    assert len(atWork) == len(set(atWork)), f"{sorted(atWork)} at work after {harness.engine.calls[-5:]}"
    for picture in harness.pictures():
        assert_spared(picture)


def assert_spared(picture: Picture) -> None:
    """Never the last that serves taken away for a roll, where another could serve."""
    observed = picture.observed
    wanted = {spec.ordinal for spec in picture.wish.specs} if isinstance(picture.wish, Desired) else set()
    for action in picture.plan.actions:
        if action.reason not in ("RollingUpdate", "CertificatesChanged"):
            continue
        taken = next(one for one in observed.containers if one.name == action.container)
        others = [one for one in observed.containers if one.ordinal in wanted - {taken.ordinal}]
        if observed.is_ready(taken) and not any(observed.is_ready(one) for one in others):
            assert all(observed.is_settled(one) for one in others), f"{action.message}, and {others} might have served"


def settle(harness: Harness, replicas: int) -> None:
    """Until all is as it should be, or every back-off has run out."""
    for _ in range(14):
        harness.run(50, stepSeconds=5.0)
        isReady = not replicas or harness.condition("Ready").status == "True"
        names = sorted(one.name for one in own(harness.engine))
        if isReady and names == [f"test-orders-{ordinal}" for ordinal in range(replicas)]:
            return


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
@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_with_a_fault_at_every_call_it_still_converges(tmp_path: Path, story: str, kind: FaultKind) -> None:
    """The operator is killed, or the call fails: before anything is done, or after; a time-out is a failure after."""
    first, spoil, second = STORIES[story]

    def tell(number: int) -> tuple[Harness, bool]:
        """The story, with the fault at that call of it; whether it came to that."""
        folder = tmp_path / str(number)
        folder.mkdir()
        harness = Harness(folder, first)
        harness.run(20)
        engine = harness.engine
        spoil(harness)
        harness.apply(second)
        engine.faultAt = (kind, (engine.reads if kind == "readFails" else engine.changes) + number)
        try:
            harness.run(60)
        except OperatorKilled:
            harness.start_operator()
        return harness, (engine.reads if kind == "readFails" else engine.changes) >= engine.faultAt[1]

    undisturbed, _ = tell(10**6)
    calls = len(undisturbed.engine.calls)
    number = 1
    while True:
        harness, happened = tell(number)
        if not happened or (kind == "readFails" and number > READS):
            break
        settle(harness, second.spec.replicas)
        assert_converged(harness, second.spec.replicas)
        assert len(harness.engine.calls) <= 2 * calls + 4, "a fault is no reason to begin everything anew"
        number += 1
    assert number > 1, "the story has calls to go wrong"


def own(engine: FakeEngine) -> list[FakeContainer]:
    return [one for one in engine.byId.values() if one.config is not None]


def pick_one(engine: FakeEngine, pick: int) -> FakeContainer:
    return own(engine)[pick % len(own(engine))]


def rename_at_random(engine: FakeEngine, pick: int) -> None:
    containers = own(engine)
    container = containers[pick % len(containers)]
    if not any(one.name == "renamed" for one in containers):
        container.name = "renamed"


def lose_network(engine: FakeEngine, pick: int) -> None:
    containers = own(engine)
    containers[pick % len(containers)].endpoints.pop(f"test_network{pick % 3 + 1}", None)


def set_state(state: str) -> Callable[[FakeEngine, int], None]:
    def change(engine: FakeEngine, pick: int) -> None:
        container = pick_one(engine, pick)
        if container.state == "running" or state == "dead":
            container.state = state

    return change


def set_unhealthy(engine: FakeEngine, pick: int) -> None:
    container = pick_one(engine, pick)
    if container.state == "running":
        container.health = "unhealthy"


def remove(engine: FakeEngine, pick: int) -> None:
    del engine.byId[pick_one(engine, pick).id]


def crash(engine: FakeEngine, pick: int) -> None:
    engine.crash(pick_one(engine, pick).name)


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


def test_a_roll_begins_with_whom_it_may_mend(tmp_path: Path) -> None:
    harness = Harness(tmp_path, bridge(replicas=3))
    harness.run(20)
    harness.engine.crash("test-orders-1")
    harness.look()
    # Started again, and not ready yet, when the edit comes.
    harness.apply(bridge(replicas=3, commitIntervalMs=500))
    calls = len(harness.engine.calls)
    harness.run(60, watch=lambda: assert_sound(harness))
    stops = [call for call in harness.engine.calls[calls:] if call.startswith("stop") and not call.endswith("-old")]
    assert stops == ["stop test-orders-1", "stop test-orders-0", "stop test-orders-2"]


Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["spoil", "edit", "pause", "restart", "wait", "fault"]), st.integers(0, 100), st.integers(0, 40)
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(history=steps, replicas=st.integers(0, 4))
def test_after_any_history_it_converges(history: list[Step], replicas: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), bridge(replicas=2))
        # A spec that never becomes ready is among the edits.
        harness.engine.isBad = lambda config: config.commitIntervalMs == 999
        harness.engine.add_foreign("foreign")
        for kind, pick, seconds in history:
            if kind == "spoil" and own(harness.engine):
                FAULTS[pick % len(FAULTS)](harness.engine, pick // len(FAULTS))
            elif kind == "edit":
                interval = (200, 500, 999)[pick % 3]
                harness.apply(bridge(replicas=pick % 5, commitIntervalMs=interval, progressDeadlineSeconds=30))
            elif kind == "restart":
                harness.start_operator()
            elif kind == "pause":
                harness.apply(bridge(replicas=pick % 5, paused=True))
            elif kind == "fault":
                fault = get_args(FaultKind)[pick % 5]
                done = harness.engine.reads if fault == "readFails" else harness.engine.changes
                harness.engine.faultAt = (fault, done + 1 + pick // 5 % 4)
            try:
                harness.run(seconds, watch=lambda: assert_sound(harness))
            except OperatorKilled:
                harness.start_operator()
        harness.engine.faultAt = None
        harness.engine.sourceReachable = harness.engine.targetReachable = True
        harness.apply(bridge(replicas=replicas, commitIntervalMs=321))
        settle(harness, replicas)
        assert harness.engine.named("foreign").state == "running", "what is not the operator's own is not touched"
        del harness.engine.byId[harness.engine.named("foreign").id]
        assert_converged(harness, replicas)
