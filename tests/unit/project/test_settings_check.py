"""Settings: which of the files wins, and what is said of one that is wrong, before anything is started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.project_files import documented
from support.stack import PROJECT_ROOT


@pytest.fixture(name="project")
def copy_of_the_project(tmp_path: Path) -> Path:
    """What the scripts read of it."""
    shutil.copytree(PROJECT_ROOT / "stack" / "lib", tmp_path / "stack" / "lib")
    shutil.copy(PROJECT_ROOT / ".env.example", tmp_path)
    return tmp_path


def bash(project: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    sourced = "set -euo pipefail; . stack/lib/common.sh; . stack/lib/settings.sh; "
    clean = {name: value for name, value in os.environ.items() if name not in documented()}
    return subprocess.run(
        ["bash", "-c", sourced + script], cwd=project, env=clean | environment, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip


def in_force(project: Path, name: str, **environment: str) -> str:
    return bash(project, f"setting {name}", **environment).stdout


def mistakes(project: Path, **environment: str) -> list[str]:
    """What is said of settings; nothing, and exit code 0, where they are right."""
    done = bash(project, "check_settings", **environment)
    lines = done.stderr.splitlines()
    assert done.returncode == (2 if lines else 0)
    if lines:
        assert lines[-1].startswith(f"error: {len(lines) - 1} mistake(s)")
    return lines[:-1]


def test_what_is_nearer_to_the_user_wins(project: Path) -> None:
    """The environment over .env.local, that over .env, and that over .env.example."""
    assert in_force(project, "PRODUCER_RATE") == documented()["PRODUCER_RATE"]
    (project / ".env").write_text("PRODUCER_RATE=1\n")
    assert in_force(project, "PRODUCER_RATE") == "1"
    (project / ".env.local").write_text("PRODUCER_RATE=2\n")
    assert in_force(project, "PRODUCER_RATE") == "2"
    assert in_force(project, "PRODUCER_RATE", PRODUCER_RATE="3") == "3"
    assert in_force(project, "PRODUCER_RATE", PRODUCER_RATE="") == ""


def test_the_defaults_are_right(project: Path) -> None:
    assert mistakes(project) == []


def test_each_setting_has_an_expectation_and_each_expectation_a_setting(project: Path) -> None:
    names = bash(project, "printf '%s\\n' \"${!expectedWords[@]}\"").stdout.split()
    assert sorted(names) == sorted(documented())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "PRODUCER_RAET=5",
            "found PRODUCER_RAET, which is no setting; expected PRODUCER_COUNT, PRODUCER_K",
        ),
        ("FOO=bar", "found FOO, which is no setting; expected one of .env.example"),
        ("export PRODUCER_RATE=5", "found 'export PRODUCER_RATE=5', expected NAME=value"),
        ("PRODUCER_RATE = 5", "found 'PRODUCER_RATE = 5', expected NAME=value"),
    ],
)
def test_a_line_that_sets_nothing_is_named(project: Path, text: str, told: str) -> None:
    (project / ".env").write_text(f"# mine\n\n{text}\n")
    [said] = mistakes(project)
    assert said.startswith(f".env:3: {told}")


@pytest.mark.parametrize(
    ("name", "wrong", "expected"),
    [
        ("KAFKA_MEMORY_LIMIT", "lots", "a size such as 512m or 1g"),
        ("KAFKA_LOG_LEVEL", "info", "TRACE, DEBUG, INFO, WARN or ERROR"),
        ("PRODUCER_COUNT", "-1", "a whole number"),
        ("PRODUCER_KEYS", "0", "a whole number of at least 1"),
        ("OPERATOR_RESYNC_SECONDS", "0.0", "a number above 0"),
        ("OPERATOR_STOP_GRACE_SECONDS", "1.5", "a whole number of at least 1"),
        ("COMPOSE_PROJECT_NAME", "My Bridge", "lower-case letters, digits and -, first a letter or digit"),
        ("PROXY_PORT", "70000", "a port from 1 to 65535"),
        ("PROXY_HTTP_PORT", "http", "a port from 1 to 65535"),
        ("KAFKA_UI", "akhq", "kaskade, kafbat or none"),
        ("SAMPLE_TOPIC", "all orders", "a topic's name: letters, digits, . _ and -"),
    ],
)
def test_a_wrong_value_is_named_with_where_it_stands(project: Path, name: str, wrong: str, expected: str) -> None:
    (project / ".env").write_text(f"\n{name}={documented()[name]}\n")
    (project / ".env.local").write_text(f"{name}={wrong}\n")
    assert mistakes(project) == [f".env.local:1: {name}: found '{wrong}', expected {expected}"]
    (project / ".env.local").unlink()
    assert mistakes(project, **{name: wrong}) == [f"the environment: {name}: found '{wrong}', expected {expected}"]


@pytest.mark.parametrize("right", ["1", "0.5", "120", "10.25"])
def test_seconds_may_have_a_fraction(project: Path, right: str) -> None:
    assert mistakes(project, OPERATOR_RESYNC_SECONDS=right) == []


def test_all_mistakes_are_named_at_once(project: Path) -> None:
    (project / ".env").write_text("FOO=1\nPRODUCER_RATE=fast\n")
    assert len(mistakes(project, CA_DAYS="")) == 3


def test_what_others_read_is_theirs(project: Path) -> None:
    """Compose's and docker's own variables, and those of a Compose file laid over the stack's."""
    over = project / "over.yaml"
    over.write_text("services: {proxy: {environment: {A: '${MY_OWN}', B: $MY_OTHER}}}\n")
    lines = ["COMPOSE_PARALLEL_LIMIT=4", "DOCKER_BUILDKIT=1", f"COMPOSE_OVERRIDE={over}", "MY_OWN=1", "MY_OTHER=2"]
    (project / ".env").write_text("\n".join(lines) + "\n")
    assert mistakes(project) == []
    over.write_text("services: {}\n")
    assert len(mistakes(project)) == 2
