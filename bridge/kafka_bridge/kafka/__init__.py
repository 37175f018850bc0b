"""Kafka as the bridge sees it: the only package that knows confluent_kafka.

Each class wraps one client in the few calls that a lane makes, with a bound on everything that waits, and turns
librdkafka's errors into `errors`.
"""

from kafka_bridge.kafka.admin import ClusterAdmin
from kafka_bridge.kafka.consumer import AssignedConsumer
from kafka_bridge.kafka.failures import CALL_BOUND_SECONDS, classify
from kafka_bridge.kafka.producer import TransactionalProducer
from kafka_bridge.kafka.types import (
    Batch,
    ConfigValue,
    Headers,
    Heartbeat,
    Partition,
    Progress,
    SourceRecord,
    TopicFacts,
)

__all__ = [
    "CALL_BOUND_SECONDS",
    "AssignedConsumer",
    "Batch",
    "ClusterAdmin",
    "ConfigValue",
    "Headers",
    "Heartbeat",
    "Partition",
    "Progress",
    "SourceRecord",
    "TopicFacts",
    "TransactionalProducer",
    "classify",
]
