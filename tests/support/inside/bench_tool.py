"""The benchmark's load, from inside a cluster's network: fills topics, watches them grow, stamps records, reads them.

Prints JSON, one document a line. Its standard input stays open while it is wanted: when that ends, so does the tool, so
that nothing goes on after a benchmark that died. Clocks of all containers are the host's.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

TLS = "/etc/kafka/tls"
KEY_BYTES = 8
NUMBER_DIGITS = 12
SOURCE_SCHEMA = Path(__file__).parent / "bench-source.avsc"
# Different Avro values; more would make the filling slow and change nothing.
AVRO_VALUES = 5_000
# How long nothing may change at the target until a copy counts as ended; not part of any figure.
QUIET_SECONDS = 1.5
# Latency is measured once the copy has caught up with what was sent before its start, or has failed to for so long.
CAUGHT_UP_SECONDS, PATIENCE_SECONDS = 0.5, 30.0
SETTLE_SECONDS = 3.0
# Records/s at which arrivals are streamed need a line now and then, not for each record.
STREAM_SECONDS = 0.02

isAbandoned = threading.Event()
isToldToGoOn = threading.Event()


def listen() -> None:
    """A line on standard input means go on; its end means that nobody waits any more."""
    for _ in sys.stdin:
        isToldToGoOn.set()
    isAbandoned.set()
    isToldToGoOn.set()


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def connection(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "bootstrap.servers": arguments.servers,
        "security.protocol": "ssl",
        "ssl.ca.location": f"{TLS}/ca.crt",
        "ssl.certificate.location": f"{TLS}/tls.crt",
        "ssl.key.location": f"{TLS}/tls.key",
        "log_level": 0,
    }


def send(producer: Producer, topic: str, partition: int, value: bytes, key: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition)
            return
        except BufferError:
            producer.poll(0.1)


# ---- filling


def repetitive(size: int) -> Callable[[int], bytes]:
    """lz4 makes a tenth of them: what differs from one to the next are their numbers and eight bytes by chance."""
    words = b"the quick brown fox jumps over the lazy dog while seven wizards pack a box of liquor jugs; "
    padding = (words * (size // len(words) + 1))[: size - KEY_BYTES - NUMBER_DIGITS - 8]
    pool = random.Random(1).randbytes(1_000_000)

    def value(number: int) -> bytes:
        start = number * 7_919 % 999_992
        return b"%0*d" % (NUMBER_DIGITS, number) + pool[start : start + 8] + padding

    return value


def unpredictable(size: int) -> Callable[[int], bytes]:
    length = size - KEY_BYTES - NUMBER_DIGITS
    pool = random.Random(1).randbytes(8_000_000)
    places = len(pool) - length

    def value(number: int) -> bytes:
        start = number * 7_919 % places
        return b"%0*d" % (NUMBER_DIGITS, number) + pool[start : start + length]

    return value


def avro(_size: int) -> Callable[[int], bytes]:
    schema = fastavro.parse_schema(json.loads(SOURCE_SCHEMA.read_text()))
    chance = random.Random(1)
    values = []
    for number in range(AVRO_VALUES):
        payload, house = io.BytesIO(), f"{number % 200} Long Street of the Benchmark"
        record = {
            "shipmentId": f"shipment-{chance.getrandbits(64):016x}",
            "customerId": f"customer-{number % 500:06d}",
            "sequence": number,
            "weight": chance.random() * 100,
            "state": ("OPEN", "PACKED", "SENT", "LOST")[number % 4],
            "sentAt": 1_790_000_000_000 + number,
            "address": f"{house}, {chance.getrandbits(320):080x}, Somewhere, 12345 X",
        }
        fastavro.schemaless_writer(payload, schema, record)
        values.append(payload.getvalue())
    return lambda number: values[number % AVRO_VALUES]


KINDS: dict[str, tuple[str, Callable[[int], Callable[[int], bytes]]]] = {
    "lz4": ("lz4", repetitive),
    "random": ("none", unpredictable),
    "avro": ("lz4", avro),
}


def fill(arguments: argparse.Namespace) -> None:
    """All records in one transaction, which --hold keeps open until a line comes: they become visible at once."""
    codec, maker = KINDS[arguments.kind]
    settings = connection(arguments) | {
        "transactional.id": f"bench-{arguments.topic}",
        "transaction.timeout.ms": 600_000,
        "compression.type": codec,
        "linger.ms": 20,
        "queue.buffering.max.messages": 500_000,
    }
    producer = Producer(settings)
    producer.init_transactions(60)
    producer.begin_transaction()
    valueOf, size = maker(arguments.size), 0
    for number in range(arguments.count):
        value = valueOf(number)
        size += KEY_BYTES + len(value)
        send(producer, arguments.topic, number % arguments.partitions, value, b"k%07d" % (number % 1000))
        if not number % 10_000 and isAbandoned.is_set():
            raise SystemExit("abandoned")
    if producer.flush(300):
        raise SystemExit("not all records were delivered")
    say(filled=arguments.count, bytes=size)
    if arguments.hold:
        isToldToGoOn.wait(arguments.timeout)
    producer.commit_transaction(60)
    say(committed=time.time())


# ---- reading


def opened(arguments: argparse.Namespace) -> Consumer:
    settings = connection(arguments) | {
        "group.id": "bench",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": 65_536,
    }
    consumer = Consumer(settings)
    consumer.assign([TopicPartition(arguments.topic, one, 0) for one in range(arguments.partitions)])
    return consumer


def until_dry(consumer: Consumer, partitions: int, deadline: float) -> Iterator[Message]:
    """Every record until each partition has told its end."""
    left = set(range(partitions))
    while left:
        if isAbandoned.is_set() or time.monotonic() > deadline:
            raise SystemExit(f"partitions {sorted(left)} could not be read to their ends in time")
        for message in consumer.consume(10_000, 0.2):
            error = message.error()
            if error is None:
                left.add(message.partition() or 0)
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition() or 0)
            elif not error.retriable():
                raise KafkaException(error)


def contents(arguments: argparse.Namespace, deadline: float) -> dict[str, Any]:
    """Number of records and, by partition, a checksum over keys and values in their order."""
    consumer = opened(arguments)
    sums, records = [0] * arguments.partitions, 0
    for message in until_dry(consumer, arguments.partitions, deadline):
        partition = message.partition() or 0
        sums[partition] = zlib.crc32(message.value() or b"", zlib.crc32(message.key() or b"", sums[partition]))
        records += 1
    consumer.close()
    return {"records": records, "checksums": sums}


def check(arguments: argparse.Namespace) -> None:
    """What the topic holds, read_committed."""
    say(**contents(arguments, time.monotonic() + arguments.timeout))


def exists(admin: AdminClient, arguments: argparse.Namespace) -> bool:
    """The topic has its partitions."""
    found = admin.list_topics(arguments.topic, timeout=10).topics.get(arguments.topic)
    return found is not None and found.error is None and len(found.partitions) >= arguments.partitions


def await_topic(admin: AdminClient, arguments: argparse.Namespace, deadline: float) -> None:
    while not exists(admin, arguments):
        if isAbandoned.is_set() or time.monotonic() > deadline:
            raise SystemExit(f"topic {arguments.topic} does not appear")
        time.sleep(0.05)


def appear(arguments: argparse.Namespace) -> None:
    """Wait until the topic exists."""
    await_topic(AdminClient(connection(arguments)), arguments, time.monotonic() + arguments.timeout)
    say(exists=arguments.topic)


def end_offset(admin: AdminClient, arguments: argparse.Namespace, isolation: IsolationLevel) -> int:
    """The sum over the topic's partitions; 0 where one cannot be asked yet."""
    wanted = {
        TopicPartition(arguments.topic, one): OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for one in range(arguments.partitions)
    }
    futures = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=10)
    try:
        return sum(future.result(15).offset for future in futures.values())
    except KafkaException:
        return 0


