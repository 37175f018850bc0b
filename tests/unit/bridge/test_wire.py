"""One request, one answer; and whatever else comes from a broker is an error that names it."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kio.schema.errors import ErrorCode
from kio.schema.list_transactions.v0 import ListTransactionsRequest
from kio.schema.list_transactions.v0.response import ListTransactionsResponse, TransactionState
from kio.schema.request_header.v2 import RequestHeader
from kio.schema.response_header.v1 import ResponseHeader
from kio.serial import entity_reader, entity_writer

from kafka_bridge.config import ClusterConfig
from kafka_bridge.errors import TransientError
from kafka_bridge.wire import Address, Brokers, reason_of

BROKER = ("broker", 9093)
Answer = Callable[[int], bytes]


class LocalBrokers(Brokers):
    """Connected to threads of this process; each connection takes the next of `answers`."""

    def __init__(self, *answers: Answer, servers: str = "broker:9093") -> None:
        super().__init__(cast(ClusterConfig, SimpleNamespace(bootstrapServers=servers)), "me")
        self.answers = list(answers)
        self.headers: list[RequestHeader] = []
        self.connected: list[Address] = []

    def _connect(self, address: Address) -> Any:
        self.connected.append(address)
        if address[0] == "away":
            raise ConnectionRefusedError("connection refused")
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._serve, args=(theirs, self.answers.pop(0)), daemon=True).start()
        self._connections[address] = cast(Any, ours)
        return ours

    def _serve(self, connection: socket.socket, answer: Answer) -> None:
        with connection:
            while size := connection.recv(4, socket.MSG_WAITALL):
                request = connection.recv(struct.unpack(">i", size)[0], socket.MSG_WAITALL)
                header = entity_reader(RequestHeader)(request, 0)[0]
                self.headers.append(header)
                said = answer(header.correlation_id)
                if not said:
                    return
                connection.sendall(said)


def framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def listing(correlationId: Any) -> bytes:
    """The answer to ListTransactions: one is under way."""
    fields: dict[str, Any] = {"transactional_id": "plant", "producer_id": 7, "transaction_state": "Ongoing"}
    none: Any = 0
    body = io.BytesIO()
    entity_writer(ResponseHeader)(body, ResponseHeader(correlation_id=correlationId))
    entity_writer(ListTransactionsResponse)(
        body,
        ListTransactionsResponse(
            throttle_time=cast(Any, timedelta(0)),
            error_code=ErrorCode(none),
            transaction_states=(TransactionState(**fields),),
        ),
    )
    return framed(body.getvalue())


def test_an_answer_is_read_and_the_connection_used_again() -> None:
    with LocalBrokers(listing) as brokers:
        for _ in range(2):
            [one] = brokers.ask(BROKER, ListTransactionsRequest()).transaction_states
            assert (one.transactional_id, one.producer_id, one.transaction_state) == ("plant", 7, "Ongoing")
        assert brokers.connected == [BROKER]
    first, second = brokers.headers
    assert (first.request_api_key, first.request_api_version, first.client_id) == (66, 0, "me")
    assert first.correlation_id != second.correlation_id


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda number: b"", "has closed the connection"),
        (lambda number: listing(number + 1), "the answer to request 2, expected that to 1"),
        (lambda number: struct.pack(">i", -1), "an answer of -1 bytes"),
        (lambda number: struct.pack(">i", 1 << 30), "an answer of 1073741824 bytes"),
        (lambda number: framed(bytes(7)), "ListTransactionsRequest to broker:9093"),
    ],
)
def test_what_is_no_answer_is_an_error_and_the_next_question_goes_over_a_new_connection(
    answer: Answer, said: str
) -> None:
    with LocalBrokers(answer, listing) as brokers:
        with pytest.raises(TransientError, match=said) as failure:
            brokers.ask(BROKER, ListTransactionsRequest())
        assert failure.value.reason == "Transport"
        assert len(brokers.ask(BROKER, ListTransactionsRequest()).transaction_states) == 1


def test_any_of_the_bootstrap_servers_will_do() -> None:
    with LocalBrokers(listing, servers="away:9093, broker:9093") as brokers:
        assert len(brokers.ask_any(ListTransactionsRequest()).transaction_states) == 1
        assert brokers.connected == [("away", 9093), BROKER]


def test_where_no_server_answers_the_last_one_is_named() -> None:
    with LocalBrokers(servers="away:9092,away:9093") as brokers, pytest.raises(TransientError, match="away:9093"):
        brokers.ask_any(ListTransactionsRequest())


def test_errors_of_brokers_are_spelled_as_librdkafka_s_are() -> None:
    assert reason_of(ErrorCode.not_coordinator) == "NotCoordinator"
