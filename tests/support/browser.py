"""A page in a real browser: Chromium as the distribution packs it, headless, with an empty profile for each page.

Whatever the page complains of, and wherever it asks, is kept, so that a test can demand that there was nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, HttpCredentials, Page, sync_playwright

# tests/lib/browser.sh installs the first of them where there is none.
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the pages of the test: no sandbox, since root has none, and no calls to its maker.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = (390, 844)
DESK = (1280, 900)
# A folder that pictures are kept in; without it none are taken.
SCREENSHOTS_VARIABLE = "TESTS_SCREENSHOTS"


# Chromium gives up what is under way when any network of the machine comes or goes, a container's included.
DISTURBED = "ERR_NETWORK_CHANGED"


@dataclass
class Visit:
    """One page, and what it has done: errors on its console or in its scripts, and the origins it has asked."""

    page: Page
    errors: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.origins.add(origin_of(request.url)))

    def open(self, url: str, sign: str) -> None:
        """Load a page until `sign`, a selector, shows; again where a network of others has disturbed it."""
        for attempt in range(5):
            try:
                self.page.goto(url)
                self.page.locator(sign).wait_for(timeout=20_000)
                return
            except Error as failure:
                if attempt == 4 or DISTURBED not in f"{failure} {self.errors}":
                    raise

    def complaints(self) -> list[str]:
        """Errors, but for those of connections: who is out of reach, or whose network has changed."""
        return [error for error in self.errors if "ERR_CONNECTION" not in error and DISTURBED not in error]

    def look_as(self, size: tuple[int, int], isDark: bool) -> None:
        """Another width, height and taste."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme="dark" if isDark else "light")

    def keep_picture(self, name: str, fullPage: bool = True) -> None:
        """A PNG, where somebody wants it."""
        folder = os.environ.get(SCREENSHOTS_VARIABLE)
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=fullPage)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@contextmanager
def running_browser() -> Iterator[Browser]:
    executable = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert executable, f"no browser ({', '.join(NAMES)}); tests/run installs one"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(
    browser: Browser,
    size: tuple[int, int] = DESK,
    isDark: bool = False,
    login: tuple[str, str] | None = None,
    trustsAnyone: bool = False,
) -> Iterator[Visit]:
    """An empty page of its own profile. `size` is width and height in CSS pixels, `login` a user and a password.

    `trustsAnyone` leaves certificates unchecked: Chromium takes CAs only from a database of the machine's user, which
    a test must not change. Who sets it checks the chain otherwise.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if isDark else "light",
        http_credentials=HttpCredentials(username=login[0], password=login[1]) if login else None,
        ignore_https_errors=trustsAnyone,
        locale="en-GB",
        timezone_id="UTC",
    )
    try:
        yield Visit(context.new_page())
    finally:
        context.close()


@pytest.fixture(scope="module", name="browser")
def module_browser() -> Iterator[Browser]:
    """For a conftest.py to import."""
    with running_browser() as browser:
        yield browser