def watch(arguments: argparse.Namespace) -> None:
    """When the topic's first record came and when its last was committed; then what it holds.

    Ends of transactions take offsets too, and nobody knows how many: the last commit is the last change of the stable
    offset after which nothing is open and nothing changes any more.
    """
    deadline = time.monotonic() + arguments.timeout
    admin = AdminClient(connection(arguments))
    if exists(admin, arguments) and end_offset(admin, arguments, IsolationLevel.READ_UNCOMMITTED):
        raise SystemExit(f"{arguments.topic} has records already: nobody can tell when the first came")
    say(watching=arguments.topic)
    began = looked = time.time()
    while not exists(admin, arguments) or not end_offset(admin, arguments, IsolationLevel.READ_UNCOMMITTED):
        if isAbandoned.is_set() or time.monotonic() > deadline:
            raise SystemExit(f"no record came to {arguments.topic}")
        # Counted from the last look that found nothing: a little too long rather than too short.
        began = looked
        time.sleep(arguments.every)
        looked = time.time()
    ended, last = time.time(), 0
    while time.monotonic() < deadline and not isAbandoned.is_set():
        committed, now = end_offset(admin, arguments, IsolationLevel.READ_COMMITTED), time.time()
        if committed != last:
            last, ended = committed, now
        elif last >= arguments.count and now - ended > QUIET_SECONDS:
            found = contents(arguments, deadline)
            if found["records"] >= arguments.count:
                say(began=began, ended=ended, **found)
                return
        time.sleep(arguments.every)
    found = contents(arguments, time.monotonic() + 60)
    raise SystemExit(f"after {arguments.timeout:.0f} s {found['records']} of {arguments.count} records are there")


