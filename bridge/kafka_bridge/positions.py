"""Names and records by which a bridge remembers, on the target, how far it has copied.

A position is a record in the bridge's own compacted topic, written in the same transaction as the records that it
stands for. Partition k of that topic belongs to lane k alone: an open transaction of another writer in the same
partition would hide a lane's own positions from it. Beside the positions each lane keeps one record about itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

POSITIONS_PREFIX = "_bridge-positions."
OFFSETS_PREFIX = "_bridge-offsets."


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to copy from a partition, and which topic and leader epoch that offset was seen in."""

    offset: int
    topicId: str
    leaderEpoch: int | None = None


@dataclass(frozen=True, slots=True)
class LaneRecord:
    """What a lane knows of itself: the number of lanes that it is one of, and the rewinds that it has carried out.

    `owner` names the process that took it over last. `migratingTo` is the number of lanes that a change has begun to
    make and not finished: until it is finished nobody may own the lane.
    """

    lanes: int
    rewinds: tuple[str, ...] = ()
    owner: str = ""
    migratingTo: int | None = None


@dataclass(frozen=True, slots=True)
class LaneMemory:
    """All that a lane has stored. `record` is None for a lane that has never started.

    `end` is how far its partition was read: the next offset there.
    """

    positions: Mapping[tuple[str, int], Position] = field(default_factory=dict)
    record: LaneRecord | None = None
    end: int = 0


def bridge_id(instance: str, bridge: str, sourceClusterId: str) -> str:
    """What a bridge is known by at the target: two sites that chose the same names have different clusters."""
    return f"{instance}.{bridge}.{sourceClusterId}"


def transactional_id(bridgeId: str, lane: int) -> str:
    """Stable over restarts and re-creation, so that a successor fences its predecessor."""
    return f"{bridgeId}.lane.{lane}"


def migration_id(bridgeId: str) -> str:
    """The transactional id of whoever changes the number of lanes."""
    return f"{bridgeId}.lanes"


def positions_topic(bridgeId: str) -> str:
    return f"{POSITIONS_PREFIX}{bridgeId}"


def offsets_topic(bridgeId: str) -> str:
    """Where the bridge writes down which offset at the target stands for which at the source."""
    return f"{OFFSETS_PREFIX}{bridgeId}"


def encode_key(sourceClusterId: str, topic: str, partition: int) -> bytes:
    return _compact({"sourceClusterId": sourceClusterId, "topic": topic, "partition": partition})


def decode_key(key: bytes) -> tuple[str, str, int]:
    """Source cluster id, topic and partition; ValueError where it is no such key."""
    try:
        fields = json.loads(key)
        return str(fields["sourceClusterId"]), str(fields["topic"]), int(fields["partition"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no key of a partition: {key!r} ({error!r})") from error


def encode_value(position: Position) -> bytes:
    return _compact({"offset": position.offset, "topicId": position.topicId, "leaderEpoch": position.leaderEpoch})


def encode_lane_key(lane: int) -> bytes:
    return _compact({"lane": lane})


def encode_lane_record(record: LaneRecord) -> bytes:
    fields: dict[str, object] = {"lanes": record.lanes, "rewinds": list(record.rewinds), "owner": record.owner}
    return _compact(fields if record.migratingTo is None else fields | {"migratingTo": record.migratingTo})


@dataclass(slots=True)
class MemoryReader:
    """Takes in the records of one lane's partition in their order; ends with what the lane has stored."""

    sourceClusterId: str
    positions: dict[tuple[str, int], Position] = field(default_factory=dict)
    record: LaneRecord | None = None

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """ValueError where the record is none of ours."""
        try:
            keyFields = json.loads(key or b"null")
            valueFields = None if value is None else json.loads(value)
            if "lane" in keyFields:
                self._take_lane(valueFields)
            elif str(keyFields["sourceClusterId"]) == self.sourceClusterId:
                self._take_position((str(keyFields["topic"]), int(keyFields["partition"])), valueFields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no position record: key {key!r}, value {value!r} ({error!r})") from error

    def memory(self, end: int) -> LaneMemory:
        return LaneMemory(dict(self.positions), self.record, end)

    def _take_lane(self, fields: Any) -> None:
        if fields is None:
            self.record = None
            return
        target = fields.get("migratingTo")
        self.record = LaneRecord(
            int(fields["lanes"]),
            tuple(map(str, fields["rewinds"])),
            str(fields.get("owner", "")),
            None if target is None else int(target),
        )

    def _take_position(self, place: tuple[str, int], fields: Any) -> None:
        if fields is None:
            self.positions.pop(place, None)
            return
        epoch = fields.get("leaderEpoch")
        self.positions[place] = Position(
            int(fields["offset"]), str(fields["topicId"]), None if epoch is None else int(epoch)
        )


def _compact(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
