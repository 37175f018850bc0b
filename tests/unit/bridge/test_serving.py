"""The HTTP server of replicas and operator: it answers, it ends, and it does next to nothing while nobody asks."""

from __future__ import annotations

import socket
import time
import urllib.request
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kafka_bridge.serving import QuietServer, serve
from support.stack import free_port, wait_until


def say_yes(request: Request) -> Response:
    return PlainTextResponse("yes")


def test_it_answers_until_it_is_ended_and_hardly_wakes_up_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    wakings: list[float] = []
    tick = QuietServer.on_tick

    async def counted(self: QuietServer, counter: int) -> bool:
        wakings.append(time.monotonic())
        return await tick(self, counter)

    monkeypatch.setattr(QuietServer, "on_tick", counted)
    port = int(free_port())

    def answer() -> str | None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
            assert response.headers["Date"]
            return str(response.read().decode())
        return None

    end = serve(Starlette(routes=[Route("/", say_yes)]), "127.0.0.1", port)
    assert wait_until("it answers", answer, 10, 0.05) == "yes"
    wait_until("it has woken up three times", lambda: len(wakings) >= 3, 20, 0.05)
    assert wakings[2] - wakings[0] >= 1.9
    wait_until("it has just gone to sleep", lambda: time.monotonic() - wakings[-1] < 0.1, 20, 0.01)

    asked = time.monotonic()
    end()

    def is_closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    assert wait_until("it has ended", is_closed, 20, 0.05)
    assert time.monotonic() - asked < 0.9, "it waited for its next tick"
    end()
