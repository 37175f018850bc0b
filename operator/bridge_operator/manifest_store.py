"""What the manifests say now, and what was last good: read anew on request, handed out without reading.

Between the folder and the controller; the accepted state survives a restart of the operator in a file.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from loguru import logger

from bridge_operator.accepted import Accepted, accept, forget
from bridge_operator.catalog import Catalog
from bridge_operator.state_files import StateFiles


class ManifestStore:
    """Thread-safe. `load` reads the folder; it never raises for what stands in the files."""

    def __init__(self, load: Callable[[], Catalog], files: StateFiles) -> None:
        self._load = load
        self._files = files
        self._lock = threading.Lock()
        self._catalog = Catalog(folderFault="the manifest folder has not been read yet")
        self._accepted = files.read_accepted()

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    @property
    def accepted(self) -> Accepted:
        return self._accepted

    def reload(self, runningGenerations: Mapping[str, int]) -> bool:
        """Read the folder again; True where anything is different."""
        catalog = self._load()
        with self._lock:
            changed = catalog != self._catalog
            accepted = accept(self._accepted, catalog, runningGenerations)
            for problem in catalog.problems if changed else ():
                logger.warning("manifest: {}", problem)
            if changed and catalog.folderFault:
                logger.warning("manifests: {}; nothing is changed or removed", catalog.folderFault)
            self._catalog = catalog
            if accepted != self._accepted:
                self._accepted = accepted
                self._files.write_accepted(accepted)
            return changed

    def forget(self, name: str) -> None:
        """The bridge is gone for good."""
        with self._lock:
            if name in self._accepted.bridges:
                self._accepted = forget(self._accepted, [name])
                self._files.write_accepted(self._accepted)


def schema_digests(folder: Path) -> dict[str, str]:
    """SHA-256 by file name of all schemas: a bridge whose schema changed has to be rolled."""
    digests = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        logger.warning("the schema folder cannot be read: {}", error)
    return digests
