"""The bridge's configuration: one frozen model, given as JSON in the environment variable BRIDGE_CONFIG.

The operator renders it from a manifest and the bridge reads it, so this module is the contract between the two and
imports nothing but pydantic. It never holds a secret: certificates and keys are files whose paths stand here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Literal, NamedTuple, Protocol, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

CONFIG_VARIABLE = "BRIDGE_CONFIG"

# Where a bridge container finds what the operator mounts into it, read-only.
TLS_FOLDER = PurePosixPath("/etc/kafka-bridge/tls")
SCHEMA_FOLDER = PurePosixPath("/etc/kafka-bridge/schemas")

# A TLS secret holds these three files, under the names of a Kubernetes TLS secret.
CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ca.crt", "tls.crt", "tls.key"

# Kafka's own rule for topic names (org.apache.kafka.common.internals.Topic).
TopicName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z0-9._-]+$",
        min_length=1,
        max_length=249,
        description="a topic name of at most 249 letters, digits, '.', '_' and '-'",
    ),
]

# The name of a file, never a path: it is looked up in one folder.
FileName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        description="the name of a file, without a folder, of letters, digits, '.', '_' and '-'",
    ),
]

StartPosition = Literal["earliest"]


class Mistake(NamedTuple):
    """What fields say against each other. `at` is the place below the value that was checked."""

    at: tuple[str | int, ...]
    found: str
    expected: str


def refuse(mistakes: Iterable[Mistake]) -> None:
    """Raise one error for all mistakes; who reads manifests finds them in its context, each with its own place."""
    known = tuple(mistakes)
    if known:
        text = "; ".join(f"found {mistake.found}, expected {mistake.expected}" for mistake in known)
        raise PydanticCustomError("mistakes", "{text}", {"text": text, "mistakes": known})


class NamedTopic(Protocol):
    """A topic at both ends, in a manifest and in the configuration."""

    @property
    def name(self) -> str: ...
    @property
    def targetName(self) -> str | None: ...


def repeated_topics(topics: Sequence[NamedTopic]) -> Iterator[Mistake]:
    """No topic is read twice, and no two are written into one."""
    sources: set[str] = set()
    targets: set[str] = set()
    for index, topic in enumerate(topics):
        target = topic.targetName or topic.name
        if topic.name in sources:
            yield Mistake(("topics", index, "name"), f"source topic {topic.name} again", "each source topic once")
        elif target in targets:
            field = "targetName" if topic.targetName else "name"
            yield Mistake(("topics", index, field), f"target topic {target} again", "each target topic once")
        sources.add(topic.name)
        targets.add(target)


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


class ConfigModel(BaseModel):
    """Frozen, strict about unknown fields; field names are the keys, without aliases."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    clientProperties: ClientProperties = {}


class FormatConfig(ConfigModel):
    """What a key or a value must look like: `bytes` is anything, `avro` is checked against the schema."""

    format: Literal["bytes", "avro"] = "bytes"
    framing: Literal["raw"] = "raw"
    schemaFile: FileName | None = None

    @model_validator(mode="after")
    def _schema_belongs_to_avro(self) -> Self:
        if self.format == "avro" and self.schemaFile is None:
            refuse([Mistake(("format",), "format avro without schemaFile", "a schemaFile beside it")])
        if self.format == "bytes" and self.schemaFile is not None:
            refuse([Mistake(("schemaFile",), "schemaFile with format bytes", "schemaFile only beside format: avro")])
        return self


class TopicConfig(ConfigModel):
    """One source topic, its name at the target, and what its records must be."""

    name: TopicName
    targetName: TopicName
    key: FormatConfig = FormatConfig()
    value: FormatConfig = FormatConfig()
    onInvalid: Literal["fail"] = "fail"


class BridgeConfig(ConfigModel):
    """All that one replica of a bridge needs to know.

    `replicas` and `ordinal` decide which of the `lanes` this process owns (`kafka_bridge.lanes`).
    """

    instance: str
    bridge: str
    ordinal: Annotated[int, Field(ge=0)]
    replicas: Annotated[int, Field(ge=1)]
    lanes: Annotated[int, Field(ge=1, le=64)]
    source: ClusterConfig
    target: ClusterConfig
    topics: Annotated[tuple[TopicConfig, ...], Field(min_length=1)]
    schemaFolder: str = str(SCHEMA_FOLDER)
    startFrom: StartPosition = "earliest"
    commitIntervalMs: Annotated[int, Field(ge=10, le=30_000)] = 200
    copier: Literal["records"] = "records"
    healthPort: Annotated[int, Field(ge=1, le=65_535)] = 8080
    logLevel: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.ordinal >= self.replicas:
            raise ValueError(f"ordinal {self.ordinal} is not below replicas {self.replicas}")
        refuse(repeated_topics(self.topics))
        return self
