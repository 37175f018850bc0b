"""Sources with gaps and records of every kind, while the bridge is killed now and then."""

from __future__ import annotations

import pytest

from chaos.trial import PARTITIONS, Trial, bounce
from support.clusters import contents
from support.stack import wait_until

pytestmark = pytest.mark.selection
ANY_TIME = "message.timestamp.after.max.ms=9223372036854775807"
# Kafka's default of max.message.bytes, for a whole batch; this much of it is framing.
LARGEST_BATCH, FRAMING = 1_048_588, 100
SMALL_LIMIT = 100_000


def test_producers_abort_transactions(trial: Trial) -> None:
    trial.records = 6_000
    trial.create_source()
    bridge = trial.replicas(1)[0]
    trial.begin("--per-transaction", 50, "--abort-every", 3, rate=1_500)
    trial.advance()
    bounce(bridge, isHard=True)
    trial.advance()
    wait_until("enough is copied", lambda: trial.copied() >= trial.records, 60)
    assert trial.feed is not None
    assert trial.follower is not None
    produced = trial.clusters.end_tool("source", trial.feed, trial.topic)["produced"]
    trial.clusters.await_copy(trial.topic)
    wait_until("the consumer has read all", lambda: trial.copied() >= produced, 30, 0.2)
    verdict = trial.follower.end()
    assert (verdict["records"], verdict["repeated"], verdict["aborted"]) == (produced, 0, 0)
    assert verdict["gaps"] > 0, "aborted ones have left gaps"
    last = {int(number): one["last"] for number, one in trial.clusters.digest("source", trial.topic).items()}
    stored = trial.stored_positions(bridge)
    # Behind the last record may lie markers and aborted records.
    assert all(last[number] < stored[trial.topic, number] for number in range(PARTITIONS))


def test_compacted_topic_has_gaps(trial: Trial) -> None:
    clusters, keys, rounds, partitions = trial.clusters, 1_000, 5, 2
    compacted = ("cleanup.policy=compact", "segment.ms=100", "min.cleanable.dirty.ratio=0.01")
    trial.create_source(*compacted, partitions=partitions)
    for number in range(rounds + 1):
        # The last few begin a new segment, so that all others can be compacted.
        count = 20 if number == rounds else 3 * keys
        first = number * 3 * keys
        options = ("--first", first, "--count", count, "--partitions", partitions)
        clusters.tool("source", "produce", trial.topic, *options)
    wait_until("the source is compacted", lambda: clusters.count("source", trial.topic) <= keys + 20, 120, 2)
    source = clusters.digest("source", trial.topic)
    bridge = trial.replicas(1)[0]
    assert contents(clusters.await_copy(trial.topic)) == contents(source)
    assert all(one["last"] + 1 > 3 * one["records"] for one in source.values()), "offsets are missing"
    trial.judge_positions([bridge])


def test_odd_records(trial: Trial) -> None:
    trial.create_source(ANY_TIME)
    trial.clusters.tool("source", "odd", trial.topic, "--count", 4_200)
    bridge = trial.replica(topicCreation={"configs": dict([ANY_TIME.split("=")])})
    bridge.await_ready()
    bounce(bridge, isHard=True)
    found = trial.clusters.await_copy(trial.topic)
    assert sum(one["records"] for one in found.values()) == 4_200
    trial.judge_positions([bridge])


def test_record_at_the_limit_of_size(trial: Trial) -> None:
    trial.create_source()
    trial.clusters.tool("source", "large", trial.topic, "--size", LARGEST_BATCH - FRAMING)
    trial.clusters.tool("source", "produce", trial.topic, "--count", 600)
    bridge = trial.replicas(1)[0]
    trial.clusters.await_copy(trial.topic)
    trial.judge_positions([bridge])


def oversized_source(trial: Trial) -> int:
    """The target takes less than the source has; the offset of the one record that is too large, in partition 0."""
    clusters = trial.clusters
    trial.create_source()
    clusters.tool("target", "create", trial.topic, "--config", f"max.message.bytes={SMALL_LIMIT}")
    clusters.tool("source", "produce", trial.topic, "--count", 600)
    clusters.tool("source", "large", trial.topic, "--size", 2 * SMALL_LIMIT)
    clusters.tool("source", "produce", trial.topic, "--first", 600, "--count", 600)
    return 600 // PARTITIONS


def test_record_over_the_limit_stops_its_lane(trial: Trial) -> None:
    offset = oversized_source(trial)
    reason, message = trial.replica().await_failure()
    assert reason == "InvalidRecord"
    assert f"{trial.topic}-0 at offset {offset}" in message
    wanted = dict.fromkeys(range(1, PARTITIONS), 200) | {0: offset}

    def probe() -> bool:
        found = trial.clusters.digest("target", trial.topic)
        return {int(partition): one["records"] for partition, one in found.items()} == wanted

    wait_until("all before it, and all of the other lanes, is copied", probe, 60, 1)


def test_record_over_the_limit_becomes_a_dead_letter(trial: Trial) -> None:
    offset, clusters = oversized_source(trial), trial.clusters
    bridge = trial.replica(topics=[{"name": trial.topic, "onInvalid": "deadLetter"}])
    bridge.await_ready()
    wait_until("all others are copied", lambda: clusters.count("target", trial.topic) >= 1_200, 60, 1)
    source, target = (clusters.digest(side, trial.topic) for side in ("source", "target"))
    del source["0"], target["0"]
    assert contents(target) == contents(source)
    numbers = [
        int(one["value"][:12]) for one in clusters.tool("target", "records", trial.topic) if not one["partition"]
    ]
    assert numbers == list(range(0, 1_200, PARTITIONS))
    [letter] = clusters.tool("target", "records", f"{trial.topic}.dead-letters")
    assert letter["size"] == 2 * SMALL_LIMIT
    headers = dict(letter["headers"])
    assert (headers["kafka-bridge.topic"], headers["kafka-bridge.partition"]) == (trial.topic, "0")
    assert headers["kafka-bridge.offset"] == str(offset)
    trial.judge_positions([bridge])
