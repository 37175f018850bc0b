"""The operator's settings, from environment variables that begin with OPERATOR_.

A field `resyncSeconds` is the variable OPERATOR_RESYNC_SECONDS. Each states its unit and what it is for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "OPERATOR_"


def variable_name(field: str) -> str:
    """The environment variable of a field: camelCase becomes UPPER_CASE behind the prefix."""
    return PREFIX + re.sub(r"(?<!^)(?=[A-Z])", "_", field).upper()


# Relative paths alone: the console leads nowhere else.
_LINK = r"[\w-]+=[\w-][\w./-]*"
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Wrong or missing values raise pydantic.ValidationError with the variable's name."""

    model_config = SettingsConfigDict(alias_generator=variable_name, frozen=True, extra="ignore", populate_by_name=True)

    instance: str = Field(default="kafka-bridge", min_length=1)
    """Name of the Compose project whose networks and volumes manifests speak of; prefix of container names."""
    bridgeImage: str = "kafka-bridge-bridge"
    """Image that bridge containers are made from."""
    manifestsDir: Path = Path("/etc/bridge-operator/manifests")
    """Folder that is watched, with everything below it."""
    schemasDir: Path = Path("/etc/bridge-operator/schemas")
    """The schema volume as the operator sees it: to tell a missing schema, and to roll when one changes."""
    schemasVolume: str = "schemas"
    """The schema volume's name in this instance; bridges mount it."""
    stateDir: Path = Path("/var/lib/bridge-operator")
    """Status, events and the last good manifests. For people; may be lost."""
    engineSocket: str = "unix:///run/engine/docker.sock"
    """Where the engine's API answers."""
    managementNetwork: str = "network2"
    """Network over which bridges are asked for their status."""
    httpAddress: str = "0.0.0.0"
    """Where health, status and metrics are served: on all networks of the container, which is on one."""
    httpPort: Annotated[int, Field(ge=1, le=65_535)] = 8080
    consoleLinks: Annotated[str, Field(pattern=rf"^({_LINK}( {_LINK})*)?$")] = "source=ui/source/ target=ui/target/"
    """Kafka UIs behind the same proxy that the console leads to: name=path, with blanks between. Empty: none."""
    resyncSeconds: Seconds = 120
    """Full comparison; finds what no event told."""
    healthPollSeconds: Seconds = 2
    """Period of asking each bridge for its status."""
    removeGraceSeconds: Annotated[float, Field(ge=0)] = 10
    """Between the disappearance of a manifest and the removal of its bridge: editors delete and write anew."""
    crashBackoffFirstSeconds: Seconds = 10
    """The first exit restarts at once, the second after so long, then doubling..."""
    crashBackoffMaxSeconds: Seconds = 300
    """...up to this..."""
    crashBackoffResetSeconds: Seconds = 600
    """...until a replica has run so long."""
    passDeadlineSeconds: Seconds = 60
    """A pass that takes longer counts as stuck."""
    stopGraceSeconds: Annotated[int, Field(ge=1)] = 15
    """Between SIGTERM and SIGKILL for a replica; a bridge needs ten at most."""
    logLevel: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    def links_by_name(self) -> dict[str, str]:
        """The paths of consoleLinks."""
        return dict(link.split("=", 1) for link in self.consoleLinks.split())
