"""A lane: one thread that copies its source partitions, exactly once.

It starts in this order, each time: fence and settle (init_transactions), read its memory, go on from there (`resume`).
Then it copies in transactions that carry the new positions along with the records. What to do about an error is decided
by its class alone (`errors`); nothing is ever assumed about a commit that failed: the positions tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from loguru import logger

from kafka_bridge.copier import Copier, CopyStep
from kafka_bridge.errors import AbortNeeded, BridgeError, FencedError, RecordRefused, TerminalError, TransientError
from kafka_bridge.kafka import Headers, Heartbeat, Partition, Progress
from kafka_bridge.offset_map import encode_runs
from kafka_bridge.positions import (
    LaneMemory,
    Position,
    encode_key,
    encode_lane_key,
    encode_lane_record,
    encode_value,
)
from kafka_bridge.resume import Where, plan_resume
from kafka_bridge.status import Counters, LaneState, LaneStatus, PartitionStatus
from kafka_bridge.topic_config import Rewind

# Between tries while a cluster is away: soon enough that the flow is back within seconds.
RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS = 0.5, 4.0
# An idle lane turns this often, to notice a stop and to show that it lives.
IDLE_SECONDS = 0.5
# A stop waits this long for the open transaction, then leaves it for the successor to settle.
STOP_SECONDS = 5.0
# A source that keeps running dry is not followed by a commit more often than this part of the commit interval.
DRY_PART = 8
# Records to move in one step: enough that a call is shared by many, few enough to stay responsive.
STEP_LIMIT = 2_000
# A record that the target refuses takes its whole transaction along. It is looked for in transactions of ever fewer
# records, by this factor each time, and given up after so many of them that went well.
ISOLATE_FACTOR = 8
ISOLATE_COMMITS = 16


class LaneProducer(Protocol):
    """What a lane needs of `kafka.TransactionalProducer`."""

    def init_transactions(self) -> None: ...
    def begin(self) -> None: ...
    def flush(self) -> None: ...
    def commit(self) -> None: ...
    def abort(self) -> None: ...
    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        timestampMs: int = 0,
    ) -> None: ...
    def serve(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What a lane is given: its identity, and how it gets its clients. All callables may raise `errors`."""

    lane: int
    lanes: int
    sourceClusterId: str
    positionsTopic: str
    commitIntervalSeconds: float
    startFrom: str
    rewinds: Sequence[Rewind]
    partitions: Callable[[], Mapping[Partition, str]]
    """The source partitions of this lane, each with its topic's id."""
    makeProducer: Callable[[Heartbeat], LaneProducer]
    makeCopier: Callable[[LaneProducer], Copier]
    readMemory: Callable[[Heartbeat], LaneMemory]
    resolveOffsets: Callable[[Mapping[Partition, Where]], dict[Partition, int]]
    askTopicIds: Callable[[Iterable[str]], Mapping[str, str]]
    """The ids of topics as the source has them now."""
    offsetsTopic: str | None = None
    """Where to write down which offset stands for which; None where nobody asks."""
    noteRuns: Callable[[Partition, Iterable[tuple[int, int, int]]], None] = lambda partition, runs: None
    """Called after a commit with its runs: source, target, count."""
    observeLatency: Callable[[tuple[int, ...], float], None] = lambda timestamps, now: None
    """Called after a commit with the source timestamps (ms) of its records and the time (s)."""
    clock: Callable[[], float] = time.monotonic
    wallClock: Callable[[], float] = time.time


@dataclass(slots=True)
class _Open:
    """The open transaction: since when, and what it will make true once committed."""

    since: float
    progress: dict[Partition, Progress] = field(default_factory=dict)
    records: int = 0
    bytes: int = 0
    deadLetters: int = 0
    timestamps: list[int] = field(default_factory=list)


