"""The manifest kinds, as pydantic models: what a user may write, with its defaults and limits.

Field names are the YAML keys. Only shape is decided here; what needs a second document (does the cluster exist?)
or the engine (does the network exist?) is decided where that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from kafka_bridge.config import ClientProperties
from kafka_bridge.mistakes import Mistake, refuse
from kafka_bridge.topic_config import (
    POINT_IN_TIME,
    ConsumerGroups,
    Rewind,
    StartPosition,
    TopicConfig,
    TopicCreation,
    TopicName,
    point_in_time,
    repeated_rewinds,
    repeated_topics,
)

API_VERSION = "bridge.kafka/v1alpha1"
DEFAULT_LANES = 2

# A DNS label, short enough that instance, bridge and ordinal together still make a container's host name.
ObjectName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        max_length=40,
        description="a name of at most 40 lower-case letters, digits and '-', with a letter or digit at both ends",
    ),
]
# As Kubernetes writes quantities: 256Mi, 1Gi, 500M; cores as 0.5, 2 or 500m.
MemoryQuantity = Annotated[
    str,
    Field(
        pattern=r"^[1-9][0-9]*(Ki|Mi|Gi|k|M|G)?$",
        description="an amount of memory such as 512Mi or 1Gi (units k, M, G, Ki, Mi, Gi)",
    ),
]
CpuQuantity = Annotated[
    str,
    Field(
        pattern=r"^([0-9]+(\.[0-9]+)?|[1-9][0-9]*m)$",
        coerce_numbers_to_str=True,
        description="a number of cores such as 0.5, 2 or 500m",
    ),
]
BootstrapServers = Annotated[
    str,
    Field(
        pattern=r"^[^\s,:]+:[0-9]{1,5}(,[^\s,:]+:[0-9]{1,5})*$",
        description="host:port, or several of them with commas between and no spaces",
    ),
]


def _is_point_in_time(text: str) -> str:
    if point_in_time(text) is None:
        refuse([Mistake((), text, POINT_IN_TIME)])
    return text


class ManifestModel(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectMeta(ManifestModel):
    name: ObjectName
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class TlsSpec(ManifestModel):
    """`secret` is a volume of this instance that holds ca.crt, tls.crt and tls.key."""

    secret: ObjectName


class KafkaClusterSpec(ManifestModel):
    """`network` is a network of this instance, under the name that Compose knows it by."""

    bootstrapServers: BootstrapServers
    network: ObjectName
    tls: TlsSpec
    clientProperties: ClientProperties = {}


class KafkaCluster(ManifestModel):
    apiVersion: Literal["bridge.kafka/v1alpha1"]
    kind: Literal["KafkaCluster"]
    metadata: ObjectMeta
    spec: KafkaClusterSpec


class ClusterReference(ManifestModel):
    cluster: ObjectName


class ResourcesSpec(ManifestModel):
    """Limits of one replica's container."""

    memory: MemoryQuantity = "512Mi"
    cpus: CpuQuantity = "2"
    pids: Annotated[int, Field(ge=32, le=4096, strict=True)] = 256


class HealthSpec(ManifestModel):
    """When a replica is restarted that says it works: records are there and none is copied for `stallSeconds`; a
    cluster answers again after an outage, and a lane has not taken up copying within `resumeSeconds`.
    """

    stallSeconds: Annotated[int, Field(ge=10, le=86_400, strict=True)] = 120
    resumeSeconds: Annotated[int, Field(ge=5, le=86_400, strict=True)] = 15


class KafkaBridgeSpec(ManifestModel):
    """`lanes` is the number of parts that copying is divided into over all replicas.

    It is changed by naming the former number in `migrateLanesFrom`. `startFrom` holds for the first start of all,
    `rewind` for what comes later. `suspend` stops the replicas; `paused` leaves them as they are, whatever happens.
    Another `restartedAt` rolls them.
    """

    source: ClusterReference
    target: ClusterReference
    topics: Annotated[tuple[TopicConfig, ...], Field(min_length=1)]
    replicas: Annotated[int, Field(ge=0, le=64, strict=True)] = 1
    # Two copy fastest on two cores; each more costs memory and delay, and is for more replicas than two.
    lanes: Annotated[int, Field(ge=1, le=64, strict=True)] = DEFAULT_LANES
    migrateLanesFrom: Annotated[int, Field(ge=1, le=64, strict=True)] | None = None
    startFrom: StartPosition = "earliest"
    rewind: tuple[Rewind, ...] = ()
    topicCreation: TopicCreation = TopicCreation()
    deadLetterTopic: TopicName | None = None
    consumerGroups: ConsumerGroups | None = None
    commitIntervalMs: Annotated[int, Field(ge=10, le=30_000, strict=True)] = 200
    copier: Literal["records"] = "records"
    resources: ResourcesSpec = ResourcesSpec()
    health: HealthSpec = HealthSpec()
    progressDeadlineSeconds: Annotated[int, Field(ge=5, le=86_400, strict=True)] = 600
    suspend: bool = False
    paused: bool = False
    restartedAt: Annotated[str, Field(description=POINT_IN_TIME), AfterValidator(_is_point_in_time)] | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.source.cluster == self.target.cluster:
            yield Mistake(("target", "cluster"), f"{self.target.cluster}, which is the source too", "another cluster")
        if self.replicas > self.lanes:
            expected = f"at most as many as lanes ({self.lanes}): the rest would have nothing to do"
            yield Mistake(("replicas",), f"replicas {self.replicas}", expected)
        yield from repeated_topics(self.topics)
        yield from repeated_rewinds(self.rewind)


class KafkaBridge(ManifestModel):
    apiVersion: Literal["bridge.kafka/v1alpha1"]
    kind: Literal["KafkaBridge"]
    metadata: ObjectMeta
    spec: KafkaBridgeSpec


Manifest = Annotated[KafkaCluster | KafkaBridge, Field(discriminator="kind")]
