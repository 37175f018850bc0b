"""What is wanted of one bridge, from manifests, last good manifests and what the engine has. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge_operator.accepted import Accepted, is_deleted
from bridge_operator.catalog import Catalog
from bridge_operator.desired import EngineFacts, render
from bridge_operator.plan import Absent, Held, Wish


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rendering needs beside the manifest; the same for all bridges of an instance."""

    instance: str
    image: str
    managementNetwork: str
    schemasVolume: str
    removeGraceSeconds: float


def wish_for(name: str, catalog: Catalog, accepted: Accepted, facts: EngineFacts, around: Surroundings) -> Wish:
    """The last good manifest is in force until its file is really gone."""
    if is_deleted(name, catalog):
        return Absent(around.removeGraceSeconds)
    last = accepted.bridges.get(name)
    if last is None:
        reason = catalog.folderFault or "its manifest is broken, and no earlier good one is known"
        return Held("ManifestUnknown", f"{reason}; what runs is left as it is")
    return render(
        last.bridge,
        last.source,
        last.target,
        facts,
        around.instance,
        around.image,
        around.managementNetwork,
        around.schemasVolume,
    )
