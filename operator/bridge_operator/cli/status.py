"""bridgectl status: all bridges in a table, once or as they change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.output import (
    EXIT_NO,
    EXIT_UNKNOWN,
    OutputForm,
    console,
    say_not_found,
    state_text,
    table,
    warn,
    warning_text,
    write_data,
    write_line,
)
from bridge_operator.cli.picture import Picture, take_picture
from bridge_operator.cli.tools import Tools, tools_of
from bridge_operator.cli.words import NONE, UNKNOWN, age_since, known, oldest_start, restarts, state_message, state_word
from bridge_operator.report import BridgeReport

HEADER = ("NAME", "READY", "UP-TO-DATE", "STATUS", "LAG", "COPIED", "RESTARTS", "AGE")
WIDE_HEADER = (*HEADER, "SOURCE", "TARGET", "GENERATION", "MESSAGE")
WATCH_SECONDS = 1.0


def status(
    context: typer.Context,
    bridges: Annotated[list[str] | None, bridge_argument("[BRIDGE]...", "Show these alone.")] = None,
    output: Annotated[OutputForm, typer.Option("--output", "-o", help="Form of the output.")] = OutputForm.TABLE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, and show what changes.")] = False,
) -> None:
    """Show bridges: replicas, state, lag, records copied.

    LAG is in records; COPIED counts since the replicas started; AGE is that of the oldest replica. Warnings below the
    table tell of wrong manifests. While the operator is down, the engine is asked instead.

    \b
    Examples:
      bridgectl status
      bridgectl status orders -o wide
      bridgectl status --watch
      bridgectl status -o json | jq '.bridges[] | {name, lag}'
    """
    tools, names = tools_of(context), bridges or []
    if watch:
        _watch(tools, names, output)
    picture = take_picture(tools)
    shown, missing = picture.only(names), picture.missing(names)
    if shown.bridges or not missing:
        _write(shown, output, tools.clock())
    # Data carries its warnings itself, but a person reads them at once only here.
    warn(picture.warnings)
    say_not_found(missing)
    if picture.seenBy == "Nobody":
        raise typer.Exit(EXIT_UNKNOWN)
    if missing:
        raise typer.Exit(EXIT_NO)


def status_table(picture: Picture, now: datetime, wide: bool) -> list[Text]:
    """The lines of the table; one sentence where there is no bridge, and nothing where nobody could tell."""
    if not picture.bridges:
        return [] if picture.seenBy == "Nobody" else [Text("No bridges found.")]
    operatorSays = picture.seenBy == "Operator"
    rows = [_row(bridge, now, operatorSays, wide) for bridge in picture.bridges]
    return table(WIDE_HEADER if wide else HEADER, rows)


def _row(bridge: BridgeReport, now: datetime, operatorSays: bool, wide: bool) -> list[str | Text]:
    started = oldest_start(bridge)
    row: list[str | Text] = [
        bridge.name,
        f"{bridge.readyReplicas}/{bridge.replicas}",
        str(bridge.updatedReplicas) if operatorSays else UNKNOWN,
        state_text(state_word(bridge)),
        known(bridge.lag),
        known(bridge.recordsCopied),
        str(restarts(bridge)) if operatorSays else UNKNOWN,
        age_since(started, now) if started is not None else NONE,
    ]
    if wide:
        row += [known(bridge.source), known(bridge.target), str(bridge.generation), state_message(bridge)]
    return row


def _write(picture: Picture, output: OutputForm, now: datetime, streamed: bool = False) -> None:
    if output.isData:
        write_data(picture.model_dump(mode="json"), output, streamed)
        return
    for line in status_table(picture, now, output is OutputForm.WIDE):
        write_line(line)


def _watch(tools: Tools, names: list[str], output: OutputForm) -> None:
    """Never returns by itself: Ctrl-C ends it, or the reader of the pipe."""
    if console().is_terminal and not output.isData:
        with Live(console=console(), auto_refresh=False) as live:
            _each_look(
                tools, lambda picture: live.update(_screen(picture.only(names), output, tools.clock()), refresh=True)
            )
    shown: Picture | None = None

    def write_change(picture: Picture) -> None:
        nonlocal shown
        seen = picture.only(names).model_copy(update={"writtenAt": None})
        if seen != shown:
            _write(picture.only(names), output, tools.clock(), streamed=True)
            warn(picture.warnings)
            shown = seen

    _each_look(tools, write_change)


def _each_look(tools: Tools, show: Callable[[Picture], None]) -> None:
    while True:
        show(take_picture(tools))
        tools.pause(WATCH_SECONDS)


def _screen(picture: Picture, output: OutputForm, now: datetime) -> Group:
    lines = status_table(picture, now, output is OutputForm.WIDE)
    lines += [warning_text(sentence) for sentence in picture.warnings]
    return Group(*(Text(no_wrap=True, overflow="ellipsis").append_text(line) for line in lines))
