"""Ends the process when its name stands for another address than it listens at, so that the engine starts it anew.

A container that is taken off a network and attached again has, as a rule, another address there.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 5.0


def end_when_moved(host: str) -> None:
    """Watch `host`, in a thread."""
    threading.Thread(target=watch, args=(host, socket.gethostbyname, _end, time.sleep), daemon=True).start()


def watch(
    host: str, resolve: Callable[[str], str], end: Callable[[str], object], rest: Callable[[float], object]
) -> None:
    """`resolve` gives an address or raises OSError: off the network, a name stands for nothing. `end` gets a sentence;
    nothing is watched after it.
    """
    first = ""
    while True:
        try:
            now = resolve(host)
        except OSError:
            now = first
        if first and now != first:
            end(f"{host} was {first} and is {now}: starting anew, to listen there")
            return
        first = now
        rest(LOOK_SECONDS)


def _end(why: str) -> None:
    sys.stderr.write(f"{why}\n")
    sys.stderr.flush()
    # Its main thread serves, and sessions have processes that end with the container.
    os._exit(1)
