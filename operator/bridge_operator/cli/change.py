"""bridgectl pause, resume, restart, rewind and delete: each changes a manifest, and the operator does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.drafts import (
    DryRun,
    bridge_identity,
    carry_out,
    draft_of,
    dry,
    identity_of,
    reference,
    refusing,
)
from bridge_operator.cli.output import write_line
from bridge_operator.cli.tools import tools_of

if TYPE_CHECKING:
    from bridge_operator.manifest_edits import Change

Bridges = Annotated[list[str], bridge_argument("BRIDGE...", "Names of bridges.")]


def pause(context: typer.Context, bridges: Bridges, dryRun: DryRun = False) -> None:
    """Leave bridges as they are: the operator carries out no edit and heals nothing until they are resumed.

    What runs goes on copying. To stop it, set spec.suspend.

    \b
    Examples:
      bridgectl pause orders
    """
    from bridge_operator.manifest_edits import set_in_spec

    _change(context, bridges, set_in_spec("paused", True, default=False), "paused", dryRun)


def resume(context: typer.Context, bridges: Bridges, dryRun: DryRun = False) -> None:
    """Let the operator look after bridges again that were paused.

    \b
    Examples:
      bridgectl resume orders
    """
    from bridge_operator.manifest_edits import set_in_spec

    _change(context, bridges, set_in_spec("paused", False, default=False), "resumed", dryRun)


def restart(context: typer.Context, bridges: Bridges, dryRun: DryRun = False) -> None:
    """Replace the replicas of bridges by new ones, one at a time, without a change of anything else.

    \b
    Examples:
      bridgectl restart orders && bridgectl wait orders --for condition=Ready --timeout 5m
    """
    from bridge_operator.manifest_edits import set_in_spec

    _change(context, bridges, set_in_spec("restartedAt", _now(context)), "restarted", dryRun)


def rewind(
    context: typer.Context,
    bridge: Annotated[str, bridge_argument("BRIDGE", "Name of a bridge.")],
    to: Annotated[
        str, typer.Option("--to", metavar="PLACE", help="earliest, latest, an offset or a time (2026-11-24T10:00:00Z).")
    ],
    topic: Annotated[str | None, typer.Option("--topic", help="Of this source topic alone.")] = None,
    partition: Annotated[int | None, typer.Option("--partition", min=0, help="Of this partition alone.")] = None,
    name: Annotated[str | None, typer.Option("--id", help="Name of the request. [default: made of the time]")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dryRun: DryRun = False,
) -> None:
    """Copy on from another place in the source: records are copied again, or are left out.

    The request is added to spec.rewind; each lane that it concerns carries it out once.

    \b
    Examples:
      bridgectl rewind orders --to 2026-11-24T10:00:00Z
      bridgectl rewind orders --topic orders --partition 3 --to 4711
    """
    from bridge_operator.manifest_edits import add_to_spec

    identity = bridge_identity(bridge)
    request: dict[str, Any] = {"id": name or f"rewind-{_now(context).replace(':', '')}"}
    if topic is not None:
        request["topic"] = topic
    if partition is not None:
        request["partition"] = partition
    request["to"] = int(to) if to.isdecimal() else to
    with refusing():
        draft = draft_of(tools_of(context))
        draft.change(identity, add_to_spec("rewind", request))
        # What is wrong with the request is said before anybody is asked.
        carry_out(tools_of(context), draft, dryRun=True)
        if not dryRun:
            what = "all its topics" if topic is None else topic if partition is None else f"{topic}-{partition}"
            question = f"{reference(identity)} will copy {what} from {to} on; records may arrive again, or be left out"
            if not yes:
                typer.confirm(f"{question}. Go on?", abort=True, err=True)
            draft.write()
    write_line(f"{reference(identity)} rewound{dry(dryRun)}")


def delete(
    context: typer.Context,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Names of bridges, or KIND/NAME: bridge/orders, cluster/hq.")
    ],
    dryRun: DryRun = False,
) -> None:
    """Take manifests out of their files. The operator removes a bridge after a grace period; its topics stay.

    \b
    Examples:
      bridgectl delete orders && bridgectl wait orders --for delete
      bridgectl delete cluster/headquarters
    """
    identities = list(dict.fromkeys(identity_of(name) for name in names))
    with refusing():
        draft = draft_of(tools_of(context))
        for identity in identities:
            draft.remove(identity)
        carry_out(tools_of(context), draft, dryRun)
    for identity in identities:
        write_line(f"{reference(identity)} deleted{dry(dryRun)}")


def _change(context: typer.Context, bridges: Sequence[str], change: Change, done: str, dryRun: bool) -> None:
    identities = list(dict.fromkeys(bridge_identity(name) for name in bridges))
    with refusing():
        draft = draft_of(tools_of(context))
        results = [done if draft.change(identity, change) else "unchanged" for identity in identities]
        carry_out(tools_of(context), draft, dryRun)
    for identity, result in zip(identities, results, strict=True):
        write_line(f"{reference(identity)} {result}{dry(dryRun)}")


def _now(context: typer.Context) -> str:
    return tools_of(context).clock().strftime("%Y-%m-%dT%H:%M:%SZ")
