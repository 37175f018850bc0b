"""bridgectl apply and diff: manifests from elsewhere into the folder that the operator watches, or what they change."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bridge_operator.cli.drafts import DryRun, carry_out, draft_of, dry, reference, refuse, refusing
from bridge_operator.cli.output import EXIT_NO, EXIT_USAGE, fail, write_line
from bridge_operator.cli.tools import tools_of
from bridge_operator.cli.validate import STDIN, STDIN_NAME
from bridge_operator.cli.words import count, printable

if TYPE_CHECKING:
    from bridge_operator.manifest_changes import FolderDraft
    from bridge_operator.manifest_edits import Identity

DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}

Files = Annotated[
    list[str], typer.Option("--filename", "-f", metavar="PATH", help="A file, a folder, or - for standard input.")
]


def apply(
    context: typer.Context,
    filenames: Files,
    dryRun: DryRun = False,
) -> None:
    """Take manifests into the folder that the operator watches: each in the place of its namesake, or as a new file.

    All of them or none: where one is wrong, or would make another wrong, nothing is changed.

    \b
    Examples:
      bridgectl apply -f orders.yaml
      bridgectl apply -f - < orders.yaml
    """
    tools = tools_of(context)
    with refusing():
        draft = draft_of(tools)
        results = list(_put_all(draft, _read(filenames)))
        carry_out(tools, draft, dryRun)
    for identity, result in results:
        write_line(f"{reference(identity)} {result}{dry(dryRun)}")


def diff(context: typer.Context, filenames: Files) -> None:
    """Show what apply would change, as `diff -u` does.

    Exit code 0: nothing. 1: something. 2: it cannot be applied.

    \b
    Examples:
      bridgectl diff -f orders.yaml
    """
    tools = tools_of(context)
    with _failing_with(EXIT_USAGE), refusing():
        draft = draft_of(tools)
        for _ in _put_all(draft, _read(filenames)):
            pass
        carry_out(tools, draft, dryRun=True)
    for line in draft.diff():
        write_line(Text(printable(line.expandtabs()), style=DIFF_STYLES.get(line[:1], "")))
    if draft.changes:
        raise typer.Exit(EXIT_NO)


def _put_all(draft: FolderDraft, texts: dict[str, str]) -> Iterator[tuple[Identity, str]]:
    from bridge_operator.manifest_changes import documents_of

    _require_valid(texts)
    documents = documents_of(texts.values())
    if not documents:
        fail(f"there is no manifest in {', '.join(texts)}", EXIT_NO)
    for identity, document in documents:
        before = draft.text_of(identity)
        if before == document:
            yield identity, "unchanged"
            continue
        draft.put(identity, document)
        yield identity, "created" if before is None else "configured"


def _require_valid(texts: dict[str, str]) -> None:
    """Each by its own shape, under the name that the user gave it; what they say of each other comes later."""
    from bridge_operator.manifest_documents import read
    from bridge_operator.yaml_source import read_documents

    problems = [
        problem
        for file, text in texts.items()
        for document in read_documents(text)
        for problem in read(document, file).problems
    ]
    if problems:
        verb = "is" if len(problems) == 1 else "are"
        refuse(map(str, problems), f"there {verb} {count(len(problems), 'problem')} in what was given")


def _read(filenames: Sequence[str]) -> dict[str, str]:
    from bridge_operator.manifest_files import SourceFile, decoded, read_file, read_folder

    texts: dict[str, str] = {}
    for given in filenames:
        if given == STDIN:
            texts[STDIN_NAME] = decoded(sys.stdin.buffer.read())
            continue
        path = Path(given)
        if not path.exists():
            fail(f"the path {given} does not exist, expected a file or a folder of manifests", EXIT_USAGE)
        found: list[SourceFile | None] = list(read_folder(path)) if path.is_dir() else [read_file(path, given)]
        for file in found:
            if file is None:
                continue
            if file.fault is not None:
                fail(f"{file.name}: found {file.fault[0]}, expected {file.fault[1]}", EXIT_NO)
            texts[f"{given.rstrip('/')}/{file.name}" if path.is_dir() else given] = file.text
    return texts


@contextmanager
def _failing_with(code: int) -> Iterator[None]:
    """1 says that there are differences, so what goes wrong needs another code."""
    try:
        yield
    except typer.Exit as end:
        raise typer.Exit(code if end.exit_code == EXIT_NO else end.exit_code) from end
