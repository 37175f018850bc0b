"""Reads the target cluster's orders from the beginning, checks every one, and says what is wrong.

Reading is read_committed, over mutual TLS, by assignment: no consumer group moves, and every run judges the whole
topic. A record is decoded, validated against the schema, and its sequence compared with what came before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from bridge_samples.codec import Codec
from bridge_samples.connection import ConnectionFailed, tls_settings, wait_for_broker
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from loguru import logger
from sequence_check import SequenceCheck

RUN_HEADER = "producer-run"
EXIT_NOT_CLEAN, EXIT_USAGE = 1, 2
EXAMPLES_KEPT = 5


class Verdict:
    """Counts over all records so far."""

    def __init__(self, codec: Codec, expected: int | None) -> None:
        self._codec = codec
        self._expected = expected
        self._check = SequenceCheck()
        self.records = 0
        self.invalid = 0
        self.examples: list[str] = []
        self.perPartition: dict[int, int] = {}

    def take(self, message: Message) -> None:
        partition = message.partition() or 0
        self.records += 1
        self.perPartition[partition] = self.perPartition.get(partition, 0) + 1
        try:
            order = self._codec.decode(message.value() or b"")
            key = (message.key() or b"").decode()
            if key != order["customerId"]:
                raise ValueError(f"the key is {key!r}, expected the customerId {order['customerId']!r}")
            headers: dict[str, Any] = dict(message.headers() or [])
            self._check.take((headers.get(RUN_HEADER) or b"").decode(), key, order["sequence"], partition)
        except ValueError as error:
            self.invalid += 1
            if len(self.examples) < EXAMPLES_KEPT:
                self.examples.append(f"{message.topic()}-{partition} at offset {message.offset()}: {error}")

    @property
    def isClean(self) -> bool:
        faults = self._check.missing + self._check.repeated + self._check.outOfOrder + self._check.moved + self.invalid
        return not faults and (self._expected is None or self.records == self._expected)

    def report(self) -> dict[str, Any]:
        """The verdict as data; `expected` is None where no number was asked for."""
        return {
            "clean": self.isClean,
            "records": self.records,
            "expected": self._expected,
            "missing": self._check.missing,
            "repeated": self._check.repeated,
            "outOfOrder": self._check.outOfOrder,
            "movedPartition": self._check.moved,
            "invalid": self.invalid,
            "keys": self._check.keys,
            "perPartition": {str(partition): number for partition, number in sorted(self.perPartition.items())},
            "invalidExamples": self.examples,
        }


def sentence(report: dict[str, Any]) -> str:
    """The report as one line for people."""
    parts = [f"{report['records']} records" + ("" if report["expected"] is None else f" of {report['expected']}")]
    parts += [
        f"{report[name]} {word}"
        for name, word in (
            ("missing", "missing"),
            ("repeated", "repeated"),
            ("outOfOrder", "out of order"),
            ("movedPartition", "in another partition"),
            ("invalid", "invalid"),
        )
    ]
    return f"{', '.join(parts)}: {'clean' if report['clean'] else 'NOT CLEAN'}"


def partitions_of(admin: AdminClient, topic: str, timeoutSeconds: float) -> list[int]:
    """The topic's partitions, waiting for the topic to appear (the bridge creates it)."""
    deadline = time.monotonic() + timeoutSeconds
    told = False
    while True:
        error: KafkaError | None
        try:
            found = admin.list_topics(topic, timeout=5).topics[topic]
            if found.error is None and found.partitions:
                return sorted(found.partitions)
            error = found.error
        except KafkaException as failure:
            error = failure.args[0]
        if time.monotonic() > deadline:
            why = f": {error.str()}" if error is not None else ""
            raise ConnectionFailed(f"topic {topic} did not appear within {timeoutSeconds:.0f} s{why}")
        if not told:
            logger.info("waiting for topic {}", topic)
            told = True
        time.sleep(0.5)


def write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


class Reader:
    """Reads all partitions of a topic from the beginning, and takes up those that appear later."""

    REFRESH_SECONDS = 10.0

    def __init__(self, consumer: Consumer, admin: AdminClient, topic: str, partitions: list[int]) -> None:
        self._consumer = consumer
        self._admin = admin
        self._topic = topic
        self._known = set(partitions)
        self._dry: set[int] = set()
        self._refreshedAt = time.monotonic()
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])

    @property
    def isAtEnd(self) -> bool:
        return self._dry >= self._known

    def read(self) -> list[Message]:
        """What is there, waiting half a second at most; ConnectionFailed on an error that does not pass."""
        messages = self._consumer.consume(1, 0.5)
        if messages:
            messages += self._consumer.consume(2_000, 0)
        records = []
        for message in messages:
            error = message.error()
            partition = message.partition() or 0
            if error is None:
                records.append(message)
                self._dry.discard(partition)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._dry.add(partition)
            elif error.fatal():
                raise ConnectionFailed(error.str())
        self._refresh()
        return records

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._refreshedAt < self.REFRESH_SECONDS or not self.isAtEnd:
            return
        self._refreshedAt = now
        try:
            found = self._admin.list_topics(self._topic, timeout=5).topics[self._topic]
        except KafkaException:
            return
        added = sorted(set(found.partitions) - self._known)
        if added:
            self._known.update(added)
            self._consumer.incremental_assign([TopicPartition(self._topic, partition, 0) for partition in added])