class Lane:
    """`run` is the thread's body; the other methods may be called from any thread."""

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts
        self._log = logger.bind(lane=parts.lane)
        self._transactions = 0
        self._limit = STEP_LIMIT
        self._limitedCommits = 0
        self._refused: dict[tuple[Partition, int], str] = {}
        self._stopping = threading.Event()
        self._stopDeadline = float("inf")
        self._reassign = threading.Event()
        self._producer: LaneProducer | None = None
        self._copier: Copier | None = None
        self._open: _Open | None = None
        self._stored: dict[Partition, Position] = {}
        self._reached: dict[Partition, int] = {}
        self._dry: set[Partition] = set()
        self._ends: dict[Partition, int] = {}
        self._endsAt = float("-inf")
        self._lastProgress: dict[Partition, datetime] = {}
        self._lastCommit = float("-inf")
        self._state: LaneState = "Starting"
        self._stateSince = datetime.now(UTC)
        self._reason = self._message = ""
        self._counters = Counters()
        self.lastBeat = parts.clock()

    # ---- from other threads

    def stop(self) -> None:
        """Finish the open transaction, or leave it after STOP_SECONDS, and end."""
        self._stopDeadline = self._parts.clock() + STOP_SECONDS
        self._stopping.set()

    def reassign(self) -> None:
        """The partitions of this lane have changed: go through the start-up order again with the new ones."""
        self._reassign.set()

    def status(self) -> LaneStatus:
        # Whoever is told of other partitions does not copy what is there to copy, until it has taken them up.
        isToStartOver = self._state == "Copying" and self._reassign.is_set()
        return LaneStatus(
            lane=self._parts.lane,
            state="Starting" if isToStartOver else self._state,
            since=self._stateSince,
            reason=self._reason,
            message=self._message,
        )

    def counters(self) -> Counters:
        return self._counters

    def copied(self) -> dict[Partition, int]:
        """By partition, the next offset to copy as it is stored."""
        return {partition: position.offset for partition, position in self._stored.items()}

    def partition_status(self) -> list[PartitionStatus]:
        """One entry for each partition that the lane has taken up. Lag counts offsets, markers included."""
        statuses = []
        for (topic, partition), position in sorted(self._reached.copy().items()):
            end = self._ends.get((topic, partition))
            end = None if end is None else max(end, position)
            statuses.append(
                PartitionStatus(
                    topic=topic,
                    partition=partition,
                    lane=self._parts.lane,
                    position=position,
                    endOffset=end,
                    lag=None if end is None else end - position,
                    lastProgress=self._lastProgress.get((topic, partition)),
                )
            )
        return statuses

    # ---- the thread

    def run(self) -> None:
        """Copy until stopped, fenced or failed."""
        pause = RETRY_FIRST_SECONDS
        while not self._stopping.is_set():
            try:
                self._start_up()
                pause = RETRY_FIRST_SECONDS
                self._copy()
            except FencedError as error:
                self._count(fences=1)
                self._become("Fenced", error.reason, str(error))
                return
            except (TerminalError, RecordRefused) as error:
                # A refusal comes here only from what the lane stores of itself.
                cause = self._cause_of(error)
                self._become("Failed", cause.reason, str(cause))
                return
            except TransientError as error:
                if self._stopping.is_set():
                    return
                self._become("Waiting", error.reason, str(error))
                self._stopping.wait(pause)
                pause = min(pause * 2, RETRY_MAX_SECONDS)
            except Exception as error:
                # Nothing is known about the cause, so the safe way back is the whole start-up order.
                self._log.exception("unexpected error")
                self._become("Waiting", "UnexpectedError", f"{type(error).__name__}: {error}")
                self._stopping.wait(RETRY_MAX_SECONDS)
            finally:
                self._let_go()

    def _start_up(self) -> None:
        self._become("Starting")
        self._reassign.clear()
        self._producer = self._parts.makeProducer(self._beat)
        self._producer.init_transactions()
        self._copier = self._parts.makeCopier(self._producer)
        # A new copier has to be told what was found out with a former one.
        for (partition, offset), why in self._refused.items():
            self._copier.refuse(partition, offset, why)
        self._resume()
        self._become("Copying")

    def _resume(self) -> None:
        """Go on from what is stored; whatever is new is stored, and so agreed on, before its first record."""
        parts = self._parts
        topicIds = parts.partitions()
        resume = plan_resume(parts.readMemory(self._beat), topicIds, parts.lanes, parts.startFrom, parts.rewinds)
        offsets = parts.resolveOffsets(resume.asked) if resume.asked else {}
        begun = {partition: Position(offset, topicIds[partition]) for partition, offset in offsets.items()}
        self._stored = {**resume.known, **begun}
        # Whatever was reached before and not stored has not been copied: it must be forgotten before a commit.
        self._reached = {partition: position.offset for partition, position in self._stored.items()}
        self._dry = set()
        self._ends = {}
        if begun or resume.record is not None:
            opened = self._ensure_open()
            opened.progress |= {partition: Progress(offset) for partition, offset in offsets.items()}
            if resume.record is not None:
                record = encode_lane_record(resume.record)
                self._the_producer().send(parts.positionsTopic, parts.lane, encode_lane_key(parts.lane), record)
            self._commit()
        self._the_copier().assign(
            {partition: Progress(one.offset, one.leaderEpoch) for partition, one in self._stored.items()}
        )
        for (topic, partition), offset in sorted(offsets.items()):
            self._log.info("{}-{} begins at offset {}", topic, partition, offset)
        self._log.info("copying {} partitions", len(topicIds))

    def _copy(self) -> None:
        committedAtAbort = -1
        while not self._reassign.is_set():
            self._beat()
            if self._stopping.is_set():
                self._commit()
                return
            try:
                step = self._the_copier().step(self, self._wait_seconds(), self._limit)
                self._take(step)
                if self._is_due() or step.failure is not None:
                    self._commit()
                self._look_around()
            except AbortNeeded as error:
                if isinstance(error, RecordRefused):
                    self._isolate(error)
                elif committedAtAbort == self._counters.transactionsCommitted:
                    # Nothing was committed since the last abort: from here on with a pause, for all to see.
                    raise
                self._log.warning("aborting the transaction: {}", error)
                self._abort()
                committedAtAbort = self._counters.transactionsCommitted
                self._resume()
                continue
            if step.failure is not None:
                raise step.failure
        self._commit()

    def ensure_open(self) -> None:
        """Open a transaction unless one is open (called by the copier before its first record)."""
        self._ensure_open()

    def _ensure_open(self) -> _Open:
        if self._open is None:
            self._the_producer().begin()
            self._open = _Open(self._parts.clock())
            self._transactions += 1
            self._log = logger.bind(lane=self._parts.lane, transaction=self._transactions)
        return self._open

    def _isolate(self, error: RecordRefused) -> None:
        """Come closer to the record that the target refuses; where it stood alone, tell the copier which it is."""
        lost = self._open or _Open(0.0)
        if self._limit == 1 and lost.records == 0:
            raise error
        if self._limit > 1:
            self._limit = max(1, min(self._limit, lost.records or self._limit) // ISOLATE_FACTOR)
            self._limitedCommits = 0
            return
        [(partition, progress)] = lost.progress.items()
        refused = (partition, progress.offset - 1)
        if refused in self._refused:
            raise TerminalError(error.reason, f"{partition[0]}-{partition[1]} at offset {refused[1]}: {error}")
        self._refused[refused] = f"the target refuses it: {error}"
        self._the_copier().refuse(*refused, self._refused[refused])
        self._limit = STEP_LIMIT

    def _take(self, step: CopyStep) -> None:
        for partition, progress in step.progress.items():
            self._reached[partition] = progress.offset
            self._dry.discard(partition)
        for partition, end in step.ends.items():
            self._dry.add(partition)
            # Behind the last record lie markers and aborted records; they need not be read again.
            self._reached[partition] = max(end, self._reached.get(partition, end))
        if self._open is not None:
            self._open.progress |= step.progress
            self._open.records += step.records
            self._open.bytes += step.bytes
            self._open.deadLetters += step.deadLetters
            self._open.timestamps += step.timestamps

    def _look_around(self) -> None:
        """Now and then: hear what the producer has to say, and remember the ends for those who ask for the lag."""
        now = self._parts.clock()
        if now - self._endsAt < IDLE_SECONDS:
            return
        self._endsAt = now
        self._the_producer().serve()
        for partition in self._stored:
            end = self._the_copier().end_offset(partition)
            if end is not None:
                self._ends[partition] = end

    def _is_due(self) -> bool:
        if self._open is None:
            return False
        if self._limit < STEP_LIMIT and self._open.records:
            return True
        now = self._parts.clock()
        interval = self._parts.commitIntervalSeconds
        isDry = self._dry.issuperset(self._stored)
        return now - self._open.since >= interval or (isDry and now - self._lastCommit >= interval / DRY_PART)

    def _wait_seconds(self) -> float:
        if self._open is None:
            return IDLE_SECONDS
        now = self._parts.clock()
        interval = self._parts.commitIntervalSeconds
        due = self._open.since + interval
        if self._dry.issuperset(self._stored):
            due = min(due, self._lastCommit + interval / DRY_PART)
        return min(max(due - now, 0.0), IDLE_SECONDS)

    def _commit(self) -> None:
        """Commit the open transaction together with the positions that it makes true; nothing where none is open."""
        if self._open is None:
            return
        done = self._open
        # A partition found dry since its last record has its position behind the markers there.
        positions = {
            partition: Position(
                max(progress.offset, self._reached.get(partition, 0)),
                self._stored[partition].topicId,
                progress.leaderEpoch,
            )
            for partition, progress in done.progress.items()
        }
        producer = self._the_producer()
        runs = self._send_runs(producer) if self._parts.offsetsTopic is not None and done.records else {}
        for (topic, number), position in positions.items():
            producer.send(
                self._parts.positionsTopic,
                self._parts.lane,
                encode_key(self._parts.sourceClusterId, topic, number),
                encode_value(position),
            )
        producer.commit()
        self._open = None
        self._lastCommit = self._parts.clock()
        # Before the positions: whoever sees that an offset is copied must find where.
        for partition, carried in runs.items():
            self._parts.noteRuns(partition, carried)
        self._stored = self._stored | positions
        now = datetime.now(UTC)
        self._lastProgress |= dict.fromkeys(positions, now)
        self._count(records=done.records, bytes=done.bytes, deadLetters=done.deadLetters, transactionsCommitted=1)
        self._log.debug("committed {} records", done.records)
        if self._limit < STEP_LIMIT:
            self._limitedCommits += 1
            if self._limitedCommits > ISOLATE_COMMITS:
                self._limit = STEP_LIMIT
        self._parts.observeLatency(tuple(done.timestamps), self._parts.wallClock())

    def _send_runs(self, producer: LaneProducer) -> dict[Partition, list[tuple[int, int, int]]]:
        """Write down where the open transaction's records stand at the target; known once they are delivered."""
        producer.flush()
        carried = {}
        for partition, runs in self._the_copier().take_runs().items():
            # Without an offset the delivery has failed, and so will the commit.
            carried[partition] = [(run.source, run.target, run.count) for run in runs if run.target is not None]
            producer.send(
                self._parts.offsetsTopic or "",
                self._parts.lane,
                encode_key(self._parts.sourceClusterId, *partition),
                encode_runs(carried[partition]),
            )
        return carried

    def _abort(self) -> None:
        self._open = None
        self._count(transactionsAborted=1)
        try:
            self._the_producer().abort()
        except AbortNeeded as error:
            # An abort that itself asks for an abort leads nowhere with this producer.
            raise TransientError(error.reason, str(error)) from error

    def _cause_of(self, error: BridgeError) -> BridgeError:
        """An offset that is not there may belong to a topic that is not there: its successor has the name alone."""
        if error.reason != "SourceOffsetOutOfRange":
            return error
        try:
            current = self._parts.askTopicIds({topic for topic, _ in self._stored})
            plan_resume(
                LaneMemory(self._stored),
                {place: current[place[0]] for place in self._stored if place[0] in current},
                self._parts.lanes,
                self._parts.startFrom,
                (),
            )
        except BridgeError as cause:
            return cause if isinstance(cause, TerminalError) else error
        return error

    def _let_go(self) -> None:
        """Close what is open. An unfinished transaction is settled by the next init_transactions."""
        if self._open is not None:
            self._open = None
            self._count(transactionsAborted=1)
        copier, producer = self._copier, self._producer
        self._copier = self._producer = None
        if copier is not None:
            copier.close()
        if producer is not None:
            producer.close()

    def _beat(self) -> None:
        now = self._parts.clock()
        self.lastBeat = now
        if now > self._stopDeadline:
            raise TransientError("Stopping", "the open transaction could not be finished in time")

    def _become(self, state: LaneState, reason: str = "", message: str = "") -> None:
        if (state, reason) != (self._state, self._reason):
            self._stateSince = datetime.now(UTC)
            level = {"Failed": "ERROR", "Fenced": "WARNING", "Waiting": "WARNING"}.get(state, "INFO")
            self._log.log(level, "{}{}", state, f" ({reason}): {message}" if reason else "")
        self._state, self._reason, self._message = state, reason, message

    def _count(self, **added: int) -> None:
        current = self._counters
        self._counters = current.model_copy(update={name: getattr(current, name) + n for name, n in added.items()})

    def _the_producer(self) -> LaneProducer:
        assert self._producer is not None, "only used between start-up and letting go"
        return self._producer

    def _the_copier(self) -> Copier:
        assert self._copier is not None, "only used between start-up and letting go"
        return self._copier
