"""bridgectl logs: what the replicas of a bridge have written, once or as they write it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Annotated

import typer

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.durations import parse_duration
from bridge_operator.cli.output import EXIT_NO, EXIT_UNKNOWN, fail, say_not_found, warn
from bridge_operator.cli.tools import Tools, tools_of
from bridge_operator.engine import Container, Engine, EngineError, LogRequest

LOOK_SECONDS = 0.1


@dataclass
class Reader:
    """Reads one container's log in a thread of its own, into a queue that all share."""

    container: Container
    engine: Engine
    wanted: LogRequest
    lines: SimpleQueue[str]
    prefix: str = ""
    fault: str = ""
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, name=f"logs-{self.container.name}", daemon=True)

    def _read(self) -> None:
        try:
            for line in self.engine.logs(self.container.id, self.wanted):
                self.lines.put(self.prefix + line)
        except EngineError as error:
            self.fault = f"{self.container.name}: {error}"


def logs(
    context: typer.Context,
    bridge: Annotated[str, bridge_argument("BRIDGE", "Name of a bridge.")],
    replica: Annotated[int | None, typer.Option("--replica", "-r", min=0, help="That of this ordinal alone.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, and show what is written.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="The last lines alone, so many.")] = None,
    since: Annotated[
        timedelta | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="Nothing older than that: 30s, 5m, 1h30m."),
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="With the time at which each was written.")] = False,
) -> None:
    """Show what the replicas of a bridge have written; of several replicas, each line with its container's name.

    While an update rolls, a predecessor that is kept is among them.

    \b
    Examples:
      bridgectl logs orders --tail 20
      bridgectl logs orders --replica 1 --follow
    """
    tools = tools_of(context)
    engine = tools.engine()
    try:
        found = sorted(engine.containers(bridge), key=lambda one: (one.ordinal, one.createdAt))
    except EngineError as error:
        fail(str(error), EXIT_UNKNOWN)
    if not found:
        say_not_found([bridge])
        raise typer.Exit(EXIT_NO)
    chosen = [one for one in found if replica in (None, one.ordinal)]
    if not chosen:
        ordinals = ", ".join(str(one) for one in sorted({one.ordinal for one in found}))
        fail(f"bridge {bridge} has no replica {replica}; there are {ordinals}", EXIT_NO)
    start = None if since is None else (tools.clock() - since).timestamp()
    faults = _show(tools, engine, chosen, LogRequest(start, tail, follow, timestamps))
    if faults:
        warn(faults)
        raise typer.Exit(EXIT_UNKNOWN)


def _show(tools: Tools, engine: Engine, chosen: Sequence[Container], wanted: LogRequest) -> list[str]:
    """What went wrong is returned. Followed logs come as they are written, others one after the other."""
    lines: SimpleQueue[str] = SimpleQueue()
    readers = [Reader(one, engine, wanted, lines, f"[{one.name}] " if len(chosen) > 1 else "") for one in chosen]
    for reader in readers:
        reader.thread.start()
        while not wanted.follow and reader.thread.is_alive():
            reader.thread.join(LOOK_SECONDS)
            _drain(lines)
    while any(reader.thread.is_alive() for reader in readers):
        _drain(lines)
        tools.pause(LOOK_SECONDS)
    _drain(lines)
    return [reader.fault for reader in readers if reader.fault]


def _drain(lines: SimpleQueue[str]) -> None:
    """As they are: a log is data, and goes through a pipe unchanged."""
    try:
        while True:
            sys.stdout.write(lines.get_nowait() + "\n")
    except Empty:
        sys.stdout.flush()