def main(
    expect: Annotated[int | None, typer.Option(min=0, help="Exact number of records wanted.")] = None,
    untilIdle: Annotated[
        float | None, typer.Option("--until-idle", min=0.5, help="End when nothing has come for so many seconds.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=1, help="End after so many seconds in any case.")] = None,
    topic: Annotated[str, typer.Option(envvar="CONSUMER_TOPIC")] = "orders",
    bootstrapServers: Annotated[
        str, typer.Option("--bootstrap-servers", envvar="CONSUMER_BOOTSTRAP_SERVERS")
    ] = "target-kafka:9093",
    tlsFolder: Annotated[
        Path, typer.Option("--tls-folder", envvar="CONSUMER_TLS_FOLDER", help="Holds ca.crt, tls.crt and tls.key.")
    ] = Path("/etc/kafka/tls"),
    schema: Annotated[Path, typer.Option(envvar="CONSUMER_SCHEMA", help="Avro schema file.")] = Path(
        "/etc/kafka-bridge/schemas/schema.avsc"
    ),
    reportFile: Annotated[
        Path | None,
        typer.Option("--report-file", envvar="CONSUMER_REPORT_FILE", help="Keeps the latest report as JSON there."),
    ] = None,
    reportEvery: Annotated[
        float, typer.Option("--report-every", min=0.5, envvar="CONSUMER_REPORT_EVERY", help="Seconds between lines.")
    ] = 10,
    wait: Annotated[
        float, typer.Option(min=1, envvar="CONSUMER_WAIT", help="Seconds to wait for the broker and for the topic.")
    ] = 300,
    asJson: Annotated[bool, typer.Option("--json", help="Print the final report as JSON.")] = False,
) -> None:
    """Check the target cluster's orders: nothing missing, repeated, out of order or invalid.

    Without --until-idle, --expect or --timeout it goes on until SIGTERM. With --expect it ends when that many have
    come and nothing more does.

    Exit code 0: clean; 1: not clean; 2: wrong options, or no cluster.

    Example: consumer.py --expect 10000 --timeout 60
    """
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: stopped.append(got))
    try:
        verdict = Verdict(Codec.from_file(schema), expect)
        settings = tls_settings(bootstrapServers, tlsFolder)
        admin = wait_for_broker(settings, wait)
        partitions = partitions_of(admin, topic, wait)
        consumer = Consumer(
            {
                **settings,
                "client.id": "target-consumer",
                "group.id": "target-consumer",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 20,
                "queued.max.messages.kbytes": 16_384,
            }
        )
        started = lastRecord = lastReport = lastWrite = time.monotonic()
        reader = Reader(consumer, admin, topic, partitions)
        if expect is not None and untilIdle is None:
            untilIdle = 3.0
        while not stopped:
            records = reader.read()
            for message in records:
                verdict.take(message)
            now = time.monotonic()
            if records:
                lastRecord = now
            if now - lastReport >= reportEvery:
                logger.info("{}", sentence(verdict.report()))
                lastReport = now
            if reportFile is not None and now - lastWrite >= 1:
                write_atomically(reportFile, json.dumps(verdict.report()))
                lastWrite = now
            isIdle = untilIdle is not None and reader.isAtEnd and now - lastRecord >= untilIdle
            hasEnough = expect is None or verdict.records >= expect
            if (isIdle and hasEnough) or (timeout is not None and now - started >= timeout):
                break
        consumer.close()
    except (ConnectionFailed, KafkaException, OSError, ValueError) as error:
        logger.error("{}", error)
        raise typer.Exit(EXIT_USAGE) from error
    report = verdict.report()
    if reportFile is not None:
        write_atomically(reportFile, json.dumps(report))
    print(json.dumps(report) if asJson else sentence(report), flush=True)
    for example in verdict.examples:
        logger.error("{}", example)
    if not verdict.isClean:
        raise typer.Exit(EXIT_NOT_CLEAN)


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, format="{time:YYYY-MM-DDTHH:mm:ss} {level: <7} {message}")
    typer.run(main)
