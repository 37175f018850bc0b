"""How the samples reach their cluster: mutual TLS from a folder, and patience while the broker starts."""

from __future__ import annotations

import time
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from loguru import logger

TLS_FILES = ("ca.crt", "tls.crt", "tls.key")


class ConnectionFailed(Exception):
    """The cluster could not be used; the text says why, and what to look at."""


def tls_settings(bootstrapServers: str, tlsFolder: Path) -> dict[str, str | int | float | bool]:
    """librdkafka's settings for mutual TLS with hostname verification; ConnectionFailed where a file is missing."""
    for name in TLS_FILES:
        file = tlsFolder / name
        try:
            file.open("rb").close()
        except OSError as error:
            raise ConnectionFailed(f"{file} cannot be read: {error.strerror}") from error
    return {
        "bootstrap.servers": bootstrapServers,
        "security.protocol": "ssl",
        "ssl.ca.location": str(tlsFolder / "ca.crt"),
        "ssl.certificate.location": str(tlsFolder / "tls.crt"),
        "ssl.key.location": str(tlsFolder / "tls.key"),
        "ssl.endpoint.identification.algorithm": "https",
        "reconnect.backoff.max.ms": 1000,
        "log_level": 0,
    }


def wait_for_broker(settings: dict[str, str | int | float | bool], timeoutSeconds: float) -> AdminClient:
    """An admin client of a cluster that answers; ConnectionFailed with librdkafka's last word after the time-out."""
    lastError = ["no answer at all"]

    def note(error: KafkaError) -> None:
        lastError[0] = error.str()

    config: dict[str, object] = {**settings, "error_cb": note}
    admin = AdminClient(config)  # type: ignore[arg-type]
    deadline = time.monotonic() + timeoutSeconds
    told = False
    while True:
        try:
            admin.list_topics(timeout=2)
            return admin
        except KafkaException:
            if time.monotonic() > deadline:
                raise ConnectionFailed(
                    f"{settings['bootstrap.servers']} did not answer within {timeoutSeconds:.0f} s: {lastError[0]}"
                ) from None
            if not told:
                logger.info("waiting for {}: {}", settings["bootstrap.servers"], lastError[0])
                told = True


def ensure_topic(admin: AdminClient, topic: str, partitions: int) -> None:
    """Create the topic unless it is there, with the broker's default replication."""
    try:
        admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=-1)])[topic].result(30)
        logger.info("created topic {} with {} partitions", topic, partitions)
    except KafkaException as failure:
        if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise ConnectionFailed(f"topic {topic} could not be created: {failure.args[0].str()}") from failure
