"""What commands share that change manifests: a draft of the folder, tried out before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bridge_operator.cli.output import EXIT_NO, EXIT_USAGE, fail, write_line
from bridge_operator.cli.tools import Tools
from bridge_operator.cli.words import count, one_line

# The YAML library takes time to load, and most commands need none of this: what needs it is imported at its first use.
if TYPE_CHECKING:
    from bridge_operator.manifest_changes import FolderDraft
    from bridge_operator.manifest_edits import Identity

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
# As people write them, and as kubectl would take them.
KINDS = {
    kind: full
    for full, kinds in {
        "KafkaBridge": ("kafkabridge", "kafkabridges", "bridge", "bridges", "kb"),
        "KafkaCluster": ("kafkacluster", "kafkaclusters", "cluster", "clusters", "kc"),
    }.items()
    for kind in kinds
}


def kind_of(word: str) -> str:
    """KafkaBridge for bridge, bridges and so on; ends the command where it is no kind."""
    kind = KINDS.get(word.lower())
    if kind is None:
        fail(f'there is no kind "{word}", expected bridge or cluster', EXIT_USAGE)
    return kind


def identity_of(text: str) -> Identity:
    """`orders`, `bridge/orders` or `cluster/hq`."""
    from bridge_operator.manifest_edits import Identity

    kind, slash, name = text.rpartition("/")
    return Identity(kind_of(kind) if slash else "KafkaBridge", name)


def bridge_identity(name: str) -> Identity:
    """Ends the command for whatever is no bridge."""
    identity = identity_of(name)
    if identity.kind != "KafkaBridge":
        fail(f"{one_line(name)} is no bridge", EXIT_USAGE)
    return identity


def reference(identity: Identity) -> str:
    """kafkabridge/orders."""
    return one_line(f"{identity.kind.lower()}/{identity.name}")


def draft_of(tools: Tools) -> FolderDraft:
    from bridge_operator.manifest_changes import FolderDraft

    return FolderDraft(tools.settings.manifestsDir)


def carry_out(tools: Tools, draft: FolderDraft, dryRun: bool) -> None:
    """Write the draft, unless it would make something wrong: then say what, and end the command."""
    from bridge_operator.manifest_changes import new_problems
    from bridge_operator.manifests import load_folder

    folder, schemas = tools.settings.manifestsDir, tools.settings.schemasDir
    if not draft.changes:
        return
    touched = [one.name for one in draft.changes]
    problems = new_problems(load_folder(folder, schemas), draft.catalog(schemas), touched)
    if problems:
        refuse(problems, f"it would have left {count(len(problems), 'problem')}")
    if not dryRun:
        draft.write()


def refuse(problems: Iterable[str], why: str) -> NoReturn:
    """End the command with a line for each problem, and why nothing was changed."""
    for problem in problems:
        write_line(one_line(problem), toErrors=True)
    fail(f"nothing was changed: {why}", EXIT_NO)


@contextmanager
def refusing() -> Iterator[None]:
    """A change that is refused ends the command in a sentence."""
    from bridge_operator.manifest_changes import ChangeRefused

    try:
        yield
    except ChangeRefused as refusal:
        fail(str(refusal), EXIT_NO)


def dry(dryRun: bool) -> str:
    return " (dry run)" if dryRun else ""
