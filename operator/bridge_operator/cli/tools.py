"""What a command is handed instead of reaching out for it, so that tests hand in their own."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import typer

from bridge_operator.engine import Engine
from bridge_operator.settings import Settings

# Set by the host's wrapper script: whoever is behind `docker exec` may go away without a signal reaching this process,
# and the end of standard input is then the only thing that tells.
UNTIL_EOF_VARIABLE = "BRIDGECTL_UNTIL_EOF"


@dataclass(frozen=True, slots=True)
class Tools:
    """`engine` makes the engine's client at its first use: most commands need none, and loading it takes time."""

    settings: Settings
    clock: Callable[[], datetime]
    engine: Callable[[], Engine]
    pause: Callable[[float], None]


def tools_of(context: typer.Context) -> Tools:
    """The tools of the running command: a test's own, or the real ones."""
    if not isinstance(context.obj, Tools):
        context.obj = _real_tools()
    return context.obj


def _real_tools() -> Tools:
    settings = Settings()

    def engine() -> Engine:
        from bridge_operator.docker_engine import DockerEngine

        return DockerEngine(settings.engineSocket, settings.instance, settings.stopGraceSeconds)

    pause = _pause_unless_eof if os.environ.get(UNTIL_EOF_VARIABLE) else time.sleep
    return Tools(settings, lambda: datetime.now(UTC), engine, pause)


def _pause_unless_eof(seconds: float) -> None:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    if readable and not os.read(sys.stdin.fileno(), 1):
        raise KeyboardInterrupt
