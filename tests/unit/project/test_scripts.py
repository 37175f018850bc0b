"""Every script says what it is for, and refuses what it does not know in a sentence."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from support.foreground import press_ctrl_c, start_in_foreground
from support.project_files import PROJECT_ROOT, commands, read
from support.stack import wait_until

# These hand their arguments on to a program with options of its own.
PASSING_ON = {Path("stack/compose"), Path("stack/bridgectl"), Path("requirements/lock")}
OWN_OPTIONS = [script for script in commands() if script not in PASSING_ON]


def call(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """From another folder, since a script works from any."""
    command = [str(PROJECT_ROOT / script), *arguments]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=20)


def test_the_scripts_are_found() -> None:
    assert {Path("stack/up"), Path("stack/down"), Path("tests/run"), Path(".ci/run")} <= set(OWN_OPTIONS)


@pytest.mark.parametrize("script", [*OWN_OPTIONS, Path("requirements/lock")], ids=str)
def test_help(script: Path) -> None:
    done = call(script, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) >= 3, f"{script} --help says little: {done.stdout!r}"
    assert done.stdout.startswith(str(script)), "another script's help"


@pytest.mark.parametrize("script", OWN_OPTIONS, ids=str)
def test_an_unknown_option_is_refused_in_a_sentence(script: Path) -> None:
    done = call(script, "--no-such-option")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "--no-such-option" in done.stderr
    assert "--help" in done.stderr, "the message does not say where to look"
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("script", commands(), ids=str)
def test_scripts_stop_at_the_first_error(script: Path) -> None:
    assert "\nset -euo pipefail\n" in read(script)


def test_ctrl_c_ends_in_a_sentence_also_where_a_command_takes_it_calmly(tmp_path: Path) -> None:
    """As Compose does, whose exit code would be taken for a failure of the services."""
    calm = f"sh -c 'trap \"exit 130\" INT; touch {tmp_path}/begun; while :; do sleep 0.1; done'"
    code = f"""
        set -euo pipefail; source {PROJECT_ROOT}/stack/lib/common.sh
        on_interrupt "run it again"
        work() {{ {calm} | tee {tmp_path}/log; }}
        if ! work >{tmp_path}/all 2>&1; then fail "the services did not come up"; fi
        say "went on"
    """
    with start_in_foreground(["bash", "-c", code]) as script:
        wait_until("it is under way", lambda: (tmp_path / "begun").exists(), 20, 0.05)
        told = press_ctrl_c(script, 20)
    assert script.returncode == 130
    assert " ".join(told.split()) == "error: interrupted; run it again"


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd starts the engine on this machine")
def test_the_engine_that_a_script_starts_does_not_keep_its_output_open(tmp_path: Path) -> None:
    """`stack/up | tee log` on a machine whose engine is down would never come to its end."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    # A machine on which an engine is just ending, and then none runs. Removing its pid file is not for a test, and no
    # process of this one may be taken for an engine.
    codes = {
        "dockerd": f"touch {tmp_path}/started; exec sleep 8",
        "docker": f"test -f {tmp_path}/started",
        "pgrep": f"test -f {tmp_path}/ended && exit 1; touch {tmp_path}/ended",
        "rm": "exit 0",
    }
    for name, code in codes.items():
        (stubs / name).write_text(f"#!/bin/sh\n{code}\n")
        (stubs / name).chmod(0o755)
    script = f"""
        source {PROJECT_ROOT}/stack/lib/common.sh; source {PROJECT_ROOT}/stack/lib/engine.sh
        engineLog={tmp_path}/engine.log; PATH={stubs}:$PATH; id() {{ echo 0; }}
        start_engine"""
    begin = time.monotonic()
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "engine.log").exists(), "the engine was not started"
    assert time.monotonic() - begin < 6, "the reader of this script's output waits for the engine's end"


def test_what_a_killed_run_has_left_is_named(tmp_path: Path) -> None:
    mine, gone = os.getpid(), 2**22 + 1  # beyond the highest number that a process can have
    lines = (
        f"kbo-e2e-{mine} kbo-e2e-{mine}\nkbo-chaos-{gone} \n kbo-chaos-{gone}\nkafka-bridge \nmy-kbo-it-{gone} \n \n"
    )
    (tmp_path / "ps").write_text(lines)
    code = f"""
        set -euo pipefail; source {PROJECT_ROOT}/stack/lib/common.sh; source {PROJECT_ROOT}/tests/lib/leftovers.sh
        docker() {{ cat {tmp_path}/ps; }}
        name_leftovers
    """
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, timeout=20)
    told = (done.stdout + done.stderr).splitlines()
    assert len(told) == 1
    assert f"kbo-chaos-{gone}; COMPOSE_PROJECT_NAME=kbo-chaos-{gone} stack/down" in told[0]
