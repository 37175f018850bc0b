"""librdkafka's errors by what is to be done about them: flags decide, and codes only where they name a fault."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from kafka_bridge.errors import (
    AbortNeeded,
    BridgeError,
    FencedError,
    InvalidRecord,
    RecordRefused,
    TerminalError,
    TransientError,
)
from kafka_bridge.kafka import classify


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (KafkaError(KafkaError._TIMED_OUT, retriable=True), TransientError, "TimedOut"),
        (KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS), TransientError, "CoordinatorLoadInProgress"),
        (KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True), AbortNeeded, "TimedOut"),
        (KafkaError(KafkaError._TIMED_OUT, retriable=True, txn_requires_abort=True), AbortNeeded, "TimedOut"),
        (KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, fatal=True), TransientError, "OutOfOrderSequenceNumber"),
        (KafkaError(KafkaError._TIMED_OUT, fatal=True, txn_requires_abort=True), TransientError, "TimedOut"),
        (KafkaError(KafkaError._STATE), TransientError, "State"),
        (KafkaError(KafkaError._FENCED, fatal=True), FencedError, "Fenced"),
        (KafkaError(KafkaError.PRODUCER_FENCED, txn_requires_abort=True), FencedError, "Fenced"),
        (KafkaError(KafkaError.INVALID_PRODUCER_EPOCH), FencedError, "Fenced"),
        (KafkaError(KafkaError.OFFSET_OUT_OF_RANGE), TerminalError, "SourceOffsetOutOfRange"),
        (KafkaError(KafkaError._AUTO_OFFSET_RESET), TerminalError, "SourceOffsetOutOfRange"),
        (KafkaError(KafkaError._LOG_TRUNCATION), TerminalError, "SourceTruncated"),
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True), RecordRefused, "MsgSizeTooLarge"),
        (KafkaError(KafkaError.INVALID_RECORD, txn_requires_abort=True), RecordRefused, "InvalidRecord"),
    ],
    ids=lambda value: value.name() if isinstance(value, KafkaError) else "",
)
def test_the_class_of_an_error(error: KafkaError, kind: type[BridgeError], reason: str) -> None:
    classified = classify(error, "commit_transaction")
    assert type(classified) is kind
    assert classified.reason == reason


def test_the_sentence_says_what_was_done_and_what_came_of_it() -> None:
    classified = classify(KafkaError(KafkaError._TIMED_OUT, "no answer from broker 1"), "commit_transaction")
    assert str(classified) == "commit_transaction: no answer from broker 1"


def test_an_invalid_record_is_terminal_and_named() -> None:
    error = InvalidRecord("value of orders-3 at offset 17: empty")
    assert isinstance(error, TerminalError)
    assert not isinstance(error, TransientError)
    assert (error.reason, str(error)) == ("InvalidRecord", "value of orders-3 at offset 17: empty")


def test_an_abort_is_also_mended_by_starting_over() -> None:
    assert issubclass(AbortNeeded, TransientError)
    assert not issubclass(FencedError, TransientError)
