"""A script in the foreground of a terminal, as far as Ctrl-C is concerned."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence


def start_in_foreground(command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """With a process group of its own, and both of its outputs to be read as text."""
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        # Where the tests run in the background of a script, SIGINT is ignored, and no shell below could trap it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def press_ctrl_c(script: subprocess.Popen[str], timeoutSeconds: float) -> str:
    """For all that is in its foreground; gives what was printed, until its end."""
    os.killpg(script.pid, signal.SIGINT)
    return script.communicate(timeout=timeoutSeconds)[0]
