"""The Kafka UI in a real browser, through the proxy: topics, groups, decoded records, and nothing that writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, WebSocket

from support.browser import Visit, origin_of, visit
from support.door import Door
from support.stack import Stack, wait_until

ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_]|\][^\x07]*\x07)")
SIDES = ("source", "target")


class Terminal:
    """What the page's terminal was sent, as text: the page itself paints it as a picture."""

    def __init__(self, shown: Visit) -> None:
        self.shown = shown
        self._received = b""
        shown.page.on("websocket", self._listen)

    def waits_for(self, pattern: str, seconds: float = 40) -> str:
        """The first match in what came since the last keys."""

        def probe() -> re.Match[str] | None:
            # Frames arrive while the driver is asked for something.
            self.shown.page.wait_for_timeout(50)
            return re.search(pattern, self.text())

        return str(wait_until(f"{pattern} in the terminal", probe, seconds, 0.1)[0])

    def text(self) -> str:
        return ESCAPES.sub(b" ", self._received).decode("utf-8", "replace")

    def press(self, *keys: str) -> None:
        self._received = b""
        for key in keys:
            self.shown.page.keyboard.press(key)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)

    def _take(self, payload: str | bytes) -> None:
        self._received += payload if isinstance(payload, bytes) else b""


@contextmanager
def opened(browser: Browser, door: Door, side: str, host: str = "127.0.0.1") -> Iterator[Terminal]:
    # The chain is verified by test_proxy.py.
    with visit(browser, login=door.login, trustsAnyone=True) as shown:
        terminal = Terminal(shown)
        shown.page.goto(door.url(f"/ui/{side}/", host))
        terminal.waits_for(r"\borders\b")
        yield terminal
        assert shown.errors == []
        assert shown.origins == {origin_of(door.url("/", host))}


@pytest.mark.parametrize("side", SIDES)
def test_topics_and_decoded_records_of_each_cluster(browser: Browser, door: Door, side: str) -> None:
    with opened(browser, door, side) as terminal:
        terminal.waits_for(rf"{side}-kafka:9093")
        terminal.shown.keep_picture(f"ui-{side}-topics")
        terminal.press("/", *"orders", "Enter")
        terminal.press("r")
        # Of the schema: the bytes of a raw Avro datum hold no field's name.
        value = terminal.waits_for(r"orderId\W[^}]*customerId")
        assert value
        terminal.shown.keep_picture(f"ui-{side}-records")


def test_groups_are_shown_with_their_lag(browser: Browser, door: Door) -> None:
    with opened(browser, door, "target", host="localhost") as terminal:
        terminal.press("/", *"orders", "Enter")
        terminal.press("d")
        terminal.waits_for(r"Groups")
        terminal.shown.keep_picture("ui-target-topic")


def test_nothing_is_offered_that_writes(stack: Stack, browser: Browser, door: Door) -> None:
    with opened(browser, door, "source") as terminal:
        terminal.press("n", "e", "Control+d", "Control+n")
        # Help is drawn behind whatever those keys have opened.
        terminal.press("?")
        shown = terminal.waits_for(r"(?s)Records from the Beginning.*")
        assert "Filter" in terminal.text()
        assert [word for word in ("Create", "Edit", "Delete", "Export") if word in shown + terminal.text()] == []
