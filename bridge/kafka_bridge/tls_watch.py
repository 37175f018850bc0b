"""Whether the certificates that this process has loaded are still those that its files hold."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kafka_bridge.config import TlsFiles

# The files are read so often at the most, however often the question is asked.
LOOK_SECONDS = 5.0


class TlsWatch:
    """Remembers the files as they were when it was made; clients load them once, at about that time."""

    def __init__(self, files: Sequence[TlsFiles], clock: Callable[[], float] = time.monotonic) -> None:
        self._paths = [Path(path) for one in files for path in (one.caFile, one.certificateFile, one.keyFile)]
        self._clock = clock
        self._loaded = self._digest()
        self._hasChanged = False
        self._lookedAt = clock()

    def has_changed(self) -> bool:
        """Files that cannot be read just now tell nothing."""
        now = self._clock()
        if now - self._lookedAt >= LOOK_SECONDS:
            self._lookedAt = now
            current = self._digest()
            self._hasChanged = None not in (current, self._loaded) and current != self._loaded
        return self._hasChanged

    def _digest(self) -> str | None:
        digest = hashlib.sha256()
        try:
            for path in self._paths:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            return None
        return digest.hexdigest()
