"""bridgectl health: the state of bridges as an exit code, for scripts and health checks."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.output import EXIT_NO, EXIT_UNKNOWN, say_not_found, warn, write_line
from bridge_operator.cli.picture import Picture, take_picture
from bridge_operator.cli.tools import tools_of
from bridge_operator.cli.words import state_sentence
from bridge_operator.report import BridgeReport

HEALTHY = 0
# Not ready, and meant to be so.
RESTING_REASONS = frozenset({"Suspended", "ScaledToZero"})
VERDICTS = {HEALTHY: ("healthy", "green"), EXIT_NO: ("not healthy", "red"), EXIT_UNKNOWN: ("unknown", "yellow")}


def health(
    context: typer.Context,
    bridges: Annotated[list[str] | None, bridge_argument("[BRIDGE]...", "Judge these alone.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write nothing; the exit code tells.")] = False,
) -> None:
    """Tell whether bridges are healthy, by the exit code.

    0: all are, or rest as asked (suspended, no replicas). 1: one is not, or there is no bridge of that name. 2: it
    cannot be told, since the operator or the engine does not answer.

    \b
    Examples:
      bridgectl health
      bridgectl health orders --quiet || echo "look at orders"
    """
    names = bridges or []
    picture = take_picture(tools_of(context))
    missing = picture.missing(names)
    judged = [(bridge, verdict(bridge, picture)) for bridge in picture.only(names).bridges]
    if not quiet:
        for bridge, code in judged:
            word, style = VERDICTS[code]
            line = Text(f"{bridge.name}: ").append(word, style=style)
            write_line(line.append(f" ({_why(bridge, picture)})", style="default"))
        if not judged and not missing and picture.seenBy != "Nobody":
            write_line("No bridges found.")
        warn(picture.warnings)
        say_not_found(missing)
    raise typer.Exit(exit_code([code for _, code in judged], bool(missing), picture))


def verdict(bridge: BridgeReport, picture: Picture) -> int:
    """0, 1 or 2 for one bridge."""
    ready = bridge.condition("Ready")
    isStuck = bridge.name in {stuck.bridge for stuck in picture.stuckPasses}
    engineSilent = picture.seenBy == "Operator" and not picture.engineReachable
    if ready is None or ready.status == "Unknown" or picture.seenBy == "Nobody" or engineSilent or isStuck:
        return EXIT_UNKNOWN
    return HEALTHY if ready.status == "True" or _rests_as_asked(bridge, ready.reason) else EXIT_NO


def exit_code(codes: list[int], anyMissing: bool, picture: Picture) -> int:
    """What is certainly wrong beats what is not known."""
    witness = picture.seenBy == "Operator" and picture.engineReachable
    if EXIT_NO in codes or (anyMissing and picture.seenBy == "Operator"):
        return EXIT_NO
    return EXIT_UNKNOWN if EXIT_UNKNOWN in codes or not witness else HEALTHY


def _rests_as_asked(bridge: BridgeReport, reason: str) -> bool:
    return reason in RESTING_REASONS and all(replica.state != "running" for replica in bridge.replicaReports)


def _why(bridge: BridgeReport, picture: Picture) -> str:
    if picture.seenBy == "Operator" and not picture.engineReachable:
        return "the engine does not answer"
    return state_sentence(bridge)
