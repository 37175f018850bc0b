"""Finds the files of a manifest folder and reads their bytes, whatever stands there.

Never raises and never hangs, on links and pipes neither: what cannot be read is said in a sentence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".yaml", ".yml")
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as text. With `fault` (what was found, what was expected) the text is incomplete or missing."""

    name: str
    text: str
    fault: tuple[str, str] | None = None
    isReadable: bool = True


def read_folder(folder: Path) -> Iterator[SourceFile]:
    """Every manifest file at any depth, sorted by its path below `folder`, by which it is named."""
    unreadable: list[SourceFile] = []

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            unreadable.append(_unreadable(Path(error.filename).relative_to(folder).as_posix(), error))

    paths = [path for path in map(Path, files_below(folder, note)) if is_manifest_name(path.name)]
    found = [read_file(path, path.relative_to(folder).as_posix()) for path in paths]
    return iter(sorted((file for file in (*found, *unreadable) if file is not None), key=lambda file: file.name))


def files_below(folder: Path, note: Callable[[OSError], None] | None = None) -> Iterator[str]:
    """Whatever is no folder, at any depth, by its path; hidden folders are left out. `note` hears of those that cannot
    be read.
    """
    visited: set[tuple[int, int]] = set()
    # Links are followed, because mounted configuration is made of them; a circle of them ends at a folder seen before.
    for current, subfolders, files in os.walk(folder, onerror=note, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        try:
            status = os.stat(current)
        except OSError:
            subfolders.clear()
            continue
        if (status.st_dev, status.st_ino) in visited:
            subfolders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        for name in files:
            yield f"{current}/{name}"


def is_manifest_name(name: str) -> bool:
    """Not what editors leave beside a file: their names are hidden, or end or begin otherwise."""
    return name.lower().endswith(SUFFIXES) and not name.startswith((".", "#"))


def read_file(path: Path, name: str) -> SourceFile | None:
    """One file under the name that messages use; None where it has just been removed."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # Opening a pipe would wait for its writer.
            return SourceFile(name, "", ("something that is no file", "a file that can be read"), isReadable=False)
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        return _unreadable(name, error) if path.is_symlink() else None
    except OSError as error:
        return _unreadable(name, error)
    text = decoded(content)
    if len(content) > MAX_BYTES:
        return SourceFile(name, text, (f"a file of more than {MAX_BYTES // 1024} KiB", "several smaller files"))
    return SourceFile(name, text)


def decoded(content: bytes) -> str:
    """Bytes that are no UTF-8 stay visible to the reader of YAML, which can tell their place."""
    return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="surrogateescape")


def _unreadable(name: str, error: OSError) -> SourceFile:
    found = f"nothing that can be read ({error.strerror or error})"
    return SourceFile(name, "", (found, "a file or folder that the operator may read"), isReadable=False)
