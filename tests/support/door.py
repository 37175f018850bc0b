"""The proxy of a stack, as a client sees it: where it listens, whom to trust, how to log in."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.stack import Stack

SOCKET_KEY = base64.b64encode(b"0123456789abcdef").decode()


@dataclass(frozen=True)
class Door:
    """`caFile` holds the certificate that `stack/certificates ca` prints."""

    port: int
    httpPort: int
    login: tuple[str, str]
    caFile: Path

    @classmethod
    def of(cls, stack: Stack, folder: Path) -> Door:
        caFile = folder / "ca.pem"
        caFile.write_text(stack.script("certificates", "ca").stdout)
        ports = int(stack.env["PROXY_PORT"]), int(stack.env["PROXY_HTTP_PORT"])
        return cls(*ports, ("admin", stack.env["PROXY_PASSWORD"]), caFile)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"https://{host}:{self.port}{path}"

    def ask(
        self, path: str, login: tuple[str, str] | None, method: str = "GET", host: str = "127.0.0.1"
    ) -> httpx.Response:
        """One request over verified TLS; redirects are not followed."""
        with httpx.Client(verify=self.tls(), auth=login, timeout=15) as client:
            return client.request(method, self.url(path, host))

    def get(self, path: str, host: str = "127.0.0.1") -> httpx.Response:
        """As the user."""
        return self.ask(path, self.login, host=host)

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.caFile))

    def open_socket(
        self, path: str, origin: str, login: tuple[str, str] | None
    ) -> tuple[int, Mapping[str, str], ssl.SSLSocket]:
        """Ask for a WebSocket, as a browser does: status, headers, and the connection, which is the caller's."""
        lines = [
            f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Origin: {origin}", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {SOCKET_KEY}",
        ]  # fmt: skip
        if login:
            lines.append("Authorization: Basic " + base64.b64encode(":".join(login).encode()).decode())
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection = self.tls().wrap_socket(plain, server_hostname="127.0.0.1")
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            # Not a byte more than the head: what follows is the socket's.
            answer += connection.recv(1) or b"\r\n\r\n"
        status, *headers = answer.decode("latin-1").strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in headers if ": " in line)
        return int(status.split()[1]), {name.lower(): value for name, value in pairs}, connection
