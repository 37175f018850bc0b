"""The bridge's configuration: one frozen model, given as JSON in the environment variable BRIDGE_CONFIG.

The operator renders it from a manifest and the bridge reads it, so this module and `topic_config` are the contract
between the two and import nothing but pydantic. It never holds a secret: certificates and keys are files whose paths
stand here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from kafka_bridge.mistakes import Mistake, refuse
from kafka_bridge.topic_config import (
    ConfigModel,
    ConsumerGroups,
    Rewind,
    StartPosition,
    TopicConfig,
    TopicCreation,
    TopicName,
    repeated_rewinds,
    repeated_topics,
)

CONFIG_VARIABLE = "BRIDGE_CONFIG"

# Where a bridge container finds what the operator mounts into it, read-only.
TLS_FOLDER = PurePosixPath("/etc/kafka-bridge/tls")
SCHEMA_FOLDER = PurePosixPath("/etc/kafka-bridge/schemas")

# A TLS secret holds these three files, under the names of a Kubernetes TLS secret.
CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ca.crt", "tls.crt", "tls.key"

# librdkafka's settings that a user may tune for a cluster. Whatever identity, encryption, order or exactly-once rests
# on is missing here, and so is what would load code or name files.
CLIENT_PROPERTIES = frozenset(
    {
        "batch.size",
        "broker.address.family",
        "client.rack",
        "compression.level",
        "compression.type",
        "connections.max.idle.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.wait.max.ms",
        "linger.ms",
        "message.max.bytes",
        "metadata.max.age.ms",
        "queue.buffering.max.kbytes",
        "queue.buffering.max.messages",
        "queued.max.messages.kbytes",
        "receive.message.max.bytes",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "request.timeout.ms",
        "socket.connection.setup.timeout.ms",
        "socket.keepalive.enable",
        "socket.receive.buffer.bytes",
        "socket.send.buffer.bytes",
        "socket.timeout.ms",
    }
)


def _only_tunable(properties: dict[str, str]) -> dict[str, str]:
    allowed = f"one of those that can be tuned: {', '.join(sorted(CLIENT_PROPERTIES))}"
    refuse(
        Mistake((name,), f"the property {name}, which cannot be set here", allowed)
        for name in properties
        if name not in CLIENT_PROPERTIES
    )
    return properties


def _as_librdkafka_writes(value: object) -> object:
    # Users write true, not "true", and pydantic turns numbers into text but no booleans.
    return str(value).lower() if isinstance(value, bool) else value


PropertyValue = Annotated[
    str,
    Field(coerce_numbers_to_str=True, description="the property's value: a number, true, false or text"),
    BeforeValidator(_as_librdkafka_writes),
]
ClientProperties = Annotated[dict[str, PropertyValue], AfterValidator(_only_tunable)]


class TlsFiles(ConfigModel):
    """Paths of PEM files: who signs the other side, and with what this side proves itself."""

    caFile: str
    certificateFile: str
    keyFile: str

    @classmethod
    def in_folder(cls, folder: PurePosixPath) -> Self:
        """The three files under their standard names in `folder`."""
        return cls(
            caFile=str(folder / CA_FILE),
            certificateFile=str(folder / CERTIFICATE_FILE),
            keyFile=str(folder / KEY_FILE),
        )


class ClusterConfig(ConfigModel):
    """How one Kafka cluster is reached: always mutual TLS with hostname verification."""

    name: str
    bootstrapServers: str
    tls: TlsFiles
    clientProperties: ClientProperties = Field(default_factory=dict)


class BridgeConfig(ConfigModel):
    """All that one replica of a bridge needs to know.

    `replicas` and `ordinal` decide which of the `lanes` this process owns (`kafka_bridge.lanes`). Lanes of another
    number are taken over from only where `migrateLanesFrom` names it.
    """

    instance: str
    bridge: str
    ordinal: Annotated[int, Field(ge=0)]
    replicas: Annotated[int, Field(ge=1)]
    lanes: Annotated[int, Field(ge=1, le=64)]
    migrateLanesFrom: Annotated[int, Field(ge=1, le=64)] | None = None
    source: ClusterConfig
    target: ClusterConfig
    topics: Annotated[tuple[TopicConfig, ...], Field(min_length=1)]
    schemaFolder: str = str(SCHEMA_FOLDER)
    startFrom: StartPosition = "earliest"
    rewind: tuple[Rewind, ...] = ()
    topicCreation: TopicCreation = TopicCreation()
    deadLetterTopic: TopicName | None = None
    consumerGroups: ConsumerGroups | None = None
    commitIntervalMs: Annotated[int, Field(ge=10, le=30_000)] = 200
    copier: Literal["records"] = "records"
    healthPort: Annotated[int, Field(ge=1, le=65_535)] = 8080
    logLevel: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.ordinal >= self.replicas:
            raise ValueError(f"ordinal {self.ordinal} is not below replicas {self.replicas}")
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        yield from repeated_topics(self.topics)
        yield from repeated_rewinds(self.rewind)
