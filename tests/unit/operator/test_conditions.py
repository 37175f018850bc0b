"""Conditions: their words, and when the time of a transition moves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge_operator.engine import Container
from bridge_operator.observed import REPORT_FRESH_SECONDS, Observed, Sighting
from kafka_bridge.status import BridgeStatus, ClusterStatus, LaneState, LaneStatus
from support.operator_harness import Harness, bridge

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(name="one")
def running_bridge(tmp_path: Path) -> Harness:
    harness = Harness(tmp_path, bridge())
    harness.run(20)
    return harness


def test_a_transition_is_a_change_of_status_alone(one: Harness) -> None:
    before = one.condition("Ready")
    one.run(30)
    assert one.condition("Ready").lastTransitionTime == before.lastTransitionTime
    one.engine.sourceReachable = False
    one.run(3)
    lost = one.condition("Ready")
    assert lost.status == "False"
    assert lost.lastTransitionTime > before.lastTransitionTime
    one.engine.targetReachable = False
    one.engine.sourceReachable = True
    one.run(3)
    assert one.condition("Ready").reason == "TargetUnreachable"
    assert one.condition("Ready").lastTransitionTime == lost.lastTransitionTime, "False it was and False it is"


def test_conditions_say_which_generation_they_are_about(one: Harness) -> None:
    one.apply(bridge(commitIntervalMs=500))
    one.run(30)
    assert {condition.observedGeneration for condition in one.report().conditions} == {2}


def test_silence_is_not_good_news(one: Harness) -> None:
    """A process that no longer tells its status makes nothing True."""
    one.clock.advance(REPORT_FRESH_SECONDS + 1)
    one.controller.reconcile("orders")
    assert one.condition("Ready").reason == "ReplicasNotReady"
    assert one.condition("SourceReachable").status == "Unknown"


def test_a_lane_that_has_failed_says_why(one: Harness) -> None:
    one.engine.isBad = lambda config: True
    one.run(3)
    assert one.condition("Ready").status == "False"
    degraded = one.condition("Degraded")
    assert degraded.status == "True"
    assert "lane 0" in degraded.message


def test_a_lane_that_waits_says_what_for(one: Harness) -> None:
    one.engine.waitsFor = "TopicAuthorizationFailed"
    one.run(3)
    ready = one.condition("Ready")
    assert (ready.status, ready.reason) == ("False", "TopicAuthorizationFailed")
    assert ready.message == "0 of 1 replicas are ready; lane 0 waits: as it said"
    one.engine.waitsFor = ""
    one.run(20)
    assert one.condition("Ready").status == "True"


# ---- what a replica's own word is worth


def container(state: str = "running", health: str = "healthy") -> Container:
    return Container("c1", "test-orders-0", "orders", 0, 1, "hash", state, health)


def observed(
    lanes: tuple[LaneState, ...],
    source: bool | None = True,
    target: bool | None = True,
    missing: tuple[str, ...] = (),
    age: float = 0.0,
) -> Observed:
    status = BridgeStatus(
        instance="test",
        bridge="orders",
        ordinal=0,
        startedAt=AT,
        ready=all(lane == "Copying" for lane in lanes) and bool(source and target) and not missing,
        source=ClusterStatus(name="source", reachable=source, since=AT),
        target=ClusterStatus(name="target", reachable=target, since=AT),
        missingTopics=missing,
        lanes=tuple(LaneStatus(lane=number, state=state, since=AT) for number, state in enumerate(lanes)),
    )
    return Observed(100.0, (), {"c1": Sighting(status, 100.0 - age)})


@pytest.mark.parametrize(
    ("seen", "ready", "works", "settled"),
    [
        (observed(("Copying", "Copying")), True, True, True),
        (observed(("Copying", "Fenced")), False, True, True),
        (observed(("Copying", "Starting")), False, False, False),
        (observed(("Copying", "Failed")), False, False, False),
        (observed(("Waiting",), source=False), False, False, True),
        (observed(("Waiting",), target=False), False, False, True),
        (observed(("Copying",), source=None), False, False, False),
        (observed(("Copying",), missing=("a",)), False, False, True),
        (observed(("Starting",), missing=("a",)), False, False, False),
        (observed(("Failed",), missing=("a",)), False, False, False),
        (observed(("Copying",), age=REPORT_FRESH_SECONDS + 1), False, False, False),
    ],
)
def test_a_replica_is_ready_works_or_is_settled(seen: Observed, ready: bool, works: bool, settled: bool) -> None:
    assert (seen.is_ready(container()), seen.works(container()), seen.is_settled(container())) == (
        ready,
        works,
        settled,
    )


@pytest.mark.parametrize("one", [container(state="exited"), container(state="paused"), container(health="unhealthy")])
def test_a_replica_that_does_not_run_well_is_not_ready_whatever_it_said(one: Container) -> None:
    seen = observed(("Copying",))
    assert not seen.is_ready(one)
    assert not seen.works(one)
