"""Names and records by which a bridge remembers, on the target, how far it has copied.

A position is a record in the bridge's own compacted topic, written in the same transaction as the records that it
stands for. Partition k of that topic belongs to lane k alone: an open transaction of another writer in the same
partition would hide a lane's own positions from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to copy from a partition, and which topic and leader epoch that offset was seen in."""

    offset: int
    topicId: str
    leaderEpoch: int | None = None


def bridge_id(instance: str, bridge: str, sourceClusterId: str) -> str:
    """What a bridge is known by at the target: two sites that chose the same names have different clusters."""
    return f"{instance}.{bridge}.{sourceClusterId}"


def transactional_id(bridgeId: str, lane: int) -> str:
    """Stable over restarts and re-creation, so that a successor fences its predecessor."""
    return f"{bridgeId}.lane.{lane}"


def positions_topic(bridgeId: str) -> str:
    return f"_bridge-positions.{bridgeId}"


def encode_key(sourceClusterId: str, topic: str, partition: int) -> bytes:
    return _compact({"sourceClusterId": sourceClusterId, "topic": topic, "partition": partition})


def encode_value(position: Position) -> bytes:
    return _compact({"offset": position.offset, "topicId": position.topicId, "leaderEpoch": position.leaderEpoch})


def decode(key: bytes, value: bytes) -> tuple[tuple[str, str, int], Position]:
    """((source cluster id, topic, partition), position); ValueError where the record is not a position."""
    try:
        keyFields, valueFields = json.loads(key), json.loads(value)
        identity = (str(keyFields["sourceClusterId"]), str(keyFields["topic"]), int(keyFields["partition"]))
        offset, topicId = int(valueFields["offset"]), str(valueFields["topicId"])
        epoch = valueFields.get("leaderEpoch")
        return identity, Position(offset, topicId, None if epoch is None else int(epoch))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no position record: key {key!r}, value {value!r} ({error})") from error


def _compact(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
