"""A way to the engine that a test can shut: a socket of its own that is passed on to the engine's."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from pathlib import Path

_REQUEST = re.compile(rb"[A-Z]+ /[^ ]*")


class EngineDoor:
    """`shut` breaks what is under way and refuses what comes, as an engine does that has ended."""

    def __init__(self, engineSocket: str, door: Path) -> None:
        self._engine = engineSocket
        self._door = door
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.requests: list[str] = []
        """The first lines of those that came, as far as each came in one piece."""

    @property
    def url(self) -> str:
        return f"unix://{self._door}"

    def open(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._door))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._connections = self._connections, set()
        if listener is not None:
            self._door.unlink()
            _end(listener)
        for connection in connections:
            _end(connection)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                try:
                    engine.connect(self._engine)
                except OSError:
                    # It has ended; there may be another one later.
                    caller.close()
                    continue
                with self._lock:
                    self._connections |= {caller, engine}
                for source, sink in ((caller, engine), (engine, caller)):
                    isCaller = source is caller
                    threading.Thread(target=self._pass_on, args=(source, sink, isCaller), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, isCaller: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if isCaller and (request := _REQUEST.match(data)):
                    self.requests.append(request[0].decode())
                sink.sendall(data)
        _end(sink)
        with self._lock:
            self._connections -= {source, sink}


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
