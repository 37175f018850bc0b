"""Every container of the stack may do little, and no secret stands where somebody could read it in passing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from support.stack import Stack, run

SOCKET = "/var/run/docker.sock"


@pytest.fixture(scope="module", name="containers")
def all_containers(stack: Stack) -> dict[str, dict[str, Any]]:
    """Of Compose and of the operator, one-shots that have ended among them; by name, as `docker inspect` tells."""
    ids = {
        one
        for label in ("com.docker.compose.project", "bridge.kafka/instance")
        for one in stack.docker("ps", "--all", "--quiet", "--filter", f"label={label}={stack.instance}").split()
    }
    found = json.loads(stack.docker("inspect", *sorted(ids)))
    assert len(found) >= 9
    return {one["Name"].lstrip("/"): one for one in found}


@pytest.fixture(scope="module", name="images")
def all_images(stack: Stack) -> list[str]:
    filters = ("--filter", f"label=com.docker.compose.project={stack.instance}")
    found = sorted(set(stack.docker("image", "ls", "--quiet", "--no-trunc", *filters).split()))
    assert len(found) >= 5
    return found


def odd_ones(containers: dict[str, dict[str, Any]], part: str, field: str, isRight: Any) -> dict[str, Any]:
    return {name: one[part].get(field) for name, one in containers.items() if not isRight(one[part].get(field))}


@pytest.mark.parametrize(
    ("part", "field", "isRight"),
    [
        ("Config", "User", lambda user: re.fullmatch(r"[1-9]\d*:[1-9]\d*", user or "")),
        ("HostConfig", "ReadonlyRootfs", bool),
        ("HostConfig", "CapDrop", lambda dropped: dropped == ["ALL"]),
        ("HostConfig", "CapAdd", lambda added: not added),
        ("HostConfig", "Privileged", lambda isPrivileged: not isPrivileged),
        ("HostConfig", "SecurityOpt", lambda options: "no-new-privileges:true" in options),
        ("HostConfig", "Memory", lambda limit: 0 < limit <= 2**30),
        ("HostConfig", "PidsLimit", lambda limit: 0 < limit <= 512),
        ("HostConfig", "PidMode", lambda mode: mode == ""),
        ("HostConfig", "IpcMode", lambda mode: mode == "private"),
        ("HostConfig", "Devices", lambda devices: not devices),
        ("HostConfig", "NetworkMode", lambda mode: mode != "host"),
    ],
)
def test_every_container_is_confined(
    containers: dict[str, dict[str, Any]], part: str, field: str, isRight: Any
) -> None:
    assert odd_ones(containers, part, field, isRight) == {}


def test_every_container_has_a_limit_on_cores(containers: dict[str, dict[str, Any]]) -> None:
    """Compose's by one field, bridges' by another."""
    hosts = {name: one["HostConfig"] for name, one in containers.items()}
    assert [name for name, host in hosts.items() if not (host["NanoCpus"] or host["CpuQuota"])] == []


def test_the_engine_proxy_alone_has_the_engines_socket(stack: Stack, containers: dict[str, dict[str, Any]]) -> None:
    owners = {name for name, one in containers.items() for mount in one["Mounts"] if mount["Source"] == SOCKET}
    assert owners == {stack.service("engine-proxy")}


def test_no_secret_is_told_by_the_engine_or_in_a_log(
    stack: Stack, containers: dict[str, dict[str, Any]], images: list[str]
) -> None:
    """Not in environment, labels, commands, images' histories, nor in what anything has written."""
    told = {name: json.dumps(one) for name, one in containers.items()}
    told |= {f"log of {name}": log(name) for name in containers}
    told["images"] = stack.docker("image", "inspect", *images)
    told |= {
        f"history of {one}": stack.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", one) for one in images
    }
    found = [where for where, text in told.items() for secret in secrets(stack) if secret in text]
    assert found == []


def test_no_image_holds_a_key_or_somebodys_settings(stack: Stack, images: list[str]) -> None:
    wanted = ("find", "/", "-xdev", "(", "-name", "*.key", "-o", "-name", ".env*", "-o", "-name", "keystore.pem", ")")
    for image in images:
        command = ("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", wanted[0], image, *wanted[1:])
        assert stack.docker(*command) == ""


def secrets(stack: Stack) -> list[str]:
    """The proxy's password, and a line from the midst of each private key, the CA's among them."""
    volumes = stack.docker(
        "volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={stack.instance}"
    ).split()
    mounts = [f"--volume={name}:/tls/{name}:ro" for name in volumes if "_tls-" in name]
    read = ("sh", f"{stack.instance}-certificates", "-c", "cat /tls/*/tls.key")
    keys = stack.docker("run", "--rm", "--network", "none", "--user", "0", *mounts, "--entrypoint", *read)
    found = re.findall(r"-----BEGIN PRIVATE KEY-----\n.*\n(.+)\n", keys)
    assert len(found) == len(mounts) >= 7
    return [stack.env["PROXY_PASSWORD"], *found]


def log(container: str) -> str:
    done = run("docker", "logs", container)
    return done.stdout + done.stderr
