"""librdkafka's errors as the bridge's own, and what is repeated because of them.

Flags decide, not codes: fatal and unflagged errors want a new producer, some want an abort, retriable ones the same
call again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from loguru import logger

from kafka_bridge.errors import AbortNeeded, BridgeError, FencedError, RecordRefused, TerminalError, TransientError
from kafka_bridge.kafka.types import Heartbeat
from kafka_bridge.resume import WAYS_OUT

Value = TypeVar("Value")

# One wait inside a longer bounded call: short enough that the caller's heartbeat goes on.
SLICE_SECONDS = 2.0
# A transactional call that has not succeeded after so long wants a new producer.
CALL_BOUND_SECONDS = 60.0

# A source that answers like this has lost the offset: deleted by retention, or never reached.
OFFSET_LOST = {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET}
# It has the offset, and another history before it: an election lost records that have been copied.
TRUNCATED = {KafkaError._LOG_TRUNCATION}
# The target refuses the record itself, and will refuse it again.
_RECORD_REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}


def error_of(failure: KafkaException) -> KafkaError:
    first = failure.args[0] if failure.args else None
    return first if isinstance(first, KafkaError) else KafkaError(KafkaError._FAIL, str(failure))


def reason_of(error: KafkaError) -> str:
    """librdkafka's name of the error in CamelCase: _TIMED_OUT is TimedOut."""
    return "".join(word.capitalize() for word in error.name().split("_"))


def classify(error: KafkaError, doing: str) -> BridgeError:
    """The error that says what is to be done; `doing` begins the sentence."""
    message = f"{doing}: {error.str()}"
    if error.code() in _FENCED:
        return FencedError("Fenced", message)
    if error.code() in OFFSET_LOST:
        return TerminalError("SourceOffsetOutOfRange", f"{message}: {WAYS_OUT}")
    if error.code() in TRUNCATED:
        return TerminalError("SourceTruncated", f"{message}: {WAYS_OUT}")
    if error.code() in _RECORD_REFUSED:
        return RecordRefused(reason_of(error), message)
    if error.txn_requires_abort() and not error.fatal():
        return AbortNeeded(reason_of(error), message)
    return TransientError(reason_of(error), message)


def bounded(call: Callable[[float], Value], doing: str, heartbeat: Heartbeat) -> Value:
    """Repeat a resumable call while its error is retriable, CALL_BOUND_SECONDS at most."""
    deadline = time.monotonic() + CALL_BOUND_SECONDS
    while True:
        heartbeat()
        try:
            return call(SLICE_SECONDS)
        except KafkaException as failure:
            error = error_of(failure)
            if not error.retriable() or error.fatal() or time.monotonic() > deadline:
                raise classify(error, doing) from failure
            if error.code() != KafkaError._TIMED_OUT:
                time.sleep(0.1)


class ErrorLog:
    """librdkafka repeats itself while a broker is away: each sentence is logged once in a while."""

    EVERY_SECONDS = 30.0

    def __init__(self, who: str) -> None:
        self._who = who
        self._lastLogged: dict[str, float] = {}

    def __call__(self, error: KafkaError) -> None:
        now = time.monotonic()
        # Ports and timings differ from line to line; what comes before them is the same.
        subject = error.str().split(" (after")[0]
        if now - self._lastLogged.get(subject, -self.EVERY_SECONDS) < self.EVERY_SECONDS:
            return
        if len(self._lastLogged) > 100:
            self._lastLogged.clear()
        self._lastLogged[subject] = now
        logger.debug("{}: {}", self._who, error.str())
