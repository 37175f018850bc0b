"""bridgectl events: what has happened to bridges, once or as it happens."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.output import OutputForm, table, write_data, write_line
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
    bridges: Annotated[list[str] | None, bridge_argument("[BRIDGE]...", "Show theirs alone.")] = None,
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
    tools, names = tools_of(context), bridges or ()
    found = _chosen(tools, names, types)
    if watch:
        _watch(tools, names, types, found, limit, output)
    newest = found[-limit:]
    if output.isData:
        write_data([event.model_dump(mode="json") for event in newest], output)
    elif not newest:
        write_line("No events found.")
    else:
        for line in table(HEADER, [_row(event, tools.clock()) for event in newest]):
            write_line(line)


def _chosen(tools: Tools, bridges: Collection[str], types: EventType | None) -> list[Event]:
    found = read_events(tools.settings.stateDir, bridges=bridges)
    return [event for event in found if types is None or event.type == types]


def _row(event: Event, now: datetime) -> list[str]:
    return [age_since(event.time, now), event.type, event.reason, event.bridge or NONE, one_line(event.message)]


def _watch(
    tools: Tools,
    bridges: Collection[str],
    types: EventType | None,
    found: list[Event],
    limit: int,
    output: OutputForm,
) -> None:
    """Never returns by itself: Ctrl-C ends it, or the reader of the pipe."""
    shown, fresh = set(found), found[-limit:]
    while True:
        for event in fresh:
            if output.isData:
                write_data(event.model_dump(mode="json"), output, streamed=True)
            else:
                # Its time, not its age: lines that stand here already do not grow old.
                moment = event.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
                write_line("   ".join((moment, *_row(event, tools.clock())[1:])))
        shown |= set(fresh)
        tools.pause(WATCH_SECONDS)
        fresh = [event for event in _chosen(tools, bridges, types) if event not in shown]
