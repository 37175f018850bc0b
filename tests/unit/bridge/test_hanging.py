"""What hangs is found by asking the brokers, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

import pytest
from kio.schema.describe_producers.v0.response import (
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)
from kio.schema.errors import ErrorCode
from kio.schema.find_coordinator.v4.response import Coordinator, FindCoordinatorResponse
from kio.schema.list_transactions.v0.response import ListTransactionsResponse, TransactionState
from kio.schema.metadata.v12.response import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

from kafka_bridge import hanging as module
from kafka_bridge.errors import TransientError
from kafka_bridge.hanging import DECISION_SECONDS, LOOKS, Hanging, find_hanging
from kafka_bridge.wire import Address
from support.fake_kafka import FakeClock

ID = "plant.orders.c.lane.0"
P0, P1 = ("orders", 0), ("orders", 1)
FIRST, SECOND = ("one", 9093), ("two", 9093)


class FakeBrokers:
    """Answers as brokers do: partition n is led by broker n mod `size`; transactions are coordinated by the first."""

    def __init__(self) -> None:
        self.size = 1
        self.states = ["CompleteCommit"]
        self.open: list[dict[Address, set[tuple[int, int]]]] = [{}]
        """At each look, by broker: producer id and partition with an open transaction."""
        self.errors: dict[str, ErrorCode] = {}
        self.asked: list[tuple[Address, str]] = []
        self.closed = 0

    def __enter__(self) -> FakeBrokers:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed += 1

    def ask_any(self, request: Any) -> Any:
        return self.ask(FIRST, request)

    def ask(self, address: Address, request: Any) -> Any:
        name = type(request).__name__.removesuffix("Request")
        self.asked.append((address, name))
        answers = {
            "FindCoordinator": self._answer_find_coordinator,
            "ListTransactions": self._answer_list_transactions,
            "Metadata": self._answer_metadata,
            "DescribeProducers": self._answer_describe_producers,
        }
        return answers[name](request, address, self.errors.get(name, ErrorCode.none))

    def _answer_find_coordinator(self, request: Any, _address: Address, error: ErrorCode) -> Any:
        assert (request.key_type, request.coordinator_keys) == (1, (ID,))
        one = make(Coordinator, key=ID, node_id=1, host=FIRST[0], port=FIRST[1], error_code=error, error_message=None)
        return make(FindCoordinatorResponse, throttle_time=None, coordinators=(one,))

    def _answer_list_transactions(self, _request: Any, address: Address, error: ErrorCode) -> Any:
        assert address == FIRST
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        listed = [("another", 8, "Ongoing"), (ID, 7, state)] if state else []
        states = [
            make(TransactionState, transactional_id=name, producer_id=producerId, transaction_state=now)
            for name, producerId, now in listed
        ]
        return make(ListTransactionsResponse, throttle_time=None, error_code=error, transaction_states=tuple(states))

    def _answer_metadata(self, request: Any, _address: Address, error: ErrorCode) -> Any:
        assert not request.allow_auto_topic_creation
        addresses = (FIRST, SECOND)[: self.size]
        brokers = [
            make(MetadataResponseBroker, node_id=n, host=host, port=port) for n, (host, port) in enumerate(addresses)
        ]
        replicas: dict[str, Any] = dict.fromkeys(("replica_nodes", "isr_nodes", "offline_replicas"), ())
        partitions = [
            make(
                MetadataResponsePartition,
                error_code=ErrorCode.none,
                partition_index=n,
                leader_id=n % self.size,
                **replicas,
            )
            for n in range(2)
        ]
        topics = [
            make(MetadataResponseTopic, error_code=error, name=one.name, topic_id=None, partitions=tuple(partitions))
            for one in request.topics
        ]
        return make(MetadataResponse, throttle_time=None, brokers=tuple(brokers), topics=tuple(topics))

    def _answer_describe_producers(self, request: Any, address: Address, error: ErrorCode) -> Any:
        seen = (self.open.pop(0) if len(self.open) > 1 else self.open[0]).get(address, set())

        def producers(number: int) -> tuple[Any, ...]:
            return (producer(7, -1), *(producer(one, 40) for one, place in sorted(seen) if place == number))

        topics = [
            make(
                TopicResponse,
                name=topic.name,
                partitions=tuple(
                    make(PartitionResponse, partition_index=n, error_code=error, active_producers=producers(n))
                    for n in topic.partition_indexes
                ),
            )
            for topic in request.topics
        ]
        return make(DescribeProducersResponse, throttle_time=None, topics=tuple(topics))


def make(kind: Any, **fields: Any) -> Any:
    """kio's types are narrower than what a test needs to say."""
    return kind(**fields)


