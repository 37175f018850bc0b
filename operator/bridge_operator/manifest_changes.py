"""Changes to a manifest folder: found, tried out, shown and written as a whole, or not at all."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bridge_operator.catalog import Catalog
from bridge_operator.manifest_edits import (
    Change,
    Identity,
    bare,
    parts_of,
    with_change,
    with_document,
    without_document,
)
from bridge_operator.manifest_files import read_folder
from bridge_operator.manifests import load_folder

# Where a manifest goes that there was none of.
FOLDERS = {"KafkaBridge": "bridges", "KafkaCluster": "clusters"}


class ChangeRefused(Exception):
    """A sentence: why nothing was changed."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """`before` is None for a file that is new, `after` for one that goes. `name` is its path below the folder."""

    name: str
    before: str | None
    after: str | None


class FolderDraft:
    """The folder's files as they are to be. Nothing is written before `write`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before = {file.name: file.text for file in read_folder(folder) if file.fault is None}
        self._after: dict[str, str | None] = dict(self._before)

    @property
    def changes(self) -> list[FileChange]:
        return [
            FileChange(name, self._before.get(name), text)
            for name, text in sorted(self._after.items())
            if text != self._before.get(name)
        ]

    def text_of(self, identity: Identity) -> str | None:
        """A document as it stands now, without the marker before it."""
        file = self._file_of(identity)
        if file is None:
            return None
        parts = parts_of(self._after[file] or "")
        return next(bare(part.text) for part in parts if part.identity == identity)

    def change(self, identity: Identity, change: Change) -> bool:
        """True where anything has changed. ChangeRefused where there is no such manifest, or none that can be read."""
        file = self._require(identity)
        before = self._after[file] or ""
        try:
            self._after[file] = with_change(before, identity, change)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ChangeRefused(f"{file} is too broken to be changed: {type(error).__name__}: {error}") from error
        return self._after[file] != before

    def put(self, identity: Identity, document: str) -> None:
        """In the place of the one of that name, or in a file of its own."""
        file = self._file_of(identity)
        if file is not None:
            self._after[file] = with_document(self._after[file] or "", identity, document)
            return
        name = f"{FOLDERS[identity.kind]}/{identity.name}.yaml"
        former = self._after.get(name)
        self._after[name] = bare(document) if not former else f"{former.rstrip()}\n---\n{bare(document)}"

    def remove(self, identity: Identity) -> None:
        file = self._require(identity)
        self._after[file] = without_document(self._after[file] or "", identity) or None

    def catalog(self, schemasDir: Path | None) -> Catalog:
        """What the folder would say."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "manifests"
            folder.mkdir()
            for name, text in self._after.items():
                if text is not None:
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
            return load_folder(folder, schemasDir)

    def diff(self) -> list[str]:
        """As `diff -u` has it, line by line."""
        lines: list[str] = []
        for one in self.changes:
            lines += difflib.unified_diff(
                (one.before or "").splitlines(),
                (one.after or "").splitlines(),
                f"a/{one.name}" if one.before is not None else "/dev/null",
                f"b/{one.name}" if one.after is not None else "/dev/null",
                lineterm="",
            )
        return lines

    def write(self) -> None:
        """Each file whole. ChangeRefused where one cannot be written, or was changed by somebody else meanwhile."""
        now = {file.name: file.text for file in read_folder(self._folder) if file.fault is None}
        changes = self.changes
        for one in changes:
            if now.get(one.name) != one.before:
                raise ChangeRefused(f"{one.name} has just been changed by somebody else; try again")
        for one in changes:
            path = self._folder / one.name
            try:
                if one.after is None:
                    path.unlink()
                else:
                    _replace(path.resolve(), one.after)
            except OSError as error:
                raise ChangeRefused(f"{path} cannot be written: {error.strerror or error}") from error

    def _file_of(self, identity: Identity) -> str | None:
        for name, text in self._after.items():
            if text and any(part.identity == identity for part in parts_of(text)):
                return name
        return None

    def _require(self, identity: Identity) -> str:
        file = self._file_of(identity)
        if file is None:
            raise ChangeRefused(f'no manifest of the kind {identity.kind} is named "{identity.name}"')
        return file


def new_problems(before: Catalog, after: Catalog, files: Iterable[str]) -> list[str]:
    """What a change would make wrong: every problem of the files that it touches, and what is new elsewhere."""
    touched = set(files)
    known = {str(problem) for problem in before.problems if problem.file not in touched}
    faults = [after.folderFault] if after.folderFault and after.folderFault != before.folderFault else []
    return [*(str(problem) for problem in after.problems if str(problem) not in known), *faults]


def documents_of(texts: Iterable[str]) -> list[tuple[Identity, str]]:
    """Identity and text of every document that has a kind and a name."""
    return [
        (part.identity, bare(part.text))
        for text in texts
        for part in parts_of(text)
        if part.identity.kind and part.identity.name
    ]


def _replace(path: Path, text: str) -> None:
    """All or nothing, under a name that is no manifest's until it is complete; mode and owner stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.bridgectl")
    try:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
        like = path if path.exists() else path.parent
        if path.exists():
            shutil.copymode(path, temporary)
        if os.geteuid() == 0:
            owner = like.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
