"""The Kafka UI takes its cluster from the environment, and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ui_settings import SettingError, read_settings, schemas_by_topic

from support.project_files import compose_environment

FOLDER = Path("/schemas")
GIVEN = {
    "UI_BOOTSTRAP_SERVERS": "source-kafka:9093",
    "UI_TLS_FOLDER": "/tls",
    "UI_SCHEMAS_FOLDER": "/schemas",
    "UI_SCHEMAS": "orders=schema.avsc",
}


def test_it_speaks_mutual_tls_and_keeps_nothing() -> None:
    config = read_settings(GIVEN).kafka_config()

    assert config["security.protocol"] == "ssl"
    assert (config["ssl.ca.location"], config["ssl.key.location"]) == ("/tls/ca.crt", "/tls/tls.key")
    assert "group.id" not in config


def test_schemas_are_by_topic() -> None:
    assert read_settings(GIVEN).schemas == {"orders": FOLDER / "schema.avsc"}
    assert schemas_by_topic(" orders=a.avsc  stock=v2/b=1.avsc ", FOLDER) == {
        "orders": FOLDER / "a.avsc",
        "stock": FOLDER / "v2" / "b=1.avsc",
    }
    assert schemas_by_topic("", FOLDER) == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("orders", "'orders', expected TOPIC=FILE"),
        ("=a.avsc", "expected TOPIC=FILE"),
        ("orders=", "expected TOPIC=FILE"),
        ("orders=/etc/passwd", "not below the folder"),
        ("orders=../a.avsc", "not below the folder"),
        ("orders=a.avsc orders=b.avsc", "'orders' stands there twice"),
    ],
)
def test_what_is_no_schema_is_named(text: str, fault: str) -> None:
    with pytest.raises(SettingError, match="UI_SCHEMAS") as raised:
        schemas_by_topic(text, FOLDER)
    assert fault in str(raised.value)


@pytest.mark.parametrize("name", ["UI_BOOTSTRAP_SERVERS", "UI_TLS_FOLDER", "UI_SCHEMAS_FOLDER"])
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(SettingError, match=f"{name} is not set"):
        read_settings(GIVEN | {name: ""})


@pytest.mark.parametrize("side", ["source", "target"])
def test_compose_gives_what_is_read(side: str) -> None:
    settings = read_settings(compose_environment(f"ui-{side}") | {"UI_SCHEMAS": "orders=schema.avsc"})

    assert settings.bootstrapServers == f"{side}-kafka:9093"
    assert settings.tlsFolder == Path("/etc/kafka/tls")