# ---- latency


def stamp(arguments: argparse.Namespace) -> None:
    """Records at --rate that begin with the time of their sending, until standard input ends."""
    producer = Producer(connection(arguments) | {"linger.ms": 1, "compression.type": "lz4", "acks": "all"})
    padding = (b"stamped " * 1000)[: max(0, arguments.size - KEY_BYTES - 20)]
    began, number = time.monotonic(), 0
    while not isAbandoned.is_set() and time.monotonic() - began < arguments.timeout:
        due = int((time.monotonic() - began) * arguments.rate)
        while number < due:
            value = b"%020d" % time.time_ns() + padding
            send(producer, arguments.topic, number % arguments.partitions, value, b"k%07d" % (number % 1000))
            number += 1
        producer.poll(0)
        time.sleep(0.001)
    seconds = time.monotonic() - began
    say(unsent=producer.flush(30), sent=number, rate=number / seconds)


def arrivals(arguments: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """Nanoseconds of sending and of arrival, record by record."""
    deadline = time.monotonic() + arguments.timeout
    await_topic(AdminClient(connection(arguments)), arguments, deadline)
    consumer = opened(arguments)
    while time.monotonic() < deadline and not isAbandoned.is_set():
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            yield int((message.value() or b"0")[:20]), time.time_ns()
    consumer.close()


def latency(arguments: argparse.Namespace) -> None:
    """Percentiles over --seconds, once the copy has settled."""
    found: list[int] = []
    began = first = last = 0
    for sent, arrived in arrivals(arguments):
        began = began or arrived
        if not first:
            if arrived - sent < CAUGHT_UP_SECONDS * 1e9 or arrived - began > PATIENCE_SECONDS * 1e9:
                first = arrived + round(SETTLE_SECONDS * 1e9)
                last = first + round(arguments.seconds * 1e9)
        elif sent >= last:
            break
        elif sent >= first:
            found.append(arrived - sent)
    else:
        raise SystemExit(f"{len(found)} records came in time, none that was sent at the end of the measurement")
    found.sort()
    percentiles = {f"p{one}": found[min(len(found) - 1, len(found) * one // 100)] / 1e6 for one in (50, 99)}
    say(records=len(found), caughtUp=(first - began) / 1e9 - SETTLE_SECONDS, **percentiles)


def follow(arguments: argparse.Namespace) -> None:
    """Now and then the newest arrival, with the time of its sending; of an outage the first after it always."""
    said = newest = 0
    for sent, arrived in arrivals(arguments):
        newest = max(newest, sent)
        if arrived - said > STREAM_SECONDS * 1e9:
            say(sent=newest, arrived=arrived)
            said = arrived


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    for run in (fill, check, appear, watch, stamp, latency, follow):
        made = commands.add_parser(run.__name__, description=run.__doc__)
        made.set_defaults(run=run)
        made.add_argument("topic")
        made.add_argument("--partitions", type=int, default=1)
        made.add_argument("--count", type=int, default=0)
        made.add_argument("--size", type=int, default=200)
        made.add_argument("--kind", choices=sorted(KINDS), default="lz4")
        made.add_argument("--hold", action="store_true")
        made.add_argument("--every", type=float, default=0.03)
        made.add_argument("--rate", type=float, default=1000.0)
        made.add_argument("--seconds", type=float, default=10.0)
        made.add_argument("--timeout", type=float, default=300.0)
    arguments = parser.parse_args()
    threading.Thread(target=listen, daemon=True).start()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
