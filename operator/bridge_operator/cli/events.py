"""bridgectl events: what has happened to bridges, once or as it happens."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from bridge_operator.cli.output import OutputForm, table, write_json, write_line, write_yaml
from bridge_operator.cli.tools import Tools, tools_of
from bridge_operator.cli.words import NONE, age_since, one_line
from bridge_operator.report import Event
from bridge_operator.report_reader import read_events

HEADER = ("LAST SEEN", "TYPE", "REASON", "BRIDGE", "MESSAGE")
WATCH_SECONDS = 1.0


class EventType(StrEnum):
    """Kubernetes' two."""

    NORMAL = "Normal"
    WARNING = "Warning"


def events(
    context: typer.Context,
    bridges: Annotated[list[str] | None, typer.Argument(metavar="[BRIDGE]...", help="Show theirs alone.")] = None,
    types: Annotated[EventType | None, typer.Option("--types", help="Show those of this type alone.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest to show.")] = 100,
    output: Annotated[OutputForm, typer.Option("--output", "-o", help="Form of the output.")] = OutputForm.TABLE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, and show what happens.")] = False,
) -> None:
    """Show what has happened to bridges, oldest first: what the operator did to them, and why.

    The operator keeps the newest ones; it can lose them, and nothing rests on them.

    \b
    Examples:
      bridgectl events
      bridgectl events orders --types Warning
      bridgectl events --watch
      bridgectl events -o json | jq '.[].reason'
    """
    tools = tools_of(context)
    found = _chosen(tools, bridges or (), types)[-limit:]
    if watch:
        _watch(tools, bridges or (), types, found, output)
    if found or output is OutputForm.JSON or output is OutputForm.YAML:
        _write(found, output, tools.clock())
    else:
        write_line("No events found.")


def _chosen(tools: Tools, bridges: Collection[str], types: EventType | None) -> list[Event]:
    found = read_events(tools.settings.stateDir, bridges=bridges)
    return [event for event in found if types is None or event.type == types]


def _write(found: Collection[Event], output: OutputForm, now: datetime) -> None:
    match output:
        case OutputForm.JSON:
            write_json([event.model_dump(mode="json") for event in found])
        case OutputForm.YAML:
            write_yaml([event.model_dump(mode="json") for event in found])
        case _:
            for line in table(HEADER, [_row(event, now) for event in found]):
                write_line(line)


def _row(event: Event, now: datetime) -> list[str]:
    return [age_since(event.time, now), event.type, event.reason, event.bridge or NONE, one_line(event.message)]


def _watch(
    tools: Tools, bridges: Collection[str], types: EventType | None, first: list[Event], output: OutputForm
) -> None:
    """Never returns by itself: Ctrl-C ends it, or the reader of the pipe."""
    shown = set(_chosen(tools, bridges, types)) - set(first)
    fresh = first
    while True:
        for event in fresh:
            match output:
                case OutputForm.JSON:
                    write_json(event.model_dump(mode="json"), indent=None)
                case OutputForm.YAML:
                    write_line("---")
                    write_yaml(event.model_dump(mode="json"))
                case _:
                    # Its time, not its age: lines that stand here already do not grow old.
                    moment = event.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
                    write_line("   ".join((moment, *_row(event, tools.clock())[1:])))
        shown |= set(fresh)
        tools.pause(WATCH_SECONDS)
        fresh = [event for event in _chosen(tools, bridges, types) if event not in shown]
