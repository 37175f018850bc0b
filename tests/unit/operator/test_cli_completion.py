"""bridgectl completion: scripts for shells, and what they are told when they ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.bridgectl import Desk, bridge, report
from support.project_files import PROJECT_ROOT


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, [])
    desk.write(report(bridge("orders"), bridge("other"), bridge("payments")))
    return desk


def test_there_is_a_script_for_each_shell(desk: Desk) -> None:
    for shell in ("bash", "zsh", "fish"):
        done = desk.run("completion", shell)
        assert done.exit_code == 0
        assert f"_BRIDGECTL_COMPLETE=complete_{shell}" in done.stdout
    script = desk.run("completion", "bash").stdout
    assert subprocess.run(["bash", "-n", "-c", script], check=False).returncode == 0
    assert desk.run("completion", "tcsh").exit_code == 2


def completed(desk: Desk, *words: str) -> list[str]:
    """What a bash that asks for the last word is told."""
    environment = os.environ | {
        "PYTHONPATH": f"{PROJECT_ROOT / 'operator'}:{PROJECT_ROOT / 'bridge'}",
        "OPERATOR_STATE_DIR": str(desk.stateDir),
        "_BRIDGECTL_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("bridgectl", *words)),
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-m", "bridge_operator.cli.main"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_options_and_bridges_are_completed(desk: Desk) -> None:
    assert set(completed(desk, "re")) == {
        "restart",
        "resume",
        "rewind",
    }
    assert "--timestamps" in completed(desk, "logs", "--t")
    for command in ("describe", "logs", "pause", "wait", "status", "health", "events", "rewind"):
        assert completed(desk, command, "o") == ["orders", "other"], command


def test_a_shell_gets_no_complaint_where_nothing_is_known(tmp_path: Path) -> None:
    assert completed(Desk(tmp_path), "describe", "o") == []
