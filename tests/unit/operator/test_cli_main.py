"""bridgectl as a whole: help, wrong calls, errors that nobody foresaw, pipes that close, the version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge_operator.cli.main import app
from bridge_operator.cli.words import age
from support.bridgectl import Desk, ago, bridge, report

PROJECT_ROOT = Path(__file__).resolve().parents[3]
COMMANDS = (
    *("status", "health", "get", "describe", "events", "logs", "wait"),
    *("validate", "diff", "apply", "delete", "pause", "resume", "restart", "rewind", "schema", "completion", "version"),
)


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def start(
    desk: Desk, *arguments: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE, **env: str
) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as a user does; the engine's socket is not there."""
    environment = os.environ | {
        "PYTHONPATH": f"{PROJECT_ROOT / 'operator'}:{PROJECT_ROOT / 'bridge'}",
        "OPERATOR_STATE_DIR": str(desk.stateDir),
        "OPERATOR_ENGINE_SOCKET": f"unix://{desk.folder}/no.sock",
    }
    return subprocess.run(
        [sys.executable, "-m", "bridge_operator.cli.main", *arguments],
        env=environment | env,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=30,
    )


def test_the_commands_are_those_that_help_lists(desk: Desk) -> None:
    assert (
        tuple(command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands)
        == COMMANDS
    )
    done = desk.run("--help")
    assert done.exit_code == 0
    for command in (*COMMANDS, "rollout"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(desk: Desk, command: str) -> None:
    for option in ("--help", "-h"):
        done = desk.run(command, option)
        assert done.exit_code == 0
        assert done.stdout.startswith(f"Usage: bridgectl {command}")
    if command != "version":
        assert f"\n    bridgectl {command}" in done.stdout, "its examples are missing or were run together"


def test_a_misspelt_command_is_guessed(desk: Desk) -> None:
    done = desk.run("stauts")
    assert "Did you mean 'status', 'restart'?" in done.stderr
    assert done.exit_code == 2


@pytest.mark.parametrize("arguments", [("status", "--colour"), ("status", "-o", "xml"), ("describe",)])
def test_a_wrong_call_ends_with_2(desk: Desk, arguments: tuple[str, ...]) -> None:
    done = desk.run(*arguments)
    assert done.exit_code == 2
    assert "Error: " in done.stderr


def test_without_an_operator_or_an_engine_it_says_so(desk: Desk) -> None:
    done = start(desk, "health")
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["Warning", "Warning"]
    assert "no.sock" in done.stderr or "No such file" in done.stderr


def test_the_unforeseen_is_one_sentence_and_its_traceback_on_demand(desk: Desk) -> None:
    unset = start(desk, "status", OPERATOR_RESYNC_SECONDS="soon")
    assert unset.returncode == 2
    assert unset.stderr.startswith("error: OPERATOR_RESYNC_SECONDS: ")
    assert len(unset.stderr.splitlines()) == 1
    debugged = start(desk, "status", OPERATOR_RESYNC_SECONDS="soon", BRIDGECTL_DEBUG="1")
    assert "Traceback" in debugged.stderr


def test_a_pipe_that_closes_is_no_error(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(0)))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = start(desk, "--help", stdout=writing)
        listed = start(desk, "status", "-o", "json", stdout=writing)
        table = start(desk, "status", stdout=writing)
    finally:
        os.close(writing)
    assert done.stderr == ""
    for one in (listed, table):
        assert "Broken" not in one.stderr
        assert "Traceback" not in one.stderr


def test_a_watch_ends_with_whoever_started_it(desk: Desk) -> None:
    desk.write(report(bridge()))
    reading, writing = os.pipe()
    os.close(writing)
    try:
        done = start(desk, "status", "--watch", stdin=reading, BRIDGECTL_UNTIL_EOF="1")
    finally:
        os.close(reading)
    assert done.returncode == 130
    assert done.stdout.startswith("NAME ")


def test_version(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge_operator.cli.version.version", lambda package: f"9.8.7 of {package}")
    desk.write(report())
    assert desk.run("version").stdout.splitlines() == [
        "bridgectl: 9.8.7 of kafka-bridge-operator",
        "operator: running for 120m (since 2030-01-02T10:00:00Z)",
    ]
    desk.write(report(writtenAt=ago(200)))
    assert "has not written for 3m20s" in desk.run("version").stdout
    desk.write_raw("{")
    assert "operator: unknown (" in desk.run("version").stdout


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (18_720, "5h12m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (273_600, "3d4h"),
        (691_200, "8d"),
        (5 * 86_400 + 60, "5d"),
        (63_072_000, "2y"),
        (70_000_000, "2y80d"),
        (300_000_000, "9y"),
    ],
)
def test_ages_as_kubectl_writes_them(seconds: float, text: str) -> None:
    assert age(seconds) == text
