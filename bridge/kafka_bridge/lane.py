"""A lane: one thread that copies its source partitions, exactly once.

It starts in this order, each time: fence and settle (init_transactions), read its memory, go on from there (`resume`).
Then it copies in transactions that carry the new positions along with the records. What to do about an error is decided
by its class alone (`errors`); nothing is ever assumed about a commit that failed: the positions tell.

A process takes a lane over once, by storing its own name as the lane's owner. Whoever has been the owner and finds
another name there has a successor, and never comes back. A fence alone does not say so: the target's coordinator also
fences a transaction that took too long, and a request that was repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from loguru import logger

from kafka_bridge.copier import Copier
from kafka_bridge.errors import (
    AbortNeeded,
    BridgeError,
    FencedError,
    RecordRefused,
    TakenOverError,
    TerminalError,
    TransientError,
)
from kafka_bridge.kafka import Partition, Progress
from kafka_bridge.lane_parts import LaneParts, LaneProducer
from kafka_bridge.ledger import Ledger
from kafka_bridge.lost_markers import abort_what_hangs, expect_markers
from kafka_bridge.offset_map import encode_runs
from kafka_bridge.positions import (
    LaneMemory,
    Position,
    encode_key,
    encode_lane_key,
    encode_lane_record,
    encode_value,
)
from kafka_bridge.refusal_search import RefusalSearch
from kafka_bridge.resume import plan_resume
from kafka_bridge.stall_watch import StallWatch
from kafka_bridge.status import Counters, LaneState, LaneStatus, PartitionStatus

# Between tries while a cluster is away: soon enough that the flow is back within seconds.
RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS = 0.5, 4.0
# An owner that was fenced gives whoever may have done it this long to store its name.
YIELD_SECONDS = 5.0
# An idle lane turns this often, to notice a stop and to show that it lives.
IDLE_SECONDS = 0.5
# A transaction that took so long may have lived through a pause of its broker, and have lost its markers to it.
LONG_SECONDS = 5.0
# What somebody else has told of the source's ends counts for so long.
TOLD_SECONDS = 25.0
# A stop waits this long for the open transaction, then leaves it for the successor to settle.
STOP_SECONDS = 5.0


class Lane:
    """`run` is the thread's body; the other methods may be called from any thread."""

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts
        self._log = logger.bind(lane=parts.identity.lane)
        self._transactions = 0
        self._ledger = Ledger(parts.rhythm)
        self._search = RefusalSearch()
        self._isOwner = False
        self._settledEnd = 0
        """How far the lane's partition of the positions topic held what was there before, when it was last read."""
        self._stopping = threading.Event()
        self._stopDeadline = float("inf")
        self._reassign = threading.Event()
        self._producer: LaneProducer | None = None
        self._copier: Copier | None = None
        self._lookedAt = float("-inf")
        self._stalls = StallWatch()
        self._told: tuple[float, Mapping[Partition, int]] = (float("-inf"), {})
        self._pause = RETRY_FIRST_SECONDS
        self._state: LaneState = "Starting"
        self._stateSince = datetime.now(UTC)
        self._reason = self._message = ""
        self._lastCopying: datetime | None = None
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

    def tell_ends(self, ends: Mapping[Partition, int]) -> None:
        """The ends of source partitions as the brokers have told another client than the one that copies."""
        self._told = (self._parts.clock(), ends)

    def status(self) -> LaneStatus:
        # Whoever is told of other partitions does not copy what is there to copy, until it has taken them up.
        isToStartOver = self._state == "Copying" and self._reassign.is_set()
        return LaneStatus(
            lane=self._parts.identity.lane,
            state="Starting" if isToStartOver else self._state,
            since=self._stateSince,
            reason=self._reason,
            message=self._message,
            lastCopying=datetime.now(UTC) if self._state == "Copying" else self._lastCopying,
        )

    def counters(self) -> Counters:
        return self._counters

    def copied(self) -> dict[Partition, int]:
        """By partition, the next offset to copy as it is stored."""
        return self._ledger.copied()

    def partition_status(self) -> list[PartitionStatus]:
        """One entry for each partition that the lane has taken up."""
        return list(self._ledger.statuses(self._parts.identity.lane))

    # ---- the thread

    def run(self) -> None:
        """Copy until stopped, taken over or failed."""
        while not self._stopping.is_set():
            try:
                self._start_and_copy()
            except TakenOverError as error:
                self._count(fences=1)
                self._become("Fenced", error.reason, str(error))
                return
            except (TerminalError, RecordRefused) as error:
                # A refusal comes here only from what the lane stores of itself.
                cause = self._cause_of(error)
                self._become("Failed", cause.reason, str(cause))
                return
            except (FencedError, TransientError) as error:
                isYielding = self._isOwner and isinstance(error, FencedError)
                self._wait_after(error, YIELD_SECONDS if isYielding else self._next_pause())
            except Exception as error:
                # Nothing is known about the cause, so the safe way back is the whole start-up order.
                self._log.exception("unexpected error")
                self._wait_after(BridgeError("UnexpectedError", f"{type(error).__name__}: {error}"), RETRY_MAX_SECONDS)

    def _wait_after(self, error: BridgeError, seconds: float) -> None:
        if not self._stopping.is_set():
            self._become("Waiting", error.reason, str(error))
            self._stopping.wait(seconds)

    def _next_pause(self) -> float:
        """Doubles from one failed start to the next."""
        pause, self._pause = self._pause, min(self._pause * 2, RETRY_MAX_SECONDS)
        return pause

    def _start_and_copy(self) -> None:
        try:
            self._start_up()
            self._pause = RETRY_FIRST_SECONDS
            self._copy()
        finally:
            self._let_go()

    def _start_up(self) -> None:
        self._become("Starting")
        self._reassign.clear()
        if self._isOwner:
            # Before the first call that would disturb a successor.
            seen = self._parts.glance(self._beat)
            # Markers come late: what this lane has stored itself need not be visible yet.
            if seen.end > self._settledEnd:
                self._require_ownership(seen)
        self._producer = self._parts.makeProducer(self._beat)
        self._producer.init_transactions()
        self._copier = self._parts.makeCopier(self._producer)
        self._tell_refused()
        self._resume()
        self._become("Copying")

    def _resume(self) -> None:
        """Go on from what is stored; whatever is new is stored, and so agreed on, before its first record."""
        parts = self._parts
        topicIds = parts.partitions()
        abort_what_hangs(parts, self._the_producer(), self._beat)
        memory = parts.readMemory(self._beat)
        self._require_ownership(memory)
        self._settledEnd = memory.end
        resume = plan_resume(memory, topicIds, parts.identity, parts.startFrom, parts.rewinds)
        offsets = parts.resolveOffsets(resume.asked) if resume.asked else {}
        begun = {partition: Position(offset, topicIds[partition]) for partition, offset in offsets.items()}
        self._ledger.start_from({**resume.known, **begun})
        if begun or resume.record is not None:
            self.ensure_open()
            self._ledger.begin_at(offsets)
            if resume.record is not None:
                self._store(encode_lane_key(parts.identity.lane), encode_lane_record(resume.record))
            self._commit()
        self._isOwner = True
        self._the_copier().assign(
            {partition: Progress(one.offset, one.leaderEpoch) for partition, one in self._ledger.stored.items()}
        )
        for (topic, partition), offset in sorted(offsets.items()):
            self._log.info("{}-{} begins at offset {}", topic, partition, offset)
        self._log.info("copying {} partitions", len(topicIds))

    def _require_ownership(self, memory: LaneMemory) -> None:
        """TakenOverError where another process has become the owner after this one; TerminalError PositionsLost."""
        if not self._isOwner:
            return
        if memory.record is None:
            raise TerminalError(
                "PositionsLost", f"{self._parts.positionsTopic} no longer has what this lane had stored there"
            )
        if memory.record.owner != self._parts.identity.owner:
            raise TakenOverError("another process has taken the lane over")

    def _copy(self) -> None:
        committedAtAbort = -1
        while not self._reassign.is_set():
            self._beat()
            if self._stopping.is_set():
                self._commit()
                return
            try:
                limit = min(self._search.limit, self._ledger.room())
                step = self._the_copier().step(self, self._pace(), limit)
                self._ledger.take(step)
                if self._is_due() or step.failure is not None:
                    self._commit()
                self._look_around()
            except AbortNeeded as error:
                if isinstance(error, RecordRefused):
                    self._search.narrow(error, self._ledger.open)
                    self._tell_refused()
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
        if self._ledger.open is None:
            self._the_producer().begin()
            self._ledger.begin(self._parts.clock())
            self._transactions += 1
            self._log = logger.bind(lane=self._parts.identity.lane, transaction=self._transactions)

    def _tell_refused(self) -> None:
        """A copier has to be told what was found out, by a former one too."""
        for (partition, offset), why in self._search.found.items():
            self._the_copier().refuse(partition, offset, why)

    def _look_around(self) -> None:
        """Now and then: hear what the producer has to say, and remember the ends for those who ask for the lag."""
        now = self._parts.clock()
        if now - self._lookedAt < IDLE_SECONDS:
            return
        self._lookedAt = now
        self._the_producer().serve()
        toldAt, told = self._told
        told = told if now - toldAt < TOLD_SECONDS else {}
        ends = {place: end for place, end in told.items() if place in self._ledger.stored}
        for place in self._ledger.stored:
            seen = self._the_copier().end_offset(place)
            if seen is not None:
                ends[place] = max(seen, ends.get(place, seen))
        self._ledger.see_ends(ends)
        stalled = self._stalls.stalled(self._ledger.reached(), told, now)
        if stalled:
            topic, partition = stalled[0]
            raise TransientError("SourceStalled", f"nothing more of {topic}-{partition} arrives, and there is more")

    def _is_due(self) -> bool:
        opened = self._ledger.open
        if opened is not None and opened.records and self._search.isUnderWay:
            return True
        return self._ledger.is_due(self._parts.clock())

    def _pace(self) -> float:
        """How long the next step may wait for its first record.

        A lane that has caught up and has a transaction open takes what comes until its commit in one step, then:
        one for every few records would keep a core busy with a trickle.
        """
        untilDue = self._ledger.seconds_until_due(self._parts.clock())
        if untilDue is None:
            return IDLE_SECONDS
        if self._ledger.hasCaughtUp:
            self._stopping.wait(untilDue)
            return 0.0
        return min(untilDue, IDLE_SECONDS)

    def _store(self, key: bytes, value: bytes) -> None:
        """Into the lane's own partition of the positions topic."""
        self._the_producer().send(self._parts.positionsTopic, self._parts.identity.lane, key, value)

    def _commit(self) -> None:
        """Commit the open transaction together with the positions that it makes true; nothing where none is open."""
        done = self._ledger.open
        if done is None:
            return
        began = self._parts.clock()
        positions = self._ledger.due_positions()
        runs = self._send_runs() if self._parts.offsetsTopic is not None and done.records else {}
        for (topic, number), position in positions.items():
            self._store(encode_key(self._parts.sourceClusterId, topic, number), encode_value(position))
        self._the_producer().commit()
        if self._parts.clock() - done.since > LONG_SECONDS:
            expect_markers(self._parts, self._beat)
        # Before the positions: whoever sees that an offset is copied must find where.
        for partition, carried in runs.items():
            self._parts.noteRuns(partition, carried)
        self._ledger.commit(positions, began, self._parts.clock(), datetime.now(UTC))
        self._search.note_commit()
        self._count(records=done.records, bytes=done.bytes, deadLetters=done.deadLetters, transactionsCommitted=1)
        self._log.debug("committed {} records", done.records)
        self._parts.observeLatency(tuple(done.timestamps), self._parts.wallClock())

    def _send_runs(self) -> dict[Partition, list[tuple[int, int, int]]]:
        """Write down where the open transaction's records stand at the target; known once they are delivered."""
        producer = self._the_producer()
        producer.flush()
        carried = {}
        for partition, runs in self._the_copier().take_runs().items():
            # Without an offset the delivery has failed, and so will the commit.
            carried[partition] = [(run.source, run.target, run.count) for run in runs if run.target is not None]
            producer.send(
                self._parts.offsetsTopic or "",
                self._parts.identity.lane,
                encode_key(self._parts.sourceClusterId, *partition),
                encode_runs(carried[partition]),
            )
        return carried

    def _abort(self) -> None:
        self._ledger.lose()
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
        stored = self._ledger.stored
        try:
            current = self._parts.askTopicIds({topic for topic, _ in stored})
            plan_resume(
                LaneMemory(stored),
                {place: current[place[0]] for place in stored if place[0] in current},
                self._parts.identity,
                self._parts.startFrom,
                (),
            )
        except BridgeError as cause:
            return cause if isinstance(cause, TerminalError) else error
        return error

    def _let_go(self) -> None:
        """Close what is open. An unfinished transaction is settled by the next init_transactions."""
        if self._ledger.lose() is not None:
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
        if self._state == "Copying":
            self._lastCopying = datetime.now(UTC)
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
