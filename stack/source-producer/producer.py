"""Sends sample orders to the source cluster: Avro, keyed by customer, over mutual TLS, by an idempotent producer.

Each record carries its producer's run in the header `producer-run` and a sequence per customer in its value, so that
a consumer at the other end can tell what is missing, repeated or out of order. At its end it prints a summary as one
line of JSON.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from bridge_samples.codec import Codec
from bridge_samples.connection import ConnectionFailed, ensure_topic, tls_settings, wait_for_broker
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from loguru import logger
from orders import generate_orders
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

RUN_HEADER = "producer-run"
LOG_SECONDS = 10.0
EXIT_UNDELIVERED, EXIT_USAGE = 1, 2


class Outcome:
    """What became of the records; filled by delivery reports."""

    def __init__(self) -> None:
        self.delivered: Counter[int] = Counter()
        self.failed: Counter[str] = Counter()
        self.bytes = 0

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed[error.str()] += 1
            return
        self.delivered[message.partition() or 0] += 1
        self.bytes += len(message)


class Stop:
    """Set by the first SIGTERM or SIGINT; a second one ends the process as usual."""

    def __init__(self) -> None:
        self.wanted = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        self.wanted = True
        signal.signal(number, signal.SIG_DFL)


def send_all(
    producer: Producer,
    codec: Codec,
    outcome: Outcome,
    stop: Stop,
    topic: str,
    run: str,
    seed: int,
    keys: int,
    key: str | None,
    count: int,
    rate: float,
    progress: Progress,
) -> int:
    """Send `count` orders (0: until stopped) at `rate` a second (0: as fast as they go); the number sent."""
    headers: list[tuple[str, str | bytes | None]] = [(RUN_HEADER, run.encode())]
    task = progress.add_task(f"orders to {topic}", total=count or None)
    started = lastLog = time.monotonic()
    sent = 0
    for customer, order in generate_orders(run, seed, keys, key):
        if stop.wanted or (count and sent >= count) or outcome.failed:
            break
        payload = codec.encode(order)
        while True:
            try:
                producer.produce(topic, value=payload, key=customer.encode(), headers=headers, on_delivery=outcome)
                break
            except BufferError:
                producer.poll(0.1)
        sent += 1
        if sent % 200 == 0 or rate:
            producer.poll(0)
            progress.update(task, completed=sent)
        now = time.monotonic()
        if progress.disable and now - lastLog >= LOG_SECONDS:
            logger.info("{} sent, {} acknowledged", sent, outcome.delivered.total())
            lastLog = now
        while rate and not stop.wanted and (ahead := started + sent / rate - time.monotonic()) > 0:
            producer.poll(min(ahead, 0.2))
    progress.update(task, completed=sent)
    return sent


def main(
    count: Annotated[int, typer.Option(min=0, envvar="PRODUCER_COUNT", help="Records to send; 0: without end.")] = 0,
    rate: Annotated[
        float, typer.Option(min=0, envvar="PRODUCER_RATE", help="Records per second; 0 is as fast as possible.")
    ] = 0,
    seed: Annotated[int, typer.Option(envvar="PRODUCER_SEED", help="The same seed gives the same orders.")] = 1,
    keys: Annotated[int, typer.Option(min=1, envvar="PRODUCER_KEYS", help="Number of different customers.")] = 100,
    key: Annotated[str | None, typer.Option(envvar="PRODUCER_KEY", help="One fixed key for all records.")] = None,
    run: Annotated[str | None, typer.Option(envvar="PRODUCER_RUN", help="Name of the run; random by default.")] = None,
    topic: Annotated[str, typer.Option(envvar="PRODUCER_TOPIC")] = "orders",
    partitions: Annotated[
        int, typer.Option(min=1, envvar="PRODUCER_PARTITIONS", help="Partitions of the topic, where it is created.")
    ] = 6,
    createTopic: Annotated[
        bool, typer.Option("--create-topic/--no-create-topic", help="Create the topic unless it is there.")
    ] = True,
    bootstrapServers: Annotated[
        str, typer.Option("--bootstrap-servers", envvar="PRODUCER_BOOTSTRAP_SERVERS")
    ] = "source-kafka:9093",
    tlsFolder: Annotated[
        Path, typer.Option("--tls-folder", envvar="PRODUCER_TLS_FOLDER", help="Holds ca.crt, tls.crt and tls.key.")
    ] = Path("/etc/kafka/tls"),
    schema: Annotated[Path, typer.Option(envvar="PRODUCER_SCHEMA", help="Avro schema file.")] = Path(
        "/etc/kafka-bridge/schemas/schema.avsc"
    ),
    timeout: Annotated[
        float, typer.Option(min=1, envvar="PRODUCER_TIMEOUT", help="Seconds to wait for the broker.")
    ] = 60,
) -> None:
    """Send sample orders to the source cluster.

    Exit code 0: every record was acknowledged; 1: some were not; 2: wrong options, or no cluster.

    Example: producer.py --count 10000 --rate 500 --seed 7
    """
    run = run or secrets.token_hex(4)
    stop = Stop()
    try:
        codec = Codec.from_file(schema)
        settings = tls_settings(bootstrapServers, tlsFolder)
        admin = wait_for_broker(settings, timeout)
        if createTopic:
            ensure_topic(admin, topic, partitions)
    except (ConnectionFailed, OSError, ValueError) as error:
        logger.error("{}", error)
        raise typer.Exit(EXIT_USAGE) from error
    outcome = Outcome()
    producer = Producer(
        {
            **settings,
            "client.id": "source-producer",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "compression.type": "lz4",
            "message.timeout.ms": 300_000,
        }
    )
    console = Console(stderr=True)
    described = TextColumn("{task.description}")
    columns = (SpinnerColumn(), described, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.monotonic()
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            sent = send_all(producer, codec, outcome, stop, topic, run, seed, keys, key, count, rate, progress)
        producer.flush(30)
    except KafkaException as failure:
        logger.error("{}", failure.args[0].str())
        raise typer.Exit(EXIT_UNDELIVERED) from failure
    delivered = outcome.delivered.total()
    summary = {
        "run": run,
        "topic": topic,
        "sent": delivered,
        "unacknowledged": sent - delivered,
        "bytes": outcome.bytes,
        "seconds": round(time.monotonic() - started, 3),
        "perPartition": {str(partition): number for partition, number in sorted(outcome.delivered.items())},
    }
    print(json.dumps(summary), flush=True)
    for reason, number in outcome.failed.items():
        logger.error("{} records were not delivered: {}", number, reason)
    if delivered != sent:
        raise typer.Exit(EXIT_UNDELIVERED)


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, format="{time:YYYY-MM-DDTHH:mm:ss} {level: <7} {message}")
    typer.run(main)
