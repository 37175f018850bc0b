"""Kafka's own scheme for exactly once (its transactions_test.py): whatever takes part ends, again and again."""

from __future__ import annotations

import pytest

from chaos.trial import Trial, bounce
from support.clusters import TARGET_BROKERS, Bridge
from support.outages import await_in_sync, bounce_broker, kill_process, throughout
from support.stack import wait_until

SELECTION = pytest.mark.selection


# In CI the coordinator's end is the hard one of a broker.
@pytest.mark.parametrize("isHard", [pytest.param(True, id="hard"), pytest.param(False, id="clean", marks=SELECTION)])
def test_brokers_of_the_target_bounce(trial: Trial, isHard: bool, rounds: int) -> None:
    trial.create_source()
    bridges = trial.replicas(2)
    trial.begin()
    for broker in TARGET_BROKERS[:rounds]:
        trial.advance()
        with throughout("two brokers of three are no outage", lambda: not any(map(sees_outage, bridges))):
            bounce_broker(trial.clusters, "target", broker, isHard)
    trial.advance()
    trial.finish(bridges)


def sees_outage(bridge: Bridge) -> bool:
    return bridge.status().get("target", {}).get("reachable") is False


# In CI the clean one is part of scaling.
@pytest.mark.parametrize("isHard", [pytest.param(True, id="hard", marks=SELECTION), pytest.param(False, id="clean")])
def test_bridges_bounce(trial: Trial, isHard: bool, rounds: int) -> None:
    trial.create_source()
    bridges = trial.replicas(2)
    trial.begin()
    for _ in range(rounds):
        for bridge in bridges:
            trial.advance()
            bounce(bridge, isHard)
    trial.advance()
    trial.finish(bridges)


@pytest.mark.selection
def test_source_broker_is_killed(trial: Trial, rounds: int) -> None:
    clusters = trial.clusters
    trial.create_source()
    bridges = trial.replicas(2)
    trial.begin()
    for _ in range(rounds):
        trial.advance()
        bounce_broker(clusters, "source", "source-kafka", isHard=True)
    trial.advance()
    trial.finish(bridges)


@pytest.mark.selection
def test_coordinator_is_killed_while_it_commits(trial: Trial, rounds: int) -> None:
    """Each time the one that leads lane 0's transactions then, once more than others: the first one's successor, too.

    Other lanes commit through the others. In CI it is once.
    """
    clusters = trial.clusters
    trial.create_source()
    bridge = trial.replicas(1)[0]
    transactionalId = trial.transactional_id(bridge, 0)
    trial.begin()
    killed: list[str] = []
    for _ in range(rounds + 1 if rounds > 1 else 1):
        trial.advance()
        coordinator = coordinator_of(trial, transactionalId)
        kill_process(clusters.stack, clusters.stack.service(coordinator))
        killed.append(coordinator)
        wait_until(
            f"another broker than {coordinator} coordinates",
            lambda old=coordinator: coordinator_of(trial, transactionalId) != old,  # type: ignore[misc]
            60,
            0.2,
        )
        await_in_sync(clusters, "target")
    assert rounds == 1 or len(set(killed)) > 1, "the second was the first one's successor"
    trial.advance()
    trial.finish([bridge])


def coordinator_of(trial: Trial, transactionalId: str) -> str:
    """The target broker that leads the partition of __transaction_state which this id belongs to."""
    partitions = trial.clusters.tool("target", "layout")["topics"]["__transaction_state"]
    leader: int = partitions[str(java_hash(transactionalId) % len(partitions))]["leader"]
    return TARGET_BROKERS[leader - 1] if leader > 0 else ""


def java_hash(text: str) -> int:
    """String.hashCode, without its sign as Kafka's Utils.abs takes it."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF
