"""A bridge for tests of the operator: it copies nothing, and says of itself what it is told to say.

Runs in a container, on the standard library alone. Without being told anything, it copies all lanes of its
configuration between two clusters that answer. What is told goes when it is started again:

    /tmp/say.json   replaces fields of its status
    /tmp/ill        /healthz answers 503
    /tmp/eat        it takes memory without an end
"""

import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import time
from datetime import UTC, datetime

CONFIG = json.loads(os.environ["BRIDGE_CONFIG"])
TOLD = pathlib.Path("/tmp")


def now() -> str:
    return datetime.now(UTC).isoformat()


STARTED_AT = now()


def status() -> dict[str, object]:
    lanes = [lane for lane in range(CONFIG["lanes"]) if lane % CONFIG["replicas"] == CONFIG["ordinal"]]
    cluster = {"reachable": True, "since": STARTED_AT}
    said = {
        "instance": CONFIG["instance"],
        "bridge": CONFIG["bridge"],
        "ordinal": CONFIG["ordinal"],
        "startedAt": STARTED_AT,
        "ready": True,
        "source": {"name": "source", "clusterId": "s", **cluster},
        "target": {"name": "target", "clusterId": "t", **cluster},
        "lanes": [{"lane": one, "state": "Copying", "since": STARTED_AT, "lastCopying": now()} for one in lanes],
    }
    if (TOLD / "say.json").exists():
        said |= json.loads((TOLD / "say.json").read_text())
    return said


class Face(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # pylint: disable=invalid-name  # the library's own
        isIll = self.path == "/healthz" and (TOLD / "ill").exists()
        body = json.dumps(status()).encode() if self.path == "/status" else b"ok\n"
        self.send_response(503 if isIll else 200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def eat() -> None:
    eaten = []
    while True:
        while (TOLD / "eat").exists():
            eaten.append(bytearray(os.urandom(1024)) * 4096)
        time.sleep(0.1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for name in ("say.json", "ill", "eat"):
        (TOLD / name).unlink(missing_ok=True)
    threading.Thread(target=eat, daemon=True).start()
    http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Face).serve_forever()
