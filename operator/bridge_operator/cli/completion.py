"""bridgectl completion: what a shell needs to complete commands, options and the names of bridges."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any

import typer

from bridge_operator.cli.output import write_line
from bridge_operator.cli.tools import tools_of
from bridge_operator.report_reader import read_report

COMPLETE_VARIABLE = "_BRIDGECTL_COMPLETE"


class Shell(StrEnum):
    """Those that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")]) -> None:
    """Print a script that makes a shell complete commands, options and names of bridges.

    The shell has to find bridgectl as a command of that name.

    \b
    Examples:
      source <(bridgectl completion bash)
      bridgectl completion fish > ~/.config/fish/completions/bridgectl.fish
    """
    # Typer's own, though not among what it names for others.
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    write_line(get_completion_script(prog_name="bridgectl", complete_var=COMPLETE_VARIABLE, shell=shell.value))


def is_completing() -> bool:
    """Whether a shell asks, and no person."""
    return bool(os.environ.get(COMPLETE_VARIABLE))


def bridge_argument(metavar: str, about: str) -> Any:
    """Names of bridges, one or several, which a shell completes."""
    return typer.Argument(metavar=metavar, help=about, autocompletion=bridge_names)


def bridge_names(context: typer.Context, incomplete: str) -> list[str]:
    """The bridges that the operator told of last. A shell that asks wants no complaints."""
    tools = tools_of(context)
    report = read_report(tools.settings.stateDir, tools.clock()).report
    names = [bridge.name for bridge in report.bridges] if report is not None else []
    return [name for name in names if name.startswith(incomplete)]
