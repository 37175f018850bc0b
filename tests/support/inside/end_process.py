"""end_process.py WORD: SIGTERM to every process of this container with that word among its arguments."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

for entry in Path("/proc").iterdir():
    if entry.name.isdigit() and int(entry.name) != os.getpid():
        words = (entry / "cmdline").read_bytes().split(b"\0")
        if sys.argv[1].encode() in words and b"/tools/kafka_tool.py" in words:
            os.kill(int(entry.name), signal.SIGTERM)
