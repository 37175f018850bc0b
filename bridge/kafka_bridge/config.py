"""The bridge's configuration: one frozen model, given as JSON in the environment variable BRIDGE_CONFIG.

The operator renders it from a manifest and the bridge reads it, so this module is the contract between the two and
imports nothing but pydantic. It never holds a secret: certificates and keys are files whose paths stand here.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONFIG_VARIABLE = "BRIDGE_CONFIG"

# Where a bridge container finds what the operator mounts into it, read-only.
TLS_FOLDER = PurePosixPath("/etc/kafka-bridge/tls")
SCHEMA_FOLDER = PurePosixPath("/etc/kafka-bridge/schemas")

# A TLS secret holds these three files, under the names of a Kubernetes TLS secret.
CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ca.crt", "tls.crt", "tls.key"

# Kafka's own rule for topic names (org.apache.kafka.common.internals.Topic).
TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]+$", min_length=1, max_length=249)]

# The name of a file, never a path: it is looked up in one folder.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]

StartPosition = Literal["earliest"]


def refuse_repeated(what: str, names: list[str]) -> None:
    """Raise ValueError where a name stands twice."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{what} named twice: {', '.join(repeated)}")


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
    clientProperties: dict[str, str] = {}


class FormatConfig(ConfigModel):
    """What a key or a value must look like: `bytes` is anything, `avro` is checked against the schema."""

    format: Literal["bytes", "avro"] = "bytes"
    framing: Literal["raw"] = "raw"
    schemaFile: FileName | None = None

    @model_validator(mode="after")
    def _schema_belongs_to_avro(self) -> Self:
        if self.format == "avro" and self.schemaFile is None:
            raise ValueError("format avro needs schemaFile")
        if self.format == "bytes" and self.schemaFile is not None:
            raise ValueError("schemaFile is only for format avro")
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
        refuse_repeated("source topic", [topic.name for topic in self.topics])
        refuse_repeated("target topic", [topic.targetName for topic in self.topics])
        return self
