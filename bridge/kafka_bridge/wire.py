"""Questions to single brokers that librdkafka cannot ask, in Kafka's own protocol, as kio spells it.

One request at a time on a connection of its own, over mutual TLS with hostname verification as everywhere. Whatever
goes wrong is a TransientError that names the broker.
"""

from __future__ import annotations

import socket
import ssl
import struct
from io import BytesIO
from types import TracebackType
from typing import Any, Self

from kio.index import load_response_from_request
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer
from kio.serial.errors import SerialError
from kio.static.primitive import i16, i32

from kafka_bridge.config import ClusterConfig
from kafka_bridge.errors import TransientError

Address = tuple[str, int]
TIMEOUT_SECONDS = 10.0
# An answer beyond this is none: what is asked here fits many times over.
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024


def reason_of(code: ErrorCode) -> str:
    """A broker's error in CamelCase, as librdkafka's are told: not_coordinator is NotCoordinator."""
    return "".join(word.capitalize() for word in code.name.split("_"))


class Brokers:
    """Connections to the brokers of a cluster, open between `with` and its end."""

    def __init__(self, cluster: ClusterConfig, clientId: str) -> None:
        self._cluster = cluster
        self._clientId = clientId
        self._connections: dict[Address, ssl.SSLSocket] = {}
        self._asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        while self._connections:
            self._connections.popitem()[1].close()

    def ask_any(self, request: Any) -> Any:
        """The answer of the first broker among the bootstrap servers that gives one."""
        failure = TransientError("Transport", "there are no bootstrap servers")
        for server in self._cluster.bootstrapServers.split(","):
            host, _, port = server.strip().rpartition(":")
            try:
                return self.ask((host.strip("[]"), int(port)), request)
            except TransientError as error:
                failure = error
        raise failure

    def ask(self, address: Address, request: Any) -> Any:
        """Send one request, a kio entity, and wait for its answer, another."""
        self._asked += 1
        try:
            connection = self._connections.get(address) or self._connect(address)
            connection.sendall(_encoded(request, self._asked, self._clientId))
            return _decoded(request, _receive(connection), self._asked)
        except (OSError, ValueError, SerialError) as error:
            broken = self._connections.pop(address, None)
            if broken is not None:
                broken.close()
            asked = type(request).__name__
            raise TransientError("Transport", f"{asked} to {address[0]}:{address[1]}: {error}") from error

    def _connect(self, address: Address) -> ssl.SSLSocket:
        tls = self._cluster.tls
        context = ssl.create_default_context(cafile=tls.caFile)
        context.load_cert_chain(tls.certificateFile, tls.keyFile)
        plain = socket.create_connection(address, timeout=TIMEOUT_SECONDS)
        try:
            connection = context.wrap_socket(plain, server_hostname=address[0])
        except BaseException:
            plain.close()
            raise
        self._connections[address] = connection
        return connection


def _encoded(request: Any, correlationId: int, clientId: str) -> bytes:
    kind = type(request)
    header = kind.__header_schema__(
        request_api_key=kind.__api_key__,
        request_api_version=i16(kind.__version__),
        correlation_id=i32(correlationId),
        client_id=clientId,
    )
    body = BytesIO()
    entity_writer(type(header))(body, header)
    entity_writer(kind)(body, request)
    return struct.pack(">i", body.tell()) + body.getvalue()


def _decoded(request: Any, answer: bytes, correlationId: int) -> Any:
    kind = load_response_from_request(type(request))
    header, size = entity_reader(kind.__header_schema__)(answer, 0)
    if header.correlation_id != correlationId:
        raise ValueError(f"the answer to request {header.correlation_id}, expected that to {correlationId}")
    return entity_reader(kind)(answer, size)[0]


def _receive(connection: ssl.SSLSocket) -> bytes:
    (size,) = struct.unpack(">i", _receive_exactly(connection, 4))
    if not 0 < size <= LARGEST_ANSWER_BYTES:
        raise ValueError(f"an answer of {size} bytes")
    return _receive_exactly(connection, size)


def _receive_exactly(connection: ssl.SSLSocket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = connection.recv(min(size - len(received), 1 << 16))
        if not part:
            raise ValueError("the broker has closed the connection")
        received += part
    return bytes(received)
