"""The shape of the project: what lies where, what is pinned, what never leaves this machine."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from support.project_files import PROJECT_ROOT, compose_file, project_files, read

TOP_LEVEL = {
    ".ci",
    ".dockerignore",
    ".env.example",
    ".gitignore",
    "CHANGELOG.md",
    "README.md",
    "bridge",
    "manifests",
    "operator",
    "pyproject.toml",
    "requirements",
    "stack",
    "tests",
}
REQUIREMENTS = ("bridge", "build", "operator", "samples", "test", "ui")


def is_ignored(name: str) -> bool:
    done = subprocess.run(
        ["git", "check-ignore", "--quiet", "--no-index", name], cwd=PROJECT_ROOT, check=False, timeout=30
    )
    return done.returncode == 0


def published_ports() -> list[str]:
    """All `ports` entries of the Compose file, as SERVICE ENTRY."""
    services = compose_file()["services"]
    return [f"{name} {port}" for name, service in services.items() for port in service.get("ports", [])]


def test_top_level_holds_what_belongs_there() -> None:
    assert {path.parts[0] for path in project_files()} == TOP_LEVEL


def test_the_folder_operator_never_becomes_a_package() -> None:
    """It would shadow the standard library's module of that name."""
    assert not (PROJECT_ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize(
    "name", [".env", ".env.local", "tls.key", "stack/tls/tls.key", "ca.pem", "stack/ca.crt", "client.p12"]
)
def test_settings_and_keys_of_one_machine_are_ignored(name: str) -> None:
    assert is_ignored(name)


@pytest.mark.parametrize("name", [".env.example", "requirements/test.txt", "stack/compose.yaml"])
def test_what_belongs_to_the_project_is_not_ignored(name: str) -> None:
    assert not is_ignored(name)


def test_no_key_is_among_the_files() -> None:
    holders = [
        str(path)
        for path in project_files()
        if re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n", (PROJECT_ROOT / path).read_bytes())
    ]
    assert holders == []


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_and_hashed(name: str) -> None:
    logicalLines = re.sub(r"\\\n", " ", read(f"requirements/{name}.txt")).splitlines()
    wanted = [line for line in logicalLines if line.strip() and not line.strip().startswith("#")]
    assert wanted, f"requirements/{name}.txt is empty"
    assert [line for line in wanted if not re.match(r"[A-Za-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_name_no_registry(name: str) -> None:
    text = read(f"requirements/{name}.in") + read(f"requirements/{name}.txt")
    assert re.findall(r".*(?:://|--(?:extra-)?index-url|--find-links|--trusted-host).*", text) == []


@pytest.mark.parametrize("path", [path for path in project_files() if path.name == "Dockerfile"], ids=str)
def test_images_start_from_one_base(path: str) -> None:
    text = read(path)
    bases = re.findall(r"^FROM\s+(\S+)(?:\s+AS\s+(\S+))?", text, re.MULTILINE | re.IGNORECASE)
    stages: set[str] = set()
    assert bases, f"{path} has no FROM"
    for base, stage in bases:
        assert base == "debian:trixie-slim" or base in stages, f"{path}: FROM {base}"
        stages.add(stage)
    assert not re.search(r"^#\s*syntax\s*=", text, re.MULTILINE), f"{path}: a syntax line pulls an image"


def test_ports_are_published_on_the_loopback_alone() -> None:
    assert [port for port in published_ports() if not re.fullmatch(r"\S+ 127\.0\.0\.1:\S+", port)] == []


def test_no_service_shares_the_network_of_the_host() -> None:
    services = compose_file()["services"]
    assert [name for name, service in services.items() if service.get("network_mode") == "host"] == []


def test_versions_agree() -> None:
    versions = {
        name: tomllib.loads(read(f"{name}/pyproject.toml"))["project"]["version"] for name in ("bridge", "operator")
    }
    newest = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None, "CHANGELOG.md has no heading with a version, such as: ## 0.1.0"
    assert versions == {"bridge": newest[1], "operator": newest[1]}
