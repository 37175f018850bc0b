"""A bridge's configuration for tests, as the operator would write it."""

from __future__ import annotations

from typing import Any

from kafka_bridge.config import BridgeConfig

TLS = {"caFile": "/tls/ca.crt", "certificateFile": "/tls/tls.crt", "keyFile": "/tls/tls.key"}


def config_fields(**changed: Any) -> dict[str, Any]:
    """The fields as they stand in JSON, with some of them changed."""
    return {
        "instance": "plant",
        "bridge": "orders",
        "ordinal": 0,
        "replicas": 1,
        "lanes": 4,
        "source": {"name": "source", "bootstrapServers": "source-kafka:9093", "tls": TLS},
        "target": {"name": "target", "bootstrapServers": "target-kafka:9093", "tls": TLS},
        "topics": [{"name": "orders", "targetName": "orders"}],
    } | changed


def make_config(**changed: Any) -> BridgeConfig:
    return BridgeConfig.model_validate(config_fields(**changed))
