"""Serves the Kafka UI to browsers: a page with a terminal, and behind each a process of its own (cluster_view.py).

The page finds its parts and its WebSocket by relative addresses, so it works under any prefix of any proxy.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from address_watch import end_when_moved
from textual_serve.server import Server
from ui_settings import SettingError, read_settings

HERE = Path(__file__).resolve().parent
PORT = 8080


def main() -> None:
    try:
        settings = read_settings(os.environ)
    except SettingError as fault:
        sys.exit(f"error: {fault}")
    # Health checks would fill the log; the proxy logs what people ask for.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    # A name that stands for this container on one network alone: on the others, nobody is asked for a login.
    host = os.environ.get("UI_HOST", "localhost")
    end_when_moved(host)
    Server(
        f"exec {sys.executable} {HERE / 'cluster_view.py'}",
        host=host,
        port=PORT,
        title=settings.bootstrapServers,
        statics_path=HERE / "static",
        templates_path=HERE / "templates",
    ).serve()


if __name__ == "__main__":
    main()
