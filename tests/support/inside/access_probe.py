"""Tries what a client with a certificate may do at a cluster. Run by tests in a container; prints one JSON document.

By attempt: `allowed`, or the broker's word for why not. What is allowed is done: give it topics, groups and ids that
nobody needs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

TLS = "/etc/kafka/tls"
SECONDS = 10


class Probe:
    """Each method is an attempt: it raises KafkaException where it is refused."""

    def __init__(self, servers: str) -> None:
        self._settings: dict[str, Any] = {
            "bootstrap.servers": servers,
            "security.protocol": "ssl",
            "ssl.ca.location": f"{TLS}/ca.crt",
            "ssl.certificate.location": f"{TLS}/tls.crt",
            "ssl.key.location": f"{TLS}/tls.key",
            "log_level": 0,
        }
        self._admin = AdminClient(self._settings)

    # ---- topics

    def describe(self, topic: str) -> None:
        self._one(self._admin.describe_topics(TopicCollection([topic]), request_timeout=SECONDS))

    def read(self, topic: str) -> None:
        """By a consumer that was given its partition; its group is a name only, whether it may use it or not."""
        self._find(topic)
        consumer = Consumer({**self._settings, "group.id": "target-consumer", "enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            for _ in range(SECONDS):
                message = consumer.poll(1)
                error = message.error() if message is not None else None
                if message is None or (error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED):
                    continue
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    return
                raise KafkaException(error)
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        finally:
            consumer.close()

    def write(self, topic: str) -> None:
        failures: list[KafkaError] = []
        producer = Producer({**self._settings, "message.timeout.ms": SECONDS * 1000})
        producer.produce(topic, b"probe", on_delivery=lambda error, message: failures.append(error) if error else None)
        producer.flush(SECONDS + 2)
        if failures:
            raise KafkaException(failures[0])

    def create(self, topic: str) -> None:
        self._one(self._admin.create_topics([NewTopic(topic, 1, 1)], request_timeout=SECONDS))

    def grow(self, topic: str) -> None:
        self._one(self._admin.create_partitions([NewPartitions(topic, 8)], request_timeout=SECONDS, validate_only=True))

    def delete(self, topic: str) -> None:
        self._one(self._admin.delete_topics([topic], request_timeout=SECONDS))

    def trim(self, topic: str) -> None:
        self._find(topic)
        self._one(self._admin.delete_records([TopicPartition(topic, 0, 0)], request_timeout=SECONDS))

    def configs(self, topic: str) -> None:
        self._one(self._admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)], request_timeout=SECONDS))

    def configure(self, topic: str) -> None:
        entry = ConfigEntry("retention.ms", "1000000", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self._one(self._admin.incremental_alter_configs([resource], request_timeout=SECONDS, validate_only=True))

    # ---- groups, transactions, the cluster

    def offsets(self, group: str) -> None:
        """The positions of a group."""
        self._one(
            self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=SECONDS)
        )

    def commit(self, place: str) -> None:
        """`GROUP/TOPIC`: set a position of a group."""
        group, topic = place.split("/")
        asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])]
        answer = self._one(self._admin.alter_consumer_group_offsets(asked, request_timeout=SECONDS))
        for one in answer.topic_partitions:
            if one.error is not None:
                raise KafkaException(one.error)

    def forget(self, group: str) -> None:
        """Delete a group."""
        self._one(self._admin.delete_consumer_groups([group], request_timeout=SECONDS))

    def transact(self, transactionalId: str) -> None:
        """Become the producer of a transactional id, and so fence whoever has it."""
        Producer({**self._settings, "transactional.id": transactionalId}).init_transactions(SECONDS)

    def acls(self, principal: str) -> None:
        """Give oneself everything."""
        binding = AclBinding(
            ResourceType.TOPIC,
            "*",
            ResourcePatternType.LITERAL,
            f"User:{principal}",
            "*",
            AclOperation.ALL,
            AclPermissionType.ALLOW,
        )
        self._one(self._admin.create_acls([binding], request_timeout=SECONDS))

    def broker(self, number: str) -> None:
        """Change a setting of a broker."""
        entry = ConfigEntry("log.cleaner.threads", "1", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.BROKER, number, incremental_configs=[entry])
        self._one(self._admin.incremental_alter_configs([resource], request_timeout=SECONDS, validate_only=True))

    def _find(self, topic: str) -> None:
        """A client that does not get to see a topic never asks its leader, and waits."""
        error = self._admin.list_topics(topic, timeout=SECONDS).topics[topic].error
        if error is not None:
            raise KafkaException(error)

    @staticmethod
    def _one(futures: Any) -> Any:
        [future] = futures.values()
        return future.result(SECONDS + 5)


def outcome(call: Callable[[str], None], subject: str) -> str:
    try:
        call(subject)
    except KafkaException as failure:
        return str(failure.args[0].name())
    return "allowed"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("servers")
    parser.add_argument("attempts", nargs="+", help="attempt:subject, such as read:orders")
    arguments = parser.parse_args()
    probe = Probe(arguments.servers)
    found = {}
    for one in arguments.attempts:
        name, subject = one.split(":", 1)
        found[one] = outcome(getattr(probe, name), subject)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
