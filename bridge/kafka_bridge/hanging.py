"""Finds records whose transaction has been decided at its coordinator and that were never told of it.

A broker of Kafka 4.3 that has been fenced for a moment, such as the only one of a cluster when it wakes up from a
pause beyond its session's time-out, leaves out the markers of the transactions that it ends meanwhile. The records
stay hidden then, and the next transaction of the same producer would take them along, whatever had been decided. So
before a lane opens a transaction, each partition that it writes to is asked whether it still has one open of the
lane's own producer.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from kio.schema.describe_producers.v0 import DescribeProducersRequest
from kio.schema.describe_producers.v0.request import TopicRequest
from kio.schema.errors import ErrorCode
from kio.schema.find_coordinator.v4 import FindCoordinatorRequest
from kio.schema.list_transactions.v0 import ListTransactionsRequest
from kio.schema.metadata.v12 import MetadataRequest
from kio.schema.metadata.v12.request import MetadataRequestTopic
from kio.schema.types import TopicName
from kio.static.primitive import i8, i32
from loguru import logger

from kafka_bridge.errors import TransientError
from kafka_bridge.kafka import Heartbeat, Partition
from kafka_bridge.wire import Address, Brokers, reason_of

# A coordinator that has decided writes its markers in milliseconds; one that cannot goes on trying.
DECISION_SECONDS = 60.0
# What is found open is looked at again, so often and with this pause: a leader may have changed in between.
LOOKS, LOOK_PAUSE_SECONDS = 3, 0.5
_TRANSACTION_KEYS = i8(1)
_MAY_NOT = {
    ErrorCode.topic_authorization_failed,
    ErrorCode.transactional_id_authorization_failed,
    ErrorCode.cluster_authorization_failed,
}


@dataclass(frozen=True, slots=True)
class Hanging:
    """`partitions` still wait for a marker that nobody is going to write; `brokers` is the size of their cluster."""

    partitions: frozenset[Partition] = frozenset()
    brokers: int = 1


@dataclass(frozen=True, slots=True)
class _Cluster:
    brokers: Mapping[int, Address]
    leaders: Mapping[Partition, int]


class _MayNotAsk(Exception):
    pass


def find_hanging(
    makeBrokers: Callable[[], Brokers],
    transactionalId: str,
    partitions: Collection[Partition],
    heartbeat: Heartbeat,
) -> Hanging:
    """Those of `partitions` in which a transaction of this id hangs. The id must have none under way.

    Nothing is found where the target does not let the bridge ask (it wants DESCRIBE on the transactional id and READ
    on the topics): the log says so. TransientError where a broker does not answer.
    """
    try:
        with makeBrokers() as brokers:
            producerId = _settled_producer(brokers, transactionalId, heartbeat)
            found, size = frozenset(partitions), 1
            for look in range(LOOKS):
                if look:
                    heartbeat()
                    time.sleep(LOOK_PAUSE_SECONDS)
                cluster = _describe_cluster(brokers, found)
                size = len(cluster.brokers)
                found &= _open_partitions(brokers, cluster, producerId, found)
                if not found:
                    break
            return Hanging(found, size)
    except _MayNotAsk as error:
        logger.warning("cannot see whether transactions hang at the target: {}", error)
        return Hanging()


def _settled_producer(brokers: Brokers, transactionalId: str, heartbeat: Heartbeat) -> int:
    """The producer id that the transactional id stands for, once its last transaction has got all its markers."""
    deadline = time.monotonic() + DECISION_SECONDS
    request = FindCoordinatorRequest(key_type=_TRANSACTION_KEYS, coordinator_keys=(transactionalId,))
    missed = 0
    while True:
        heartbeat()
        [coordinator] = brokers.ask_any(request).coordinators
        _require(coordinator.error_code, f"the coordinator of {transactionalId}")
        # All that it coordinates: kio 0.6 cannot read a description of one that has no transaction under way.
        answer = brokers.ask((coordinator.host, coordinator.port), ListTransactionsRequest())
        _require(answer.error_code, "the list of transactions")
        state = next((one for one in answer.transaction_states if one.transactional_id == transactionalId), None)
        if state is None:
            missed += 1
            if missed == LOOKS:
                raise _MayNotAsk(f"{transactionalId} is not in its coordinator's list")
        elif not state.transaction_state.startswith("Prepare"):
            return int(state.producer_id)
        if time.monotonic() > deadline:
            raise TransientError("TransactionUnsettled", f"the transaction of {transactionalId} gets no markers")
        time.sleep(0.05)


def _describe_cluster(brokers: Brokers, partitions: Collection[Partition]) -> _Cluster:
    topics = tuple(
        MetadataRequestTopic(topic_id=None, name=TopicName(name)) for name in sorted({topic for topic, _ in partitions})
    )
    answer = brokers.ask_any(
        MetadataRequest(topics=topics, allow_auto_topic_creation=False, include_topic_authorized_operations=False)
    )
    leaders: dict[Partition, int] = {}
    for topic in answer.topics:
        _require(topic.error_code, f"topic {topic.name}")
        leaders |= {(str(topic.name), int(one.partition_index)): int(one.leader_id) for one in topic.partitions}
    return _Cluster({int(one.node_id): (one.host, int(one.port)) for one in answer.brokers}, leaders)


def _open_partitions(
    brokers: Brokers, cluster: _Cluster, producerId: int, partitions: Collection[Partition]
) -> set[Partition]:
    byLeader: dict[int, list[Partition]] = defaultdict(list)
    for place in partitions:
        byLeader[cluster.leaders.get(place, -1)].append(place)
    found: set[Partition] = set()
    for leader, places in byLeader.items():
        if leader not in cluster.brokers:
            raise TransientError("LeaderNotAvailable", f"{places[0][0]}-{places[0][1]} has no leader")
        answer = brokers.ask(cluster.brokers[leader], _producers_request(places))
        for topic in answer.topics:
            for one in topic.partitions:
                place = (str(topic.name), int(one.partition_index))
                _require(one.error_code, f"the producers of {place[0]}-{place[1]}")
                if any(_is_open(state, producerId) for state in one.active_producers):
                    found.add(place)
    return found


def _producers_request(places: Collection[Partition]) -> DescribeProducersRequest:
    numbers: dict[str, list[i32]] = defaultdict(list)
    for topic, number in sorted(places):
        numbers[topic].append(i32(number))
    topics = [TopicRequest(name=TopicName(name), partition_indexes=tuple(indexes)) for name, indexes in numbers.items()]
    return DescribeProducersRequest(topics=tuple(topics))


def _is_open(state: Any, producerId: int) -> bool:
    return int(state.producer_id) == producerId and int(state.current_txn_start_offset) >= 0


def _require(code: ErrorCode, what: str) -> None:
    if code in _MAY_NOT:
        raise _MayNotAsk(f"{what}: {reason_of(code)}")
    if code is not ErrorCode.none:
        raise TransientError(reason_of(code), f"{what}: {reason_of(code)}")
