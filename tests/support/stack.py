"""An instance of the stack made by a test: its own Compose project, beside whatever a user has up, gone afterwards."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

PROJECT_ROOT = Path(__file__).resolve().parents[2]
Value = TypeVar("Value")


def wait_until(what: str, probe: Callable[[], Value | None], timeoutSeconds: float, everySeconds: float = 0.5) -> Value:
    """Call `probe` until it gives something true and return that; fail with `what` and the last answer otherwise."""
    deadline = time.monotonic() + timeoutSeconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeoutSeconds:.0f} s still not: {what} (last answer: {value!r})")
        time.sleep(everySeconds)


def free_port() -> str:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class CommandFailed(AssertionError):
    """A command ended with another exit code than was wanted; the message holds its output."""


def run(
    *command: str, env: dict[str, str] | None = None, timeoutSeconds: float = 300, wanted: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command from the project's root, capture its output, and check its exit code (`wanted` None: any)."""
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=env, capture_output=True, text=True, timeout=timeoutSeconds, check=False
    )
    if wanted is not None and done.returncode != wanted:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise CommandFailed(f"{' '.join(command)} ended with {done.returncode}, wanted {wanted}:\n{tail}")
    return done


class Stack:
    """One instance, driven through the same scripts that a user has."""

    def __init__(self, instance: str, settings: dict[str, str] | None = None) -> None:
        self.instance = instance
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPERATOR_", "COMPOSE_"))
        }
        # Ports and a password of its own, so that no file of the user is written; and no UI, which few tests look at.
        own = {
            "COMPOSE_PROJECT_NAME": instance,
            "PROXY_PORT": free_port(),
            "PROXY_HTTP_PORT": free_port(),
            "PROXY_PASSWORD": secrets.token_urlsafe(18),
            "KAFKA_UI": "none",
        }
        self.env = inherited | own | (settings or {})

    def script(
        self, name: str, *arguments: str, timeoutSeconds: float = 300, wanted: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run stack/<name> on this instance."""
        return run(
            str(PROJECT_ROOT / "stack" / name), *arguments, env=self.env, timeoutSeconds=timeoutSeconds, wanted=wanted
        )

    def compose(
        self, *arguments: str, timeoutSeconds: float = 300, wanted: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        return self.script("compose", *arguments, timeoutSeconds=timeoutSeconds, wanted=wanted)

    def docker(self, *arguments: str, wanted: int | None = 0, timeoutSeconds: float = 120) -> str:
        return run("docker", *arguments, wanted=wanted, timeoutSeconds=timeoutSeconds).stdout.strip()

    def engine_url(self) -> str:
        """Where the engine listens that the command docker speaks to."""
        return self.docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")

    def container(self, service: str) -> str:
        """The container id of a Compose service."""
        return self.compose("ps", "--all", "--quiet", service).stdout.strip()

    def network(self, name: str) -> str:
        return f"{self.instance}_{name}"

    def make_network(self, name: str) -> None:
        """As Compose makes it, of the name that manifests use."""
        self.docker("network", "create", *self._labels("network", name), self.network(name))

    def make_volume(self, name: str) -> None:
        """As Compose makes it, of the name that manifests use."""
        self.docker("volume", "create", *self._labels("volume", name), f"{self.instance}_{name}")

    def _labels(self, kind: str, name: str) -> list[str]:
        return [f"--label=com.docker.compose.project={self.instance}", f"--label=com.docker.compose.{kind}={name}"]

    def service(self, name: str) -> str:
        """The container name of a Compose service."""
        return f"{self.instance}-{name}-1"

    def facts(self, container: str) -> dict[str, Any]:
        """What `docker inspect` tells of a container."""
        inspected: list[dict[str, Any]] = json.loads(self.docker("inspect", "--type", "container", container))
        return inspected[0]

    def running_containers(self) -> dict[str, str]:
        """All running containers of the instance, bridges among them, by name: id and start."""
        ids = {
            one
            for label in ("com.docker.compose.project", "bridge.kafka/instance")
            for one in self.docker("ps", "--quiet", "--filter", f"label={label}={self.instance}").split()
        }
        form = "{{.Name}}={{.Id}} {{.State.StartedAt}}"
        lines = self.docker("inspect", "--format", form, *sorted(ids)).splitlines() if ids else []
        return dict(line.lstrip("/").split("=", 1) for line in lines)

    def status(self) -> dict[str, Any]:
        """What `bridgectl status` says, as data."""
        answer: dict[str, Any] = json.loads(self.script("bridgectl", "status", "-o", "json", timeoutSeconds=60).stdout)
        return answer

    def operator_report(self) -> dict[str, Any]:
        """What the operator itself says on the management network; {} while it does not answer. Costs a hundredth of
        what `bridgectl status` does, which starts a process in a container.
        """
        found = json.loads(self.docker("inspect", self.service("operator"), wanted=None) or "[]")
        networks = found[0]["NetworkSettings"]["Networks"] if found else {}
        address = networks.get(self.network("network2"), {}).get("IPAddress")
        try:
            with urllib.request.urlopen(f"http://{address}:8080/status", timeout=5) as answer:
                return dict(json.load(answer))
        except (OSError, ValueError):
            return {}

    def report(self, bridge: str) -> dict[str, Any]:
        """What the operator says of one bridge; {} where it knows none of that name."""
        return next((dict(one) for one in self.operator_report().get("bridges", ()) if one["name"] == bridge), {})

    def bridges(self) -> dict[str, dict[str, Any]]:
        """The bridge containers of this instance by name, each as `docker inspect` tells it."""
        found = self.docker(
            "ps", "--all", "--quiet", "--filter", f"label=bridge.kafka/instance={self.instance}"
        ).split()
        if not found:
            return {}
        inspected = json.loads(self.docker("inspect", *found, wanted=None) or "[]")
        return {one["Name"].lstrip("/"): one for one in inspected}

    def last_words(self, bridge: str) -> str:
        """What the operator and a bridge say of themselves, and did last: for a test that has failed."""
        said = [self.script("bridgectl", "describe", bridge, wanted=None)]
        for name in (*self.bridges(), self.service("operator")):
            form = f"{name}: {{{{json .State}}}}"
            said.append(run("docker", "inspect", "--format", form, name, wanted=None))
            said.append(run("docker", "logs", "--tail", "60", name, wanted=None))
        return "\n".join(done.stdout + done.stderr for done in said)


@contextmanager
def kept_clean(stack: Stack) -> Iterator[Stack]:
    """Whatever happens inside, nothing of the instance is left: containers, networks, volumes, images."""
    try:
        yield stack
    finally:
        stack.script("down", "--volumes", "--images", wanted=None)
