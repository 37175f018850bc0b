"""Where a lane goes on when it starts, from what it has stored and what its configuration asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kafka_bridge.errors import TerminalError
from kafka_bridge.positions import LaneMemory, LaneRecord, Position
from kafka_bridge.topic_config import Rewind

# An offset, "earliest", "latest", or a time.
Where = int | str
Place = tuple[str, int]

WAYS_OUT = "rewind it to say where copying goes on"


@dataclass(frozen=True, slots=True)
class LaneIdentity:
    """Which lane of how many it is, and the name of the process that runs it, unlike that of any other."""

    lane: int
    lanes: int
    owner: str


@dataclass(frozen=True, slots=True)
class Resume:
    """`known` are positions to go on from; `asked` are places whose offset has to be asked for, and then be stored.

    `record` is what the lane has to store of itself, None where that is stored already.
    """

    known: Mapping[Place, Position]
    asked: Mapping[Place, Where]
    record: LaneRecord | None


def plan_resume(
    memory: LaneMemory,
    topicIds: Mapping[Place, str],
    identity: LaneIdentity,
    startFrom: str,
    rewinds: Sequence[Rewind],
) -> Resume:
    """How a lane goes on with its source partitions, given with their topics' ids.

    `startFrom` holds for the lane's first start of all. What appears later, a partition or a topic, is copied from
    its beginning where the bridge began at the latest record: all of it came after that. TerminalError LanesMismatch
    and SourceTopicRecreated.
    """
    before = memory.record
    if before is not None and before.migratingTo is not None:
        raise TerminalError("LanesMismatch", _unfinished(before.lanes, before.migratingTo))
    if before is not None and before.lanes != identity.lanes:
        raise TerminalError("LanesMismatch", lanes_mismatch(before.lanes, identity.lanes))
    isFirst = before is None and not memory.positions
    carriedOut = before.rewinds if before is not None else ()
    # A bridge that begins now has nothing to go back from.
    due = [] if isFirst else [one for one in rewinds if one.id not in carriedOut]
    fresh = startFrom if isFirst or startFrom != "latest" else "earliest"
    known: dict[Place, Position] = {}
    asked: dict[Place, Where] = {}
    for place, topicId in topicIds.items():
        targets = [one.to for one in due if one.concerns(*place)]
        stored = memory.positions.get(place)
        if targets:
            asked[place] = targets[-1]
        elif stored is None:
            asked[place] = fresh
        elif stored.topicId != topicId:
            raise TerminalError(
                "SourceTopicRecreated",
                f"{place[0]}-{place[1]} was copied to offset {stored.offset} of topic id {stored.topicId}, "
                f"the source now has topic id {topicId}: {WAYS_OUT}",
            )
        else:
            known[place] = stored
    added = tuple(one.id for one in rewinds if one.id not in carriedOut)
    record = LaneRecord(identity.lanes, (*carriedOut, *added), identity.owner)
    return Resume(known, asked, None if record == before else record)


def lanes_mismatch(stored: int, wanted: int) -> str:
    return (
        f"the bridge has copied with {stored} lanes and is asked for {wanted}: "
        f"set lanes back to {stored}, or migrateLanesFrom to {stored}"
    )


def _unfinished(stored: int, target: int) -> str:
    return (
        f"a change from {stored} lanes to {target} has begun and not ended: "
        f"set lanes to {target} and migrateLanesFrom to {stored}"
    )
