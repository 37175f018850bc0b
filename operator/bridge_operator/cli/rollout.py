"""bridgectl rollout: how far the last edit of a bridge has come, and whether it was taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Annotated

import typer

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.durations import parse_duration
from bridge_operator.cli.output import EXIT_NO, EXIT_UNKNOWN, fail, say_not_found, warn, write_line
from bridge_operator.cli.picture import take_picture
from bridge_operator.cli.tools import tools_of
from bridge_operator.cli.wait import LOOK_SECONDS
from bridge_operator.cli.words import state_sentence
from bridge_operator.report import BridgeReport

rollout = typer.Typer(name="rollout", no_args_is_help=True, rich_markup_mode=None)


class Outcome(Enum):
    """What became of a rollout; None of both while it is under way."""

    COMPLETE = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a rollout is, in a sentence, and what became of it."""

    sentence: str
    outcome: Outcome | None = None


def stage_of(bridge: BridgeReport) -> Stage:
    """The rollout of what the manifest says now."""
    manifest, progressing = bridge.condition("ManifestValid"), bridge.condition("Progressing")
    if manifest is not None and manifest.status == "False":
        return Stage(manifest.message, Outcome.FAILED)
    if progressing is not None and progressing.status == "False":
        return Stage(f"{progressing.reason}: {progressing.message}", Outcome.FAILED)
    if bridge.paused:
        return Stage("it is paused, and nothing is rolled out until it is resumed")
    if progressing is None or bridge.observedGeneration < bridge.generation:
        return Stage("the operator has yet to see what its manifest says")
    if bridge.updatedReplicas < bridge.replicas:
        return Stage(f"{bridge.updatedReplicas} of {bridge.replicas} replicas run what its manifest says")
    if bridge.readyReplicas < bridge.replicas:
        sentence = f"{bridge.readyReplicas} of {bridge.replicas} updated replicas are ready"
        return Stage(f"{sentence} ({state_sentence(bridge)})")
    if progressing.reason != "RolloutComplete":
        return Stage("replicas that are no longer wanted are being removed")
    return Stage("successfully rolled out", Outcome.COMPLETE)


@rollout.callback()
def _rollout() -> None:
    """Tells how far the last edit of a bridge has come."""


@rollout.command("status")
def rollout_status(
    context: typer.Context,
    name: Annotated[str, bridge_argument("BRIDGE", "Name of a bridge.")],
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Until it has ended, or only once.")] = True,
    timeout: Annotated[
        timedelta, typer.Option(parser=parse_duration, metavar="DURATION", help="30s, 5m; 0 waits for ever.")
    ] = "0",  # type: ignore[assignment]  # click reads a default as it reads what is typed
) -> None:
    """Show how far a bridge is with what its manifest says, until it is there.

    0: it is, or, with --no-watch, it is on its way. 1: it failed and was taken back, the manifest is wrong, or the time
    is over. 2: nobody can tell, since the operator does not answer.

    \b
    Examples:
      bridgectl rollout status orders
      bridgectl rollout status orders --timeout 2m
    """
    tools = tools_of(context)
    deadline = tools.clock() + timeout if timeout else None
    said = ""
    while True:
        picture = take_picture(tools)
        if picture.seenBy != "Operator":
            warn(picture.warnings)
            fail("the operator does not answer, and without it nothing is rolled out", EXIT_UNKNOWN)
        bridge = next((one for one in picture.bridges if one.name == name), None)
        if bridge is None:
            say_not_found([name])
            raise typer.Exit(EXIT_NO)
        stage = stage_of(bridge)
        if stage.outcome is Outcome.FAILED:
            fail(f"kafkabridge/{name}: {stage.sentence}", EXIT_NO)
        if stage.outcome is Outcome.COMPLETE:
            write_line(f"kafkabridge/{name} {stage.sentence}")
            return
        if stage.sentence != said:
            write_line(f"Waiting for kafkabridge/{name}: {stage.sentence}")
            said = stage.sentence
        if not watch:
            return
        if deadline is not None and tools.clock() >= deadline:
            fail(f"timed out waiting for kafkabridge/{name}", EXIT_NO)
        tools.pause(LOOK_SECONDS)
