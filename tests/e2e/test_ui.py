"""Console and Kafka UI in a real browser, through the proxy: bridges, topics, groups, records; nothing that writes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Error, WebSocket, expect

from support.browser import DISTURBED, Visit, origin_of, visit
from support.door import Door
from support.stack import Stack, wait_until

ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_]|\][^\x07]*\x07)")
# At the target, the topic of positions has the same word in its name, and stands before it.
TO_ORDERS = {"source": ("/", *"orders", "Enter"), "target": ("/", *"orders", "Enter", "ArrowDown")}
SIDES = ("source", "target")
# So often in a row a scenario may not be what is wrong.
MISSES = 3
# How the terminal complains of a machine that is busy.
SLOW = "task queue exceeded allotted deadline"


class Terminal:
    """What the page's terminal was sent, as text: the page itself paints it as a picture."""

    def __init__(self, shown: Visit) -> None:
        self.shown = shown
        self._received = b""
        shown.page.on("websocket", self._listen)

    def waits_for(self, pattern: str, seconds: float = 20) -> str:
        """The first match in what came since the last keys."""

        def probe() -> re.Match[str] | None:
            # Frames arrive while the driver is asked for something.
            self.shown.page.wait_for_timeout(50)
            return re.search(pattern, self.text())

        try:
            return str(wait_until(f"{pattern} in the terminal", probe, seconds, 0.1)[0])
        except AssertionError as late:
            raise AssertionError(f"{late}; it shows: {self.text()[-3000:]}") from late

    def text(self) -> str:
        return ESCAPES.sub(b" ", self._received).decode("utf-8", "replace")

    def press(self, *keys: str) -> None:
        self._received = b""
        for key in keys:
            self.shown.page.keyboard.press(key)
            # As people type: a window that a key opens gets the next one.
            self.shown.page.wait_for_timeout(200)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)

    def _take(self, payload: str | bytes) -> None:
        self._received += payload if isinstance(payload, bytes) else b""


def in_browser(
    browser: Browser, door: Door, side: str, scenario: Callable[[Terminal], None], host: str = "127.0.0.1"
) -> None:
    """Open the UI of one cluster and go through a scenario.

    Again where a network of others has disturbed it, or where it did not come through: the list is read anew every
    30 s, which sets its cursor back, and a window shows what was known of a topic when it was opened.
    """
    misses = 0
    for _ in range(6):
        # The chain is verified by test_proxy.py.
        with visit(browser, login=door.login, trustsAnyone=True) as shown:
            terminal = Terminal(shown)
            try:
                shown.page.goto(door.url(f"/ui/{side}/", host))
                terminal.waits_for(rf"{side}-kafka:9093")
                terminal.waits_for(r"\borders\b")
                scenario(terminal)
            except (Error, AssertionError) as failure:
                misses += DISTURBED not in f"{failure} {shown.errors}"
                if misses == MISSES:
                    raise
                continue
            assert [error for error in shown.complaints() if not error.startswith(SLOW)] == []
            assert shown.origins == {origin_of(door.url("/", host))}
            return
    raise AssertionError("the networks of this machine change all the time")


@pytest.mark.parametrize("side", SIDES)
def test_topics_and_decoded_records_of_each_cluster(browser: Browser, door: Door, side: str) -> None:
    def scenario(terminal: Terminal) -> None:
        terminal.shown.keep_picture(f"ui-{side}-topics")
        terminal.press(*TO_ORDERS[side], "r")
        # The field's name is the schema's: a raw Avro datum holds none.
        terminal.waits_for(r"'orderId': '\w+-\d+'")
        terminal.shown.keep_picture(f"ui-{side}-records")
        terminal.press("Escape")
        terminal.waits_for("Newest Records")

    in_browser(browser, door, side, scenario)


def test_groups_are_shown_with_their_lag(stack: Stack, browser: Browser, door: Door) -> None:
    broker = stack.service("target-kafka")
    command = ("kafka-tool", "groups", "--group", "billing", "--topic", "orders", "--reset-offsets", "--to-earliest")
    stack.docker("exec", broker, *command, "--execute")

    def scenario(terminal: Terminal) -> None:
        terminal.press(*TO_ORDERS["target"], "d")
        # Of a window that is open, the terminal is sent only what differs: there is no word to wait for.
        terminal.shown.page.wait_for_timeout(2_000)
        terminal.press("ArrowRight", "ArrowRight")
        terminal.waits_for("billing")
        terminal.shown.keep_picture("ui-target-groups")

    in_browser(browser, door, "target", scenario, "localhost")


def test_nothing_is_offered_that_writes(browser: Browser, door: Door) -> None:
    def scenario(terminal: Terminal) -> None:
        terminal.press("n", "e", "Control+d", "Control+n")
        # Help lists the keys of the window in front: none of those has opened another.
        terminal.press("?")
        terminal.waits_for("Records from the Beginning")
        terminal.shown.keep_picture("ui-source-help")
        assert [word for word in ("Create", "Edit", "Delete", "Export", "Commands") if word in terminal.text()] == []

    in_browser(browser, door, "source", scenario)


def test_one_that_is_attached_again_at_another_address_is_there_again(stack: Stack, door: Door) -> None:
    name, network = stack.service("ui-source"), stack.network("network2")

    def address() -> str:
        return str(stack.facts(name)["NetworkSettings"]["Networks"][network]["IPAddress"])

    before, started = address(), stack.facts(name)["State"]["StartedAt"]
    stack.docker("network", "disconnect", network, name)
    # It would be given back what it had, if nobody else took it.
    other = stack.docker("run", "--detach", "--rm", "--network", network, "debian:trixie-slim", "sleep", "120")
    try:
        stack.docker("network", "connect", "--alias", "ui-source", "--alias", "ui-source-web", network, name)
        assert address() != before
        wait_until("it was started anew", lambda: stack.facts(name)["State"]["StartedAt"] != started, 60)
        wait_until("it is healthy", lambda: stack.facts(name)["State"]["Health"]["Status"] == "healthy", 60)
        wait_until("the proxy finds it", lambda: door.get("/ui/source/").status_code == 200, 60)
    finally:
        stack.docker("rm", "--force", other, wanted=None)


def test_the_console_is_behind_the_same_login_and_leads_to_the_uis(browser: Browser, door: Door) -> None:
    # The chain is verified by test_proxy.py.
    with visit(browser, login=door.login, trustsAnyone=True) as shown:
        shown.open(door.url("/"), "#main")
        expect(shown.page.locator("#bridge-orders")).to_have_attribute("data-level", "well", timeout=20_000)
        expect(shown.page.locator("#links a")).to_have_text(["Kafka UI: source", "Kafka UI: target"])
        shown.keep_picture("console-behind-proxy")
        assert shown.complaints() == []
        assert shown.origins == {origin_of(door.url("/"))}
        shown.page.get_by_text("Kafka UI: target").click()
        shown.page.wait_for_url(door.url("/ui/target/"))
