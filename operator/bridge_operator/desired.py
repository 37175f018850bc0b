"""From a manifest to the containers that it asks for. Pure: what the engine has is handed in as facts.

A container's spec is hashed over everything that would need a new container to change; networks count by name, since
a network that was made again is mended in place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bridge_operator.model import KafkaBridge, KafkaCluster
from kafka_bridge.config import (
    CONFIG_VARIABLE,
    SCHEMA_FOLDER,
    TLS_FOLDER,
    BridgeConfig,
    ClusterConfig,
    TlsFiles,
)

BRIDGE_USER = "10001:10001"
HEALTH_COMMAND = ("python", "-I", "-m", "kafka_bridge.healthcheck")

_MEMORY_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a bridge cannot be made as its manifest says: a CamelCase reason and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What manifests may refer to, by the names that they use. `schemaDigests` is by file name."""

    networks: Mapping[str, tuple[str, str]]
    volumes: Mapping[str, str]
    imageId: str | None
    schemaDigests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mount:
    volume: str
    target: str


@dataclass(frozen=True, slots=True)
class NetworkLink:
    """One network of a container: the manifest's name, its id and name on the engine, and the aliases wanted there."""

    name: str
    networkId: str
    engineName: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use: bytes, 10^-9 cores, processes. They can be changed while it runs."""

    memoryBytes: int
    nanoCpus: int
    pids: int

    def is_in_force(self, found: Limits) -> bool:
        """Whether an engine that tells `found` keeps to these. What it tells as 0, it is not able to limit: no update
        of it would change that.
        """
        return (
            found.memoryBytes in (0, self.memoryBytes)
            and found.nanoCpus in (0, self.nanoCpus)
            and found.pids in (0, self.pids)
        )


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One replica's container, complete."""

    name: str
    bridge: str
    ordinal: int
    image: str
    imageId: str
    user: str
    environment: tuple[tuple[str, str], ...]
    mounts: tuple[Mount, ...]
    networks: tuple[NetworkLink, ...]
    schemaDigests: tuple[str, ...]
    limits: Limits
    restartedAt: str = ""
    healthCommand: tuple[str, ...] = HEALTH_COMMAND
    specHash: str = ""

    @property
    def retiredName(self) -> str:
        """The name of the predecessor that is kept until this one is ready."""
        return f"{self.name}-old"


@dataclass(frozen=True, slots=True)
class HealthThresholds:
    """In seconds: as `model.HealthSpec`."""

    stallSeconds: float = 120.0
    resumeSeconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Desired:
    """What a bridge should be. With `faults` the containers are unknown, and what runs is left alone.

    While it is `paused`, nothing is done about it at all.
    """

    specs: tuple[ContainerSpec, ...]
    replicas: int
    progressDeadlineSeconds: float
    faults: tuple[Fault, ...] = ()
    paused: bool = False
    thresholds: HealthThresholds = HealthThresholds()


def memory_bytes(quantity: str) -> int:
    """256Mi as bytes."""
    unit = quantity.lstrip("0123456789")
    return int(quantity.removesuffix(unit)) * _MEMORY_UNITS[unit]


def nano_cpus(quantity: str) -> int:
    """500m or 0.5 as 10^-9 cores."""
    return int(quantity[:-1]) * 10**6 if quantity.endswith("m") else round(float(quantity) * 10**9)


def container_name(instance: str, bridge: str, ordinal: int) -> str:
    return f"{instance}-{bridge}-{ordinal}"


