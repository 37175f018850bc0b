"""Tells when the manifest folder has changed: at once where the kernel says so, within seconds where it does not.

File notifications get lost: on network file systems, behind links, when the folder itself is replaced, when an editor
is clever. So they only hasten a comparison of names, sizes and times that is made anyway. Several changes within a
moment, as an editor makes when it saves, are one change.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from loguru import logger
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from bridge_operator.manifest_files import files_below

SETTLE_SECONDS = 0.2
COMPARE_SECONDS = 5.0

Picture = dict[str, tuple[int, int, int]]


class FileWatcher:
    """`changed` is called from one thread, after the folder has been quiet for SETTLE_SECONDS."""

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self._folder = folder
        self._changed = changed
        self._hint = threading.Event()
        self._observer: Any = None
        self._watchedInode = -1

    def run(self, stopping: threading.Event) -> None:
        before = picture_of(self._folder)
        try:
            while not stopping.is_set():
                self._keep_watching()
                if self._hint.wait(COMPARE_SECONDS):
                    self._settle(stopping)
                now = picture_of(self._folder)
                if now != before:
                    before = now
                    self._changed()
        finally:
            self._stop_watching()

    def wake(self) -> None:
        """Compare now: on a stop, and in tests."""
        self._hint.set()

    def _settle(self, stopping: threading.Event) -> None:
        while self._hint.is_set() and not stopping.is_set():
            self._hint.clear()
            stopping.wait(SETTLE_SECONDS)

    def _keep_watching(self) -> None:
        """Watch the folder that has the name now; another one may have taken its place."""
        try:
            inode = self._folder.stat().st_ino
        except OSError:
            inode = -1
        if inode == self._watchedInode and (self._observer is None or self._observer.is_alive()):
            return
        self._stop_watching()
        self._watchedInode = inode
        if inode == -1:
            return
        observer = Observer()
        try:
            observer.schedule(_Hinter(self._hint), str(self._folder), recursive=True)
            observer.start()
            self._observer = observer
        except OSError as error:
            logger.warning("no notifications for {}: {}; changes are found within {:.0f} s", self._folder, error,
                           COMPARE_SECONDS)  # fmt: skip

    def _stop_watching(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(2.0)
            self._observer = None


class _Hinter(FileSystemEventHandler):
    def __init__(self, hint: threading.Event) -> None:
        self._hint = hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Reading the manifests opens and closes files, too.
        if event.event_type not in ("opened", "closed_no_write"):
            self._hint.set()


def picture_of(folder: Path) -> Picture:
    """Size, time and inode, by path, of every file that a reader of `folder` may find; empty where it cannot be read.

    Every few seconds, over hundreds of files: so without a Path for each.
    """
    found: Picture = {}
    for path in files_below(folder):
        with suppress(OSError):
            facts = os.stat(path)
            if stat.S_ISREG(facts.st_mode):
                found[path] = (facts.st_size, facts.st_mtime_ns, facts.st_ino)
    return found