def producer(producerId: int, start: int) -> Any:
    fields = {"producer_id": producerId, "producer_epoch": 3, "coordinator_epoch": 0}
    return make(ProducerState, current_txn_start_offset=start, **fields)


@pytest.fixture(name="brokers")
def fake_brokers() -> FakeBrokers:
    return FakeBrokers()


@pytest.fixture(name="clock", autouse=True)
def fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def find(brokers: FakeBrokers) -> Hanging:
    found = find_hanging(lambda: brokers, ID, [P0, P1], lambda: None)  # type: ignore[arg-type,return-value]
    assert brokers.closed == 1
    return found


def test_nothing_hangs_and_one_look_is_enough(brokers: FakeBrokers, clock: FakeClock) -> None:
    brokers.open = [{FIRST: {(8, 0), (9, 1)}}]
    assert find(brokers) == Hanging(frozenset(), 1), "transactions of others are theirs"
    assert [name for _, name in brokers.asked] == [
        "FindCoordinator", "ListTransactions", "Metadata", "DescribeProducers"
    ]  # fmt: skip
    assert clock.pauses == []


def test_an_open_transaction_of_the_lane_s_producer_hangs(brokers: FakeBrokers) -> None:
    brokers.open = [{FIRST: {(7, 1), (8, 0)}}]
    assert find(brokers) == Hanging(frozenset({P1}), 1)
    assert [name for _, name in brokers.asked].count("DescribeProducers") == LOOKS


def test_what_was_open_only_for_a_moment_does_not_hang(brokers: FakeBrokers) -> None:
    brokers.open = [{FIRST: {(7, 0), (7, 1)}}, {FIRST: {(7, 1)}}, {}]
    assert find(brokers) == Hanging(frozenset(), 1)


def test_each_partition_is_asked_for_at_its_leader(brokers: FakeBrokers) -> None:
    brokers.size = 2
    brokers.open = [{SECOND: {(7, 1)}}]
    assert find(brokers) == Hanging(frozenset({P1}), 2)
    assert {address for address, name in brokers.asked if name == "DescribeProducers"} == {FIRST, SECOND}


def test_markers_under_way_are_waited_for(brokers: FakeBrokers, clock: FakeClock) -> None:
    brokers.states = ["PrepareCommit", "PrepareCommit", "CompleteCommit"]
    assert find(brokers) == Hanging(frozenset(), 1)
    assert len(clock.pauses) == 2


def test_markers_that_do_not_come_are_named(brokers: FakeBrokers, clock: FakeClock) -> None:
    brokers.states = ["PrepareAbort"]
    with pytest.raises(TransientError) as late:
        find(brokers)
    assert late.value.reason == "TransactionUnsettled"
    assert sum(clock.pauses) >= DECISION_SECONDS


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("FindCoordinator", ErrorCode.transactional_id_authorization_failed),
        ("ListTransactions", ErrorCode.cluster_authorization_failed),
        ("DescribeProducers", ErrorCode.topic_authorization_failed),
    ],
)
def test_who_may_not_ask_goes_on_without(brokers: FakeBrokers, asked: str, error: ErrorCode) -> None:
    brokers.errors = {asked: error}
    brokers.open = [{FIRST: {(7, 1)}}]
    assert find(brokers) == Hanging()


def test_who_is_not_shown_its_own_transactions_goes_on_without(brokers: FakeBrokers) -> None:
    brokers.states = [""]
    brokers.open = [{FIRST: {(7, 1)}}]
    assert find(brokers) == Hanging()


@pytest.mark.parametrize("asked", ["FindCoordinator", "ListTransactions", "Metadata", "DescribeProducers"])
def test_any_other_error_is_told(brokers: FakeBrokers, asked: str) -> None:
    brokers.errors = {asked: ErrorCode.not_coordinator}
    with pytest.raises(TransientError, match="NotCoordinator") as told:
        find(brokers)
    assert told.value.reason == "NotCoordinator"
