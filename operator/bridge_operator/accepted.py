"""The last good word on every bridge: what stays in force while a manifest is broken. Pure.

A bridge is kept together with both its clusters as they were when all three were good, so that a mistake in any of
them changes nothing that runs. The generation counts changes of that whole, as Kubernetes counts those of a spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from bridge_operator.catalog import Catalog, Problem
from bridge_operator.model import KafkaBridge, KafkaCluster


class AcceptedBridge(BaseModel):
    """One bridge, its clusters, and how often that whole has changed (from 1)."""

    model_config = ConfigDict(frozen=True)

    generation: int
    bridge: KafkaBridge
    source: KafkaCluster
    target: KafkaCluster

    def same_spec(self, other: AcceptedBridge) -> bool:
        """Whether both ask for the same; labels and annotations are for people."""
        return (self.bridge.spec, self.source.spec, self.target.spec) == (
            other.bridge.spec,
            other.source.spec,
            other.target.spec,
        )


class Accepted(BaseModel):
    """By bridge name."""

    model_config = ConfigDict(frozen=True)

    bridges: dict[str, AcceptedBridge] = {}


def accept(former: Accepted, catalog: Catalog, runningGenerations: Mapping[str, int]) -> Accepted:
    """Take in what is good in `catalog`; what is broken or gone stays as it was.

    `runningGenerations` are those on the labels of containers: they count on where `former` was lost.
    """
    bridges = dict(former.bridges)
    for name, bridge in catalog.bridges.items():
        before = bridges.get(name)
        candidate = AcceptedBridge(
            generation=before.generation if before else max(1, runningGenerations.get(name, 1)),
            bridge=bridge,
            source=catalog.clusters[bridge.spec.source.cluster],
            target=catalog.clusters[bridge.spec.target.cluster],
        )
        if before is not None and not candidate.same_spec(before):
            generation = max(before.generation, runningGenerations.get(name, 0)) + 1
            candidate = candidate.model_copy(update={"generation": generation})
        bridges[name] = candidate
    return Accepted(bridges=bridges)


def forget(former: Accepted, names: Iterable[str]) -> Accepted:
    """Without the bridges that are gone for good."""
    gone = set(names)
    return Accepted(bridges={name: one for name, one in former.bridges.items() if name not in gone})


def is_deleted(name: str, catalog: Catalog) -> bool:
    """Whether the manifest of a bridge is really gone.

    Not while the folder as a whole is in doubt, nor while any manifest is so broken that it could be this one.
    """
    if catalog.folderFault or name in catalog.bridges:
        return False
    return not any(
        not problem.name or (problem.name == name and problem.kind in ("", "KafkaBridge"))
        for problem in catalog.problems
    )


def problems_of(name: str, catalog: Catalog, accepted: Accepted) -> tuple[Problem, ...]:
    """What keeps this bridge from being as its manifests say."""
    one = accepted.bridges.get(name)
    clusters = {one.source.metadata.name, one.target.metadata.name} if one else set()
    return tuple(
        problem
        for problem in catalog.problems
        if (problem.name == name and problem.kind in ("", "KafkaBridge"))
        or (problem.name in clusters and problem.kind == "KafkaCluster")
    )
