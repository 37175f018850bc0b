"""Fills and reads topics from inside a cluster's network. Run by tests in a container; prints one JSON document.

Every record that `produce` sends begins with its number, twelve digits; number n goes to partition n mod partitions,
so that within a partition the numbers rise by that step, and whatever is lost, repeated or out of order shows.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

TLS = "/etc/kafka/tls"
NUMBER_DIGITS = 12
Headers = list[tuple[str, str | bytes | None]]


def connection(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "bootstrap.servers": arguments.servers,
        "security.protocol": "ssl",
        "ssl.ca.location": f"{TLS}/ca.crt",
        "ssl.certificate.location": f"{TLS}/tls.crt",
        "ssl.key.location": f"{TLS}/tls.key",
        "log_level": 0,
    }


# ---- topics


def create(arguments: argparse.Namespace) -> object:
    admin = AdminClient(connection(arguments))
    configs = dict(one.split("=", 1) for one in arguments.config)
    topic = NewTopic(arguments.topic, arguments.partitions, arguments.replication, config=configs)
    for future in admin.create_topics([topic]).values():
        future.result(30)
    # Known to the controller is not yet known to every broker.
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = admin.list_topics(timeout=10).topics.get(arguments.topic)
        if found and len(found.partitions) == arguments.partitions:
            return {"created": arguments.topic}
        time.sleep(0.1)
    raise SystemExit(f"topic {arguments.topic} does not appear")


def delete(arguments: argparse.Namespace) -> object:
    admin = AdminClient(connection(arguments))
    for future in admin.delete_topics([arguments.topic]).values():
        future.result(30)
    deadline = time.monotonic() + 30
    while arguments.topic in admin.list_topics(timeout=10).topics:
        if time.monotonic() > deadline:
            raise SystemExit(f"topic {arguments.topic} does not go")
        time.sleep(0.1)
    return {"deleted": arguments.topic}


def grow(arguments: argparse.Namespace) -> object:
    admin = AdminClient(connection(arguments))
    for future in admin.create_partitions([NewPartitions(arguments.topic, arguments.partitions)]).values():
        future.result(30)
    return {"partitions": arguments.partitions}


def configs(arguments: argparse.Namespace) -> object:
    """The settings of a topic that were made for it."""
    resource = ConfigResource(ResourceType.TOPIC, arguments.topic)
    # Kept by name: without one it would go, and its futures with it.
    admin = AdminClient(connection(arguments))
    [future] = admin.describe_configs([resource]).values()
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {name: entry.value for name, entry in future.result(30).items() if entry.source == own}


def trim(arguments: argparse.Namespace) -> object:
    """Forget the records before offset --first in every partition, as retention does."""
    admin = AdminClient(connection(arguments))
    found = admin.list_topics(arguments.topic, timeout=10).topics[arguments.topic].partitions
    for future in admin.delete_records(
        [TopicPartition(arguments.topic, one, arguments.first) for one in found]
    ).values():
        future.result(30)
    return {"first": arguments.first}


def layout(arguments: argparse.Namespace) -> object:
    """The brokers that are there, and by topic and partition: leader, replicas, and those of them in sync."""
    found = AdminClient(connection(arguments)).list_topics(timeout=10)
    return {
        "brokers": sorted(found.brokers),
        "topics": {
            name: {
                str(number): {"leader": one.leader, "replicas": sorted(one.replicas), "inSync": sorted(one.isrs)}
                for number, one in facts.partitions.items()
            }
            for name, facts in found.topics.items()
        },
    }


def await_in_sync(arguments: argparse.Namespace) -> object:
    """Wait until all brokers are there, and each partition has a leader and all of its replicas in sync; the layout.

    One process that asks again and again: one for each question would keep a core from the brokers that come back.
    """
    admin, deadline = AdminClient(connection(arguments)), time.monotonic() + arguments.timeout
    while True:
        with contextlib.suppress(KafkaException):
            found = admin.list_topics(timeout=10)
            partitions = [one for topic in found.topics.values() for one in topic.partitions.values()]
            isWhole = all(one.leader > 0 and sorted(one.isrs) == sorted(one.replicas) for one in partitions)
            if len(found.brokers) == arguments.brokers and isWhole:
                return layout(arguments)
        if time.monotonic() > deadline:
            raise SystemExit(f"after {arguments.timeout} s still not in sync: {layout(arguments)}")
        time.sleep(1)


def describe(arguments: argparse.Namespace) -> object:
    """Topics with their partition counts."""
    topics = AdminClient(connection(arguments)).list_topics(timeout=10).topics
    return {name: len(facts.partitions) for name, facts in topics.items()}


# ---- writing


def numbered(number: int, size: int, padding: bytes) -> bytes:
    start = number % 1000
    return b"%0*d" % (NUMBER_DIGITS, number) + padding[start : start + size - NUMBER_DIGITS]


def produce(arguments: argparse.Namespace) -> object:
    """Numbered records; with --per-transaction in transactions, of which each --abort-every'th is aborted.

    SIGTERM ends it before --count is reached.
    """
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    settings = connection(arguments) | {"linger.ms": arguments.linger, "queue.buffering.max.messages": 500_000}
    if arguments.per_transaction:
        settings["transactional.id"] = f"tool-{arguments.topic}"
    else:
        settings["enable.idempotence"] = True
    producer = Producer(settings)
    if arguments.per_transaction:
        producer.init_transactions(30)
    padding = random.Random(arguments.seed).randbytes(1000 + arguments.size)
    began, committed = time.monotonic(), 0
    last = arguments.first + arguments.count
    step = arguments.per_transaction or arguments.count or 1
    for transaction, first in enumerate(range(arguments.first, last, step)):
        if ended:
            break
        if arguments.per_transaction:
            producer.begin_transaction()
        sent = 0
        isAborted = bool(arguments.abort_every) and transaction % arguments.abort_every == arguments.abort_every - 1
        for number in range(first, min(first + step, last)):
            if ended and not arguments.per_transaction:
                break
            sent += 1
            value = numbered(number, arguments.size, padding)
            if isAborted:
                value = b"aborted" + value
            send(producer, arguments.topic, number % arguments.partitions, value, b"key-%d" % (number % 1000))
            if arguments.rate:
                time.sleep(max(0.0, (number - arguments.first) / arguments.rate - (time.monotonic() - began)))
        if arguments.per_transaction and isAborted:
            producer.flush(60)
            producer.abort_transaction(60)
        elif arguments.per_transaction:
            producer.commit_transaction(60)
        committed += 0 if isAborted else sent
    if producer.flush(120):
        raise SystemExit("not all records were delivered")
    return {"produced": committed}


def send_each(arguments: argparse.Namespace) -> object:
    """Records given as JSON: [partition, key, value] each, in hexadecimal or null."""
    producer = Producer(connection(arguments) | {"enable.idempotence": True})
    given = json.loads(arguments.records)
    for partition, key, value in given:
        keyBytes, valueBytes = (None if one is None else bytes.fromhex(one) for one in (key, value))
        producer.produce(arguments.topic, valueBytes, keyBytes, partition)
    if producer.flush(60):
        raise SystemExit("not all records were delivered")
    return {"produced": len(given)}


def odd(arguments: argparse.Namespace) -> object:
    """Records as they rarely are: tombstones, no keys, empty values, headers twice or without value, odd times."""
    producer = Producer(connection(arguments) | {"enable.idempotence": True})
    cases: list[tuple[bytes | None, bytes | None, Headers, int]] = [
        (b"key", None, [], 1),
        (None, b"value", [], 2),
        (None, None, [], 3),
        (b"", b"", [], 4),
        (b"key", b"", [("a", b"1"), ("a", b"2"), ("b", None), ("", b""), ("a", b"1")], 1_000_000_000_000),
        (b"\x00\xff", b"\xff\x00", [("h", b"\x00")], 1_700_000_000_123),
        ("schlüssel".encode(), b"wert", [("kopf", "ü".encode())], 4_000_000_000_000),
    ]
    for number in range(arguments.count):
        key, value, headers, timestampMs = cases[number % len(cases)]
        while True:
            try:
                producer.produce(
                    arguments.topic, value, key, number % arguments.partitions, headers=headers, timestamp=timestampMs
                )
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(60):
        raise SystemExit("not all records were delivered")
    return {"produced": arguments.count}


def large(arguments: argparse.Namespace) -> object:
    """One incompressible record of --size bytes."""
    producer = Producer(connection(arguments) | {"message.max.bytes": 50_000_000, "enable.idempotence": True})
    failures: list[str] = []
    producer.produce(
        arguments.topic,
        random.Random(arguments.seed).randbytes(arguments.size),
        partition=0,
        on_delivery=lambda error, message: failures.append(str(error)) if error else None,
    )
    producer.flush(60)
    if failures:
        raise SystemExit(failures[0])
    return {"produced": 1}


def send(producer: Producer, topic: str, partition: int, value: bytes, key: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition)
            return
        except BufferError:
            producer.poll(0.1)


# ---- reading


def assigned(arguments: argparse.Namespace, isolation: str) -> tuple[Consumer, list[int]]:
    """A consumer of all partitions from their beginnings."""
    settings = connection(arguments) | {
        "group.id": "tool",
        "isolation.level": isolation,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "receive.message.max.bytes": 200_000_000,
        "fetch.message.max.bytes": 50_000_000,
    }
    consumer = Consumer(settings)
    found = consumer.list_topics(arguments.topic, timeout=20).topics[arguments.topic]
    if found.error is not None:
        consumer.close()
        return consumer, []
    partitions = sorted(found.partitions)
    consumer.assign([TopicPartition(arguments.topic, one, 0) for one in partitions])
    return consumer, partitions


def until_dry(consumer: Consumer, partitions: list[int], seconds: float) -> Iterator[Message]:
    """Every record until each partition has told its end."""
    left, deadline = set(partitions), time.monotonic() + seconds
    while left:
        if time.monotonic() > deadline:
            raise SystemExit(f"partitions {sorted(left)} could not be read to their ends in {seconds:.0f} s")
        for message in consumer.consume(2_000, 0.5):
            error = message.error()
            if error is None:
                left.add(message.partition() or 0)
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition() or 0)
            elif not error.retriable():
                raise KafkaException(error)


def digest(arguments: argparse.Namespace) -> object:
    """By partition: the number of records, a digest over all of each in their order, and the last one's offset."""
    consumer, partitions = assigned(arguments, arguments.isolation)
    digests = {one: hashlib.sha256() for one in partitions}
    counts: dict[int, int] = dict.fromkeys(partitions, 0)
    last: dict[int, int] = dict.fromkeys(partitions, -1)
    for message in until_dry(consumer, partitions, arguments.timeout):
        partition = message.partition() or 0
        counts[partition] += 1
        last[partition] = message.offset() or 0
        parts = (message.key(), message.value(), message.headers(), message.timestamp()[1])
        digests[partition].update(repr(parts).encode())
    consumer.close()
    return {
        str(one): {"records": counts[one], "digest": digests[one].hexdigest(), "last": last[one]} for one in partitions
    }


