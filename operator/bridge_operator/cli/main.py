"""bridgectl's commands by name, and how an error ends: in one sentence, with an exit code that scripts can use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import typer
from pydantic import ValidationError

from bridge_operator.cli.apply import apply, diff
from bridge_operator.cli.change import delete, pause, restart, resume, rewind
from bridge_operator.cli.completion import completion, is_completing
from bridge_operator.cli.describe import describe
from bridge_operator.cli.events import events
from bridge_operator.cli.get import get
from bridge_operator.cli.health import health
from bridge_operator.cli.logs import logs
from bridge_operator.cli.output import EXIT_UNKNOWN
from bridge_operator.cli.rollout import rollout
from bridge_operator.cli.schema import schema
from bridge_operator.cli.status import status
from bridge_operator.cli.validate import validate
from bridge_operator.cli.version import show_version
from bridge_operator.cli.wait import wait
from bridge_operator.cli.words import one_line

PROGRAM = "bridgectl"
DEBUG_VARIABLE = "BRIDGECTL_DEBUG"

app = typer.Typer(
    name=PROGRAM,
    help="Looks after Kafka bridges: checks their manifests, tells how they are and why.",
    epilog="bridgectl COMMAND --help tells more, with examples.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LOOKING: tuple[Callable[..., None], ...] = (status, health, get, describe, events, logs, wait)
CHANGING: tuple[Callable[..., None], ...] = (validate, diff, apply, delete, pause, resume, restart, rewind, schema)
for command in LOOKING + CHANGING:
    app.command()(command)
app.add_typer(rollout)
app.command()(completion)
app.command("version")(show_version)


@app.callback()
def _bridgectl() -> None:
    """Keeps the commands commands, whatever their number."""


def main() -> None:
    """Run a command. Whatever was not foreseen ends in one sentence and 2, since nothing could be told."""
    if is_completing():
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    try:
        app(prog_name=PROGRAM)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        sys.stderr.write(f"error: {_sentence(error)} ({DEBUG_VARIABLE}=1 shows where)\n")
        sys.exit(EXIT_UNKNOWN)


def _sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):
        # Settings name themselves by their environment variable.
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return one_line(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
