"""The project's own files, as tests about the project itself read them."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PROJECT_ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$")


@cache
def project_files() -> tuple[Path, ...]:
    """What is tracked, or new and not ignored, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    return tuple(sorted(Path(name) for name in set(listed.split("\0")) if name and (PROJECT_ROOT / name).is_file()))


def read(path: Path | str) -> str:
    """The text of a file of the project."""
    return (PROJECT_ROOT / path).read_text(encoding="utf-8")


def compose_file() -> dict[str, Any]:
    """stack/compose.yaml with its merge keys resolved."""
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(read("stack/compose.yaml"))
    return document


def compose_environment(service: str) -> dict[str, str]:
    """The environment that Compose gives a service."""
    environment: dict[str, str] = compose_file()["services"][service]["environment"]
    return environment


def is_shell_script(path: Path) -> bool:
    return path.suffix == ".sh" or bool(re.match(r"#!.*\b(ba|da)?sh\b", _first_line(path)))


def commands() -> tuple[Path, ...]:
    """The scripts that people call: executable, in stack/, tests/, requirements/ or .ci/ itself."""
    return tuple(
        path
        for path in project_files()
        if len(path.parts) == 2
        and path.parts[0] in ("stack", "tests", "requirements", ".ci")
        and is_shell_script(path)
        and (PROJECT_ROOT / path).stat().st_mode & 0o100
    )


def _first_line(path: Path) -> str:
    with (PROJECT_ROOT / path).open("rb") as stream:
        return stream.readline(200).decode("utf-8", "replace")


def documented() -> dict[str, str]:
    """The variables of .env.example with their values."""
    found = [(match[1], match[2]) for line in read(".env.example").splitlines() if (match := ASSIGNMENT.match(line))]
    names = [name for name, _ in found]
    assert len(names) == len(set(names)), "a variable stands twice in .env.example"
    return dict(found)