def records(arguments: argparse.Namespace) -> object:
    """The records themselves, as far as JSON can tell them: for few."""
    consumer, partitions = assigned(arguments, arguments.isolation)

    def text(payload: Any) -> str | None:
        return None if payload is None else bytes(payload[:1000]).decode("latin-1")

    found = [
        {
            "partition": one.partition(),
            "offset": one.offset(),
            "key": text(one.key()),
            "value": text(one.value()),
            "size": len(one.value() or b""),
            "headers": [[name, text(value)] for name, value in list(one.headers() or [])],
        }
        for one in until_dry(consumer, partitions, arguments.timeout)
    ]
    consumer.close()
    return found


def consume_some(arguments: argparse.Namespace) -> object:
    """As a member of --group: so many records (0: all there are), then commit; the values' numbers and positions."""
    settings = connection(arguments) | {
        "group.id": arguments.group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
    consumer = Consumer(settings)
    consumer.subscribe([arguments.topic])
    values: list[str] = []
    dry: set[int] = set()
    deadline = time.monotonic() + arguments.timeout
    while time.monotonic() < deadline and not 0 < arguments.count <= len(values):
        message = consumer.poll(1.0)
        if message is None:
            continue
        error = message.error()
        if error is None:
            values.append(bytes(message.value() or b"")[:NUMBER_DIGITS].decode())
            consumer.store_offsets(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            dry.add(message.partition() or 0)
            if dry >= {one.partition for one in consumer.assignment()}:
                break
        elif not error.retriable():
            raise KafkaException(error)
    positions = {}
    if values:
        stored = consumer.commit(asynchronous=False) or []
        positions = {str(one.partition): one.offset for one in stored if one.offset >= 0}
    consumer.close()
    return {"values": values, "positions": positions}


def follow(arguments: argparse.Namespace) -> object:
    """Reads along, read_committed, until SIGTERM or until --count records are there; judges the numbers.

    With --every it says how far it is so often, in seconds, each time in a line before the last one.
    """
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    consumer, partitions = assigned(arguments, "read_committed")
    said = 0.0
    verdict: dict[str, int] = defaultdict(int)
    following = {one: one for one in partitions}
    deadline = time.monotonic() + arguments.timeout
    while not ended and time.monotonic() < deadline and not 0 < arguments.count <= verdict["records"]:
        if arguments.every and time.monotonic() - said > arguments.every:
            said = time.monotonic()
            print(json.dumps({"records": verdict["records"]}), flush=True)
        for message in consumer.consume(2_000, arguments.every or 0.5):
            error = message.error()
            if error is not None:
                continue
            partition, value = message.partition() or 0, bytes(message.value() or b"")
            verdict["records"] += 1
            if not value[:NUMBER_DIGITS].isdigit():
                verdict["aborted"] += 1
                continue
            number = int(value[:NUMBER_DIGITS])
            wanted = following[partition]
            if number > wanted:
                verdict["gaps"] += 1
            elif number < wanted:
                verdict["repeated"] += 1
            following[partition] = max(wanted, number + len(partitions))
    consumer.close()
    return {name: verdict[name] for name in ("records", "gaps", "repeated", "aborted")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", required=True)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(run: Any, *options: str) -> None:
        known: dict[str, dict[str, Any]] = {
            "--brokers": {"type": int, "default": 1},
            "--partitions": {"type": int, "default": 6},
            "--replication": {"type": int, "default": -1},
            "--config": {"action": "append", "default": []},
            "--count": {"type": int, "default": 0},
            "--first": {"type": int, "default": 0},
            "--size": {"type": int, "default": 100},
            "--seed": {"type": int, "default": 1},
            "--rate": {"type": float, "default": 0.0},
            "--linger": {"type": float, "default": 5.0},
            "--per-transaction": {"type": int, "default": 0},
            "--abort-every": {"type": int, "default": 0},
            "--isolation": {"default": "read_committed"},
            "--records": {"required": True},
            "--group": {"required": True},
            "--timeout": {"type": float, "default": 120.0},
            "--every": {"type": float, "default": 0.0},
        }
        made = commands.add_parser(run.__name__, description=run.__doc__)
        made.set_defaults(run=run)
        if run not in (describe, layout, await_in_sync):
            made.add_argument("topic")
        for option in options:
            made.add_argument(option, **known[option])

    command(create, "--partitions", "--replication", "--config")
    command(delete)
    command(grow, "--partitions")
    command(describe)
    command(layout)
    command(await_in_sync, "--brokers", "--timeout")
    command(configs)
    command(trim, "--first")
    command(send_each, "--records")
    command(
        produce, "--partitions", "--count", "--first", "--size", "--seed", "--rate", "--linger", "--per-transaction",
        "--abort-every",
    )  # fmt: skip
    command(odd, "--partitions", "--count")
    command(large, "--size", "--seed")
    command(digest, "--isolation", "--timeout")
    command(records, "--isolation", "--timeout")
    command(consume_some, "--group", "--count", "--timeout")
    command(follow, "--count", "--timeout", "--every")
    arguments = parser.parse_args()
    json.dump(arguments.run(arguments), sys.stdout)


if __name__ == "__main__":
    main()
