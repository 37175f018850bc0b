"""The door to the stack: who may pass, where it listens, and that the choices of a UI fit together."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project_files import PROJECT_ROOT, compose_file, read

UIS = ("kaskade", "kafbat", "none")


def call(tmp_path: Path, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run code behind stack/lib/proxy.sh, in a project of its own and with no container on the machine."""
    (tmp_path / ".env.example").write_text(read(".env.example"))
    script = f"""
        set -euo pipefail
        source {PROJECT_ROOT}/stack/lib/common.sh; source {PROJECT_ROOT}/stack/lib/proxy.sh
        projectRoot={tmp_path}
        docker() {{ :; }}
        compose() {{ echo "$@" >>{tmp_path}/composed; cat >{tmp_path}/given; }}
        {code}
    """
    bare = {"PATH": "/usr/bin:/bin"} | env
    return subprocess.run(["bash", "-c", script], env=bare, capture_output=True, text=True, check=False, timeout=20)


@pytest.fixture(name="taken")
def port_that_somebody_listens_on() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


def password_in(file: Path) -> str:
    return str(re.findall(r"^PROXY_PASSWORD=(.*)$", file.read_text(), re.MULTILINE)[-1])


def test_a_password_is_made_once_and_kept_for_the_user_alone(tmp_path: Path) -> None:
    first = call(tmp_path, "ensure_login; print_door")
    kept = tmp_path / ".env.local"
    password = password_in(kept)
    second = call(tmp_path, "ensure_login; print_door")

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert re.fullmatch(r"[A-Za-z0-9]{24}", password)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert f"password: {password}" in first.stdout
    assert "https://127.0.0.1:8443/  (user admin)" in first.stdout
    assert password_in(kept) == password
    assert password not in second.stdout + first.stderr + second.stderr
    assert ".env.local" in second.stdout


def test_two_passwords_are_not_alike(tmp_path: Path) -> None:
    assert len(set(call(tmp_path, "random_password; random_password; random_password").stdout.split())) == 3


def test_the_password_goes_through_standard_input_alone(tmp_path: Path) -> None:
    done = call(tmp_path, "ensure_login", PROXY_PASSWORD="of my own", PROXY_USER="ann")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "given").read_text() == "of my own"
    assert (tmp_path / "composed").read_text() == "run --rm -T --no-deps proxy-login ann\n"
    assert not (tmp_path / ".env.local").exists()


def test_what_stands_in_env_local_is_left_there(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text("PRODUCER_RATE=7")
    done = call(tmp_path, "ensure_login; setting PRODUCER_RATE", PROXY_PASSWORD="")

    assert done.stdout == "7"
    assert len(password_in(tmp_path / ".env.local")) == 24
    assert (tmp_path / "given").read_text() == password_in(tmp_path / ".env.local")


@pytest.mark.parametrize("name", ["PROXY_PORT", "PROXY_HTTP_PORT"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, taken: str, name: str) -> None:
    free = {"PROXY_PORT": "1", "PROXY_HTTP_PORT": "2"}
    done = call(tmp_path, "check_ports", **free | {name: taken})

    assert done.returncode == 1
    assert f"port {taken} of 127.0.0.1 is taken: set {name} in .env to another one" in done.stderr


def test_one_port_for_both_is_refused(tmp_path: Path) -> None:
    ports = {"PROXY_PORT": "8443", "PROXY_HTTP_PORT": "8443"}
    done = call(tmp_path, "answers_on_loopback() { false; }; check_ports", **ports)

    assert done.returncode == 1
    assert "both 8443" in done.stderr


def test_ports_that_are_free_pass(tmp_path: Path) -> None:
    done = call(tmp_path, "answers_on_loopback() { false; }; check_ports")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", UIS)
def test_each_choice_has_its_part_of_the_proxy(name: str) -> None:
    assert f"ui-{name}.conf" in read("stack/images/proxy/Dockerfile")
    assert "location" in read(f"stack/images/proxy/ui-{name}.conf")


def test_each_ui_is_a_profile_with_a_service_for_each_cluster() -> None:
    services = compose_file()["services"]
    byProfile = {
        profile: {
            alias
            for service in services.values()
            if profile in service.get("profiles", ())
            for alias in service["networks"]["network2"]["aliases"]
        }
        for profile in UIS
    }

    assert byProfile == {
        "kaskade": {"ui-source-web", "ui-target-web"},
        "kafbat": {"ui-source-web", "ui-target-web"},
        "none": set(),
    }


def test_no_ui_joins_both_clusters() -> None:
    services = compose_file()["services"]
    joined = {name: set(one["networks"]) for name, one in services.items() if "networks" in one}

    assert [name for name, networks in joined.items() if {"network1", "network3"} <= networks] == []
