"""What the Kafka UI is told by its environment: which cluster, which certificates, which schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingError(ValueError):
    """A variable of the environment is missing or cannot be understood; the message names it."""


@dataclass(frozen=True)
class UiSettings:
    """One cluster as one UI shows it."""

    bootstrapServers: str
    tlsFolder: Path
    """Holds ca.crt, tls.crt and tls.key."""
    schemas: Mapping[str, Path]
    """By topic, the Avro schema that its values are decoded with. Values of other topics are shown as text."""

    def kafka_config(self) -> dict[str, str]:
        """Of librdkafka. Nothing here joins a group: partitions are assigned by hand, and no offset is committed."""
        return {
            "bootstrap.servers": self.bootstrapServers,
            "security.protocol": "ssl",
            "ssl.ca.location": str(self.tlsFolder / "ca.crt"),
            "ssl.certificate.location": str(self.tlsFolder / "tls.crt"),
            "ssl.key.location": str(self.tlsFolder / "tls.key"),
            "client.id": "kafka-ui",
        }


def read_settings(environment: Mapping[str, str]) -> UiSettings:
    """Raises SettingError."""
    return UiSettings(
        bootstrapServers=_required(environment, "UI_BOOTSTRAP_SERVERS"),
        tlsFolder=Path(_required(environment, "UI_TLS_FOLDER")),
        schemas=schemas_by_topic(environment.get("UI_SCHEMAS", ""), Path(_required(environment, "UI_SCHEMAS_FOLDER"))),
    )


def schemas_by_topic(text: str, folder: Path) -> dict[str, Path]:
    """`orders=schema.avsc stock=v2/stock.avsc`, each file below `folder`. Raises SettingError."""
    schemas: dict[str, Path] = {}
    for pair in text.split():
        topic, equals, name = pair.partition("=")
        if not (topic and equals and name):
            raise SettingError(f"UI_SCHEMAS: found {pair!r}, expected TOPIC=FILE")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise SettingError(f"UI_SCHEMAS: {name!r} is not below the folder of schemas")
        if topic in schemas:
            raise SettingError(f"UI_SCHEMAS: the topic {topic!r} stands there twice")
        schemas[topic] = folder / name
    return schemas


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingError(f"{name} is not set")
    return value
