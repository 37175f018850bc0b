"""The engine proxy lets the operator's calls through and no others, however they are written."""

from __future__ import annotations

import subprocess
import time

import pytest

from support.stack import Stack, wait_until

ALLOWED = [
    ("GET", "/_ping"),
    ("HEAD", "/_ping"),
    ("GET", "/version"),
    ("GET", "/v1.45/version"),
    ("GET", "/containers/json?all=1&filters=%7B%7D"),
    ("GET", "/v1.45/containers/json"),
    ("GET", "/networks"),
    ("GET", "/networks/bridge"),
    ("GET", "/volumes"),
    ("GET", "/images/debian:trixie-slim/json"),
    ("GET", "/events?since=0&until=1"),
]

# The engine knows nothing of that name: the call went through where it is the engine that says so.
REACHES_THE_ENGINE = [
    ("GET", "/containers/nothing-of-that-name/json"),
    ("GET", "/containers/nothing-of-that-name/logs?stdout=1"),
    ("GET", "/volumes/nothing-of-that-name"),
    ("GET", "/images/no.registry:5000/nothing/of-that-name:1/json"),
    ("POST", "/containers/nothing-of-that-name/start"),
    ("POST", "/containers/nothing-of-that-name/stop?t=15"),
    ("POST", "/containers/nothing-of-that-name/restart?t=15"),
    ("POST", "/containers/nothing-of-that-name/kill"),
    ("POST", "/containers/nothing-of-that-name/unpause"),
    ("POST", "/containers/nothing-of-that-name/rename?name=other"),
    ("DELETE", "/containers/nothing-of-that-name?force=1&v=1"),
]

REFUSED = [
    # What would hand over the host, or other people's containers.
    ("POST", "/containers/x/exec"),
    ("POST", "/exec/x/start"),
    ("POST", "/containers/x/attach"),
    ("GET", "/containers/x/attach/ws"),
    ("GET", "/containers/x/archive?path=/etc"),
    ("PUT", "/containers/x/archive?path=/etc"),
    ("GET", "/containers/x/export"),
    ("POST", "/containers/x/pause"),
    ("POST", "/commit?container=x"),
    ("POST", "/build"),
    ("POST", "/session"),
    ("POST", "/images/create?fromImage=x"),
    ("POST", "/images/load"),
    ("DELETE", "/images/x"),
    ("GET", "/images/json"),
    ("POST", "/volumes/create"),
    ("DELETE", "/volumes/x"),
    ("POST", "/networks/create"),
    ("DELETE", "/networks/x"),
    ("POST", "/containers/prune"),
    ("POST", "/swarm/init"),
    ("GET", "/secrets"),
    ("GET", "/info"),
    ("POST", "/plugins/pull"),
    ("GET", "/"),
    # A method that the call is not allowed with.
    ("DELETE", "/networks"),
    ("POST", "/containers/x/json"),
    ("GET", "/containers/x/start"),
    ("get", "/version"),
    # Ways of writing a path that one reader takes for another path than the next.
    ("GET", "/containers/../images/json"),
    ("GET", "/containers/./json"),
    ("GET", "//containers/json"),
    ("GET", "/containers/%2e%2e/images/json"),
    ("GET", "/containers/x%2f..%2f../json"),
    ("POST", "/containers/x%2Fexec/start"),
    ("POST", "/containers/x/start/../exec"),
    ("POST", "/containers/x/start%3f/../exec"),
    ("POST", "/v1.45/../build/containers/create"),
    ("GET", "/images/../containers/x/archive/json"),
    ("GET", "/v1.45x/version"),
    ("GET", "/versions"),
    ("DELETE", "/containers/x/y"),
]


@pytest.fixture(scope="module", name="proxy")
def running_proxy(stack: Stack) -> str:
    """The id of an engine proxy's container, from the stack's own definition."""
    stack.compose("build", "engine-proxy", timeoutSeconds=250)
    stack.compose("up", "--detach", "--wait", "--no-deps", "engine-proxy")
    return stack.container("engine-proxy")


def ask(stack: Stack, proxy: str, method: str, path: str) -> tuple[int, str]:
    """The status code and the body that the proxy answers with."""
    command = ["exec", proxy, "curl", "--silent", "--max-time", "10", "--path-as-is"]
    command += ["--unix-socket", "/run/engine/docker.sock", "--write-out", "\n%{http_code}"]
    command += ["--head"] if method == "HEAD" else ["--request", method]
    body, _, code = stack.docker(*command, f"http://docker{path}").rpartition("\n")
    return int(code), body


@pytest.mark.parametrize(("method", "path"), ALLOWED)
def test_passes_what_the_operator_calls(stack: Stack, proxy: str, method: str, path: str) -> None:
    assert ask(stack, proxy, method, path)[0] == 200


@pytest.mark.parametrize(("method", "path"), REACHES_THE_ENGINE)
def test_passes_the_engines_own_refusal(stack: Stack, proxy: str, method: str, path: str) -> None:
    code, body = ask(stack, proxy, method, path)

    assert code == 404
    assert "no such" in body.lower()


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_refuses_everything_else(stack: Stack, proxy: str, method: str, path: str) -> None:
    code, body = ask(stack, proxy, method, path)

    # A path that climbs above its root, and a method in lower case, are no HTTP for nginx.
    assert code in (400, 403, 405)
    assert code != 403 or "the engine proxy does not let this call through" in body


@pytest.mark.parametrize("path", ["/containers/create?name=x", "/containers/nothing-of-that-name/update"])
def test_what_needs_a_body_reaches_the_engine(stack: Stack, proxy: str, path: str) -> None:
    code, body = ask(stack, proxy, "POST", path)

    assert code in (400, 404)
    assert "engine proxy" not in body


def test_events_arrive_when_they_happen_and_not_when_the_stream_ends(stack: Stack, proxy: str) -> None:
    until = int(time.time()) + 30
    command = ["docker", "exec", proxy, "curl", "--silent", "--no-buffer", "--unix-socket", "/run/engine/docker.sock"]
    url = f"http://docker/events?since={int(time.time())}&until={until}"
    with subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True) as listening:
        try:
            stack.docker("network", "create", stack.network("announced"))
            stack.docker("network", "rm", stack.network("announced"))
            assert listening.stdout is not None
            line = next(line for line in listening.stdout if stack.network("announced") in line)
        finally:
            listening.kill()

    assert '"Action":"create"' in line
    assert time.time() < until - 5


def test_comes_back_over_a_socket_file_that_was_left(stack: Stack, proxy: str) -> None:
    stack.docker("kill", proxy)
    stack.docker("start", proxy)

    wait_until(
        "the proxy answers again",
        lambda: (
            stack.docker("exec", proxy, "curl", "-sf", "--unix-socket", "/run/engine/docker.sock", "http://docker/_ping",
                         wanted=None) == "OK"
        ),
        30,
    )  # fmt: skip


def test_runs_without_root_and_without_a_network(stack: Stack, proxy: str) -> None:
    facts = stack.docker(
        "inspect", "--format", "{{.Config.User}} {{.HostConfig.NetworkMode}} {{.HostConfig.ReadonlyRootfs}}", proxy
    )

    assert facts == "10001:10001 none true"
