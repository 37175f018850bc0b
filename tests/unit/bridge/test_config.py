"""The configuration: what is refused and with which words, and that the operator's JSON is read back the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from kafka_bridge.__main__ import read_config
from kafka_bridge.config import BridgeConfig
from support.bridge_config import TLS, config_fields, make_config

TOPIC = {"name": "orders", "targetName": "orders"}


def test_json_is_read_back_the_same() -> None:
    config = make_config(
        replicas=3,
        ordinal=2,
        commitIntervalMs=50,
        topics=[
            {"name": "a", "targetName": "x.a", "value": {"format": "avro", "schemaFile": "a.avsc"}},
            {"name": "b", "targetName": "x.b", "key": {"format": "bytes"}},
        ],
        source={"name": "s", "bootstrapServers": "k:1", "tls": TLS, "clientProperties": {"linger.ms": "1"}},
    )
    assert BridgeConfig.model_validate_json(config.model_dump_json()) == config
    assert read_config(config.model_dump_json()) == config


def test_defaults_are_careful() -> None:
    config = make_config()
    assert (config.startFrom, config.commitIntervalMs, config.healthPort, config.logLevel) == (
        "earliest",
        200,
        8080,
        "INFO",
    )
    assert (config.topics[0].onInvalid, config.topics[0].value.format) == ("fail", "bytes")


def test_it_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_config().lanes = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changed", "where", "why"),
    [
        ({"ordinal": 3, "replicas": 3}, "", "ordinal 3 is not below replicas 3"),
        ({"ordinal": -1}, "ordinal", "greater than or equal to 0"),
        ({"replicas": 0}, "replicas", "greater than or equal to 1"),
        ({"lanes": 0}, "lanes", "greater than or equal to 1"),
        ({"lanes": 65}, "lanes", "less than or equal to 64"),
        ({"commitIntervalMs": 5}, "commitIntervalMs", "greater than or equal to 10"),
        ({"commitIntervalMs": 60_000}, "commitIntervalMs", "less than or equal to 30000"),
        ({"healthPort": 70_000}, "healthPort", "less than or equal to 65535"),
        ({"startFrom": "middle"}, "startFrom", "expected earliest, latest or a point in time"),
        ({"logLevel": "LOUD"}, "logLevel", "'TRACE', 'DEBUG'"),
        ({"copier": "magic"}, "copier", "'records'"),
        ({"topics": []}, "topics", "at least 1 item"),
        ({"colour": "red"}, "colour", "Extra inputs are not permitted"),
        ({"topics": [TOPIC, TOPIC]}, "", "found source topic orders again, expected each source topic once"),
        (
            {"topics": [{"name": "a", "targetName": "x"}, {"name": "b", "targetName": "x"}]},
            "",
            "found target topic x again, expected each target topic once",
        ),
        ({"topics": [TOPIC | {"name": "a b"}]}, "topics.0.name", "should match pattern"),
        ({"topics": [TOPIC | {"name": ""}]}, "topics.0.name", "at least 1 character"),
        ({"topics": [TOPIC | {"targetName": "x" * 250}]}, "topics.0.targetName", "at most 249 characters"),
        ({"topics": [TOPIC | {"onInvalid": "drop"}]}, "topics.0.onInvalid", "'fail'"),
        (
            {"topics": [TOPIC | {"value": {"format": "avro"}}]},
            "topics.0.value",
            "found format avro without schemaFile, expected a schemaFile beside it",
        ),
        (
            {"topics": [TOPIC | {"key": {"schemaFile": "a.avsc"}}]},
            "topics.0.key",
            "expected schemaFile only beside format: avro",
        ),
        (
            {"topics": [TOPIC | {"value": {"format": "avro", "schemaFile": "../key.pem"}}]},
            "topics.0.value.schemaFile",
            "should match pattern",
        ),
        ({"source": {"name": "s", "bootstrapServers": "k:1"}}, "source.tls", "Field required"),
        (
            {
                "source": {
                    "name": "s",
                    "bootstrapServers": "k:1",
                    "tls": TLS,
                    "clientProperties": {"enable.ssl.certificate.verification": "false"},
                }
            },
            "source.clientProperties",
            "found the property enable.ssl.certificate.verification, which cannot be set here, expected one of",
        ),
    ],
)
def test_a_wrong_configuration_is_refused(
    changed: dict[str, Any], where: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        read_config(json.dumps(config_fields(**changed)))
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert f"BRIDGE_CONFIG: {where or '(whole)'}: found " in told
    assert why in told


@pytest.mark.parametrize(
    ("text", "why"), [(None, "BRIDGE_CONFIG is not set"), ("", "is not set"), ("{", "Invalid JSON")]
)
def test_no_configuration_is_refused(text: str | None, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_config(text)
    assert end.value.code == 2
    assert why in capsys.readouterr().err


def test_every_mistake_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_config(json.dumps(config_fields(lanes=0, healthPort=0)))
    assert len(capsys.readouterr().err.splitlines()) == 2