def render(
    bridge: KafkaBridge,
    source: KafkaCluster,
    target: KafkaCluster,
    facts: EngineFacts,
    instance: str,
    image: str,
    managementNetwork: str,
    schemasVolume: str,
) -> Desired:
    """The containers that a bridge asks for, or the faults that stand in the way."""
    spec = bridge.spec
    replicas = 0 if spec.suspend else spec.replicas
    schemaFiles = sorted(
        {file for topic in spec.topics for part in (topic.key, topic.value) for _, file in part.schema_files()}
    )
    networkNames = list(dict.fromkeys([source.spec.network, managementNetwork, target.spec.network]))
    faults = _faults(source, target, facts, image, networkNames, schemasVolume if schemaFiles else None)
    desired = Desired(
        (),
        replicas,
        spec.progressDeadlineSeconds,
        tuple(faults),
        spec.paused,
        HealthThresholds(spec.health.stallSeconds, spec.health.resumeSeconds),
    )
    if faults or facts.imageId is None:
        return desired
    mounts = [
        Mount(facts.volumes[source.spec.tls.secret], str(TLS_FOLDER / "source")),
        Mount(facts.volumes[target.spec.tls.secret], str(TLS_FOLDER / "target")),
    ]
    if schemaFiles:
        mounts.append(Mount(facts.volumes[schemasVolume], str(SCHEMA_FOLDER)))
    containers = []
    for ordinal in range(replicas):
        name = container_name(instance, bridge.metadata.name, ordinal)
        config = _bridge_config(bridge, source, target, instance, ordinal)
        container = ContainerSpec(
            name=name,
            bridge=bridge.metadata.name,
            ordinal=ordinal,
            image=image,
            imageId=facts.imageId,
            user=BRIDGE_USER,
            environment=((CONFIG_VARIABLE, config.model_dump_json()),),
            mounts=tuple(mounts),
            networks=tuple(NetworkLink(network, *facts.networks[network], aliases=(name,)) for network in networkNames),
            schemaDigests=tuple(f"{file}={facts.schemaDigests.get(file, '')}" for file in schemaFiles),
            limits=Limits(memory_bytes(spec.resources.memory), nano_cpus(spec.resources.cpus), spec.resources.pids),
            restartedAt=spec.restartedAt or "",
        )
        containers.append(replace(container, specHash=spec_hash(container)))
    return replace(desired, specs=tuple(containers))


def spec_hash(spec: ContainerSpec) -> str:
    """SHA-256 over all that only a new container could change."""
    fields = {
        "imageId": spec.imageId,
        "user": spec.user,
        "environment": spec.environment,
        "mounts": [(mount.volume, mount.target) for mount in spec.mounts],
        "networks": [(network.name, network.aliases) for network in spec.networks],
        "schemaDigests": spec.schemaDigests,
        "limits": (spec.limits.memoryBytes, spec.limits.nanoCpus, spec.limits.pids),
        "health": spec.healthCommand,
        "restartedAt": spec.restartedAt,
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _faults(
    source: KafkaCluster,
    target: KafkaCluster,
    facts: EngineFacts,
    image: str,
    networkNames: list[str],
    schemasVolume: str | None,
) -> list[Fault]:
    faults = [
        Fault("NetworkNotFound", f"network {name} is not in this instance, expected one of: {_list(facts.networks)}")
        for name in networkNames
        if name not in facts.networks
    ]
    faults += [
        Fault("SecretNotFound", f"TLS secret {secret}: no volume of this instance has that name")
        for secret in dict.fromkeys([source.spec.tls.secret, target.spec.tls.secret])
        if secret not in facts.volumes
    ]
    if schemasVolume is not None and schemasVolume not in facts.volumes:
        faults.append(Fault("SchemaVolumeNotFound", f"no volume of this instance is named {schemasVolume}"))
    if facts.imageId is None:
        faults.append(Fault("ImageNotFound", f"image {image} is not on this engine; build it with stack/up"))
    return faults


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "(none)"


def _bridge_config(
    bridge: KafkaBridge, source: KafkaCluster, target: KafkaCluster, instance: str, ordinal: int
) -> BridgeConfig:
    spec = bridge.spec
    return BridgeConfig(
        instance=instance,
        bridge=bridge.metadata.name,
        ordinal=ordinal,
        replicas=spec.replicas,
        lanes=spec.lanes,
        source=_cluster_config(source, "source"),
        target=_cluster_config(target, "target"),
        migrateLanesFrom=spec.migrateLanesFrom,
        topics=spec.topics,
        startFrom=spec.startFrom,
        rewind=spec.rewind,
        topicCreation=spec.topicCreation,
        deadLetterTopic=spec.deadLetterTopic,
        consumerGroups=spec.consumerGroups,
        commitIntervalMs=spec.commitIntervalMs,
        copier=spec.copier,
    )


def _cluster_config(cluster: KafkaCluster, role: str) -> ClusterConfig:
    return ClusterConfig(
        name=cluster.metadata.name,
        bootstrapServers=cluster.spec.bootstrapServers,
        tls=TlsFiles.in_folder(TLS_FOLDER / role),
        clientProperties=cluster.spec.clientProperties,
    )
