"""The one published door: TLS, a login, strict headers, and what is behind it may come and go."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.door import Door
from support.stack import Stack, run, wait_until

WRONG = ("admin", "not the password")
OLD = {ssl.TLSVersion.TLSv1_1}
NEW = {ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3}


def handshake(door: Door, version: ssl.TLSVersion, host: str = "127.0.0.1") -> str | None:
    """The version that was agreed on, where this one alone was offered; the server's refusal is raised."""
    context = door.tls()
    # By itself, today's OpenSSL would not even offer the old ones.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    for bound in ("minimum_version", "maximum_version"):
        setattr(context, bound, version)
    with (
        socket.create_connection(("127.0.0.1", door.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return wrapped.version()


@contextlib.contextmanager
def terminal(door: Door, side: str) -> Iterator[ssl.SSLSocket]:
    status, headers, connection = door.open_socket(
        f"/ui/{side}/ws?width=100&height=30", f"https://127.0.0.1:{door.port}", door.login
    )
    with connection:
        assert (status, headers.get("upgrade")) == (101, "websocket")
        yield connection


@pytest.mark.parametrize("version", sorted(NEW), ids=lambda version: version.name)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_its_certificate_is_good_for_loopback(door: Door, version: ssl.TLSVersion, host: str) -> None:
    assert handshake(door, version, host) == version.name.replace("_", ".")


def test_its_certificate_is_good_for_no_other_name(door: Door) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(door, ssl.TLSVersion.TLSv1_3, "operator")


@pytest.mark.parametrize("version", sorted(OLD), ids=lambda version: version.name)
def test_it_refuses_old_tls(door: Door, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        handshake(door, version)


def test_the_login_opens_it(door: Door) -> None:
    answer = door.get("/status")

    assert answer.status_code == 200
    assert [one["name"] for one in answer.json()["bridges"]] == ["orders"]


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/ui/", "/ui/source/", "/ui/target/"])
def test_nothing_is_open_without_a_login(door: Door, path: str) -> None:
    answer = door.ask(path, None)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert "Login required" in answer.text


@pytest.mark.parametrize("login", [WRONG, ("root", "x"), ("", "")], ids=["password", "user", "both"])
def test_a_wrong_login_is_refused(door: Door, login: tuple[str, str]) -> None:
    assert door.ask("/status", login).status_code == 401


def test_guesses_are_bounded(door: Door) -> None:
    with httpx.Client(verify=door.tls(), auth=WRONG, timeout=30) as client, ThreadPoolExecutor(16) as guessers:
        codes = Counter(guessers.map(lambda _: client.get(door.url("/status")).status_code, range(300)))

    assert codes[401] > 0
    assert codes[429] > 0
    assert codes.total() == codes[401] + codes[429]
    wait_until("the user is let in again", lambda: door.get("/status").status_code == 200, 10)


def test_plain_http_is_only_a_pointer(door: Door) -> None:
    answer = httpx.get(f"http://localhost:{door.httpPort}/status?deep=1", auth=door.login, timeout=15)

    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://localhost:{door.port}/status?deep=1"


@pytest.mark.parametrize("path", ["/status", "/ui/", "/ui/source/", "/ui/source/static/js/textual.js", "/ui/no-such"])
def test_every_answer_carries_the_headers(door: Door, path: str) -> None:
    headers = door.get(path).headers

    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Server"] == "nginx", "the version is nobody's business"


def test_the_console_may_load_nothing_but_its_own(door: Door) -> None:
    policy = door.get("/status").headers["Content-Security-Policy"].split("; ")

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in " ".join(policy)


def test_the_ui_runs_scripts_of_its_own_files_alone(door: Door) -> None:
    policy = door.get("/ui/source/").headers["Content-Security-Policy"].split("; ")

    assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'"} <= set(policy)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/status", "/ui/source/"])
def test_nothing_can_be_written_through_it(door: Door, path: str, method: str) -> None:
    assert door.ask(path, door.login, method).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_ui_names_no_address_of_its_own(door: Door, host: str) -> None:
    """So it works under any name and behind any prefix."""
    page = door.get("/ui/target/", host).text

    assert 'src="static/js/textual.js"' in page
    assert "://" not in page


def test_a_websocket_goes_through(door: Door) -> None:
    with terminal(door, "source") as connection:
        assert connection.recv(1)[0] & 0x80, "no WebSocket frame came from the terminal"


@pytest.mark.parametrize(
    ("origin", "hasLogin", "status"), [("https://evil.example", True, 403), ("", True, 403), (None, False, 401)]
)
def test_a_websocket_of_a_stranger_does_not(door: Door, origin: str | None, hasLogin: bool, status: int) -> None:
    own = f"https://127.0.0.1:{door.port}"
    answer, _, connection = door.open_socket(
        "/ui/source/ws", own if origin is None else origin, door.login if hasLogin else None
    )
    connection.close()

    assert answer == status


def test_sessions_are_bounded(stack: Stack, door: Door) -> None:
    with contextlib.ExitStack() as sessions:
        for _ in range(4):
            sessions.enter_context(terminal(door, "target"))
        status, _, connection = door.open_socket("/ui/target/ws", f"https://127.0.0.1:{door.port}", door.login)
        connection.close()
        assert status == 429
        assert door.get("/ui/source/").status_code == 200

    def is_free() -> bool:
        with contextlib.suppress(AssertionError), terminal(door, "target"):
            return True
        return False

    wait_until("a session is free again", is_free, 20)


@pytest.mark.parametrize("ui", ["kaskade", "kafbat", "none"])
def test_every_choice_of_a_ui_makes_a_configuration(stack: Stack, ui: str) -> None:
    settings = {"PUBLIC_PORT": "8443", "UI_SESSIONS": "4", "KAFKA_UI": ui}
    given = [f"--env={name}={value}" for name, value in settings.items()]
    certificate = f"--volume={stack.instance}_tls-proxy:/etc/proxy/tls:ro"
    said = run("docker", "run", "--rm", "--network=none", *given, certificate, f"{stack.instance}-proxy", "-t")

    assert "test is successful" in said.stderr


def test_it_is_published_on_loopback_alone(stack: Stack, door: Door) -> None:
    published = {
        name: [(one["HostIp"], int(one["HostPort"])) for bindings in ports.values() for one in bindings or ()]
        for name in stack.running_containers()
        if any((ports := stack.facts(name)["NetworkSettings"]["Ports"]).values())
    }

    assert {name: sorted(ports) for name, ports in published.items()} == {
        stack.service("proxy"): sorted([("127.0.0.1", door.port), ("127.0.0.1", door.httpPort)])
    }


def test_it_outlives_the_operator(stack: Stack, door: Door) -> None:
    stack.compose("stop", "operator")
    try:
        away = door.get("/status")
        assert away.status_code == 502
        assert "The operator does not answer" in away.text
        assert away.headers["Strict-Transport-Security"]
        assert door.get("/ui/").status_code == 200
    finally:
        stack.compose("start", "operator")
    wait_until("the operator answers through it again", lambda: door.get("/status").status_code == 200, 60)


def test_a_taken_port_is_named(stack: Stack, door: Door) -> None:
    other = Stack(f"{stack.instance}-other", {"PROXY_PORT": str(door.port)})
    said = other.script("up", "--no-build", wanted=1).stderr

    assert f"port {door.port} of 127.0.0.1 is taken by the container {stack.service('proxy')}" in said
    assert "set PROXY_PORT in .env" in said


def test_the_password_is_nowhere_but_with_its_user(stack: Stack, upOutput: tuple[Stack, str], door: Door) -> None:
    door.get("/status")
    user, password = door.login
    image = f"{stack.instance}-proxy"
    seen = [
        json.dumps([stack.facts(name) for name in stack.running_containers()]),
        stack.docker("image", "inspect", image),
        stack.docker("history", "--no-trunc", image),
        stack.compose("logs", "proxy").stdout,
        upOutput[1],
    ]
    kept = stack.docker("exec", stack.service("proxy"), "cat", "/var/lib/proxy/login")

    assert kept.startswith(f"{user}:$6$")
    assert "/status" in seen[3]
    assert [text[:60] for text in [*seen, kept] if password in text] == []
