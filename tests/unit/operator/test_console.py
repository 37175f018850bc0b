"""What the operator serves for the console: every file of the page, figures, events, links; and how it serves them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from starlette.testclient import TestClient

from bridge_operator.console import PAGE_FOLDER, console_routes
from bridge_operator.history import History
from bridge_operator.recent_events import KEPT_EVENTS, RecentEvents
from bridge_operator.report import Event, EventsReport, HistoryReport
from bridge_operator.settings import Settings
from bridge_operator.web import build_app
from support.bridgectl import NOW, bridge, container, report
from support.fake_engine import FakeClock
from support.pretend_operator import status_of
from support.project_files import PROJECT_ROOT, read

FILES = sorted(str(path.relative_to(PAGE_FOLDER)) for path in PAGE_FOLDER.rglob("*") if path.is_file())
TYPES = {".html": "text/html", ".css": "text/css", ".js": "javascript", ".svg": "image/svg+xml"}
LINKS = {"source": "ui/source/"}


class Served:
    """An operator's face, with what the test lets happen."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.history = History(self.clock)
        self.events = RecentEvents()
        routes = console_routes(self.history, self.events, LINKS)
        self.client = TestClient(build_app(lambda: report(bridge()), CollectorRegistry(), routes))

    def poll(self, records: int, lag: int = 0) -> None:
        self.clock.advance(2)
        one = container()
        self.history.note([one], {one.id: status_of("orders", lag, records)})

    def happen(self, message: str) -> None:
        self.events.add(Event(time=NOW, bridge="orders", reason="Restarted", message=message))


@pytest.fixture(name="served")
def served_console() -> Served:
    return Served()


def test_there_is_a_page_with_files() -> None:
    assert {"index.html", "console/main.js", "console/console.css", "console/icon.svg"} <= set(FILES)


@pytest.mark.parametrize("path", FILES)
def test_every_file_is_served_with_its_type_and_headers(served: Served, path: str) -> None:
    answer = served.client.get(f"/{path}")
    assert answer.status_code == 200
    assert answer.content == (PAGE_FOLDER / path).read_bytes()
    assert TYPES[Path(path).suffix] in answer.headers["content-type"]
    again = served.client.get(f"/{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/status", "/events", "/history", "/links", "/console/main.js", "/nothing"])
def test_every_answer_is_for_this_page_alone(served: Served, path: str) -> None:
    headers = served.client.get(path).headers
    assert headers["content-security-policy"].split("; ")[0] == "default-src 'self'"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


def test_the_page_stands_at_the_root(served: Served) -> None:
    answer = served.client.get("/")
    assert (answer.status_code, answer.content) == (200, (PAGE_FOLDER / "index.html").read_bytes())


def test_files_that_are_not_of_the_page_are_not_served(served: Served) -> None:
    assert served.client.get("/console/../../settings.py").status_code == 404
    assert served.client.get("/%2e%2e/settings.py").status_code == 404


@pytest.mark.parametrize("path", FILES)
def test_the_page_is_relative_and_holds_no_script_or_style_of_its_own(path: str) -> None:
    """Behind a prefix an absolute path leads astray; the browser refuses what is inline."""
    text = (PAGE_FOLDER / path).read_text(encoding="utf-8")
    assert re.findall(r"""(?:href|src)="[/h][^"]*|url\(|fetch\(["'`]/|from ["'](?!\./)[^"']*""", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=\"|<script(?![^>]*\ssrc=)", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text) == []


def test_the_page_is_packed_with_the_operator() -> None:
    wanted = tomllib.loads(read("operator/pyproject.toml"))["tool"]["setuptools"]["package-data"]["bridge_operator"]
    packed = {path for pattern in wanted for path in (PROJECT_ROOT / "operator/bridge_operator").glob(pattern)}
    assert {PAGE_FOLDER / path for path in FILES} <= packed


def luminance(colour: str) -> float:
    """As the W3C's guidelines for accessible content define it, of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("level", ["well", "bad", "warn", "busy", "off", "unknown"])
def test_what_is_written_can_be_read(palette: int, level: str) -> None:
    """4.5 is what the guidelines ask of text."""
    blocks = re.findall(r":root \{(.*?)\}", read("operator/bridge_operator/page/console/console.css"), re.DOTALL)
    assert len(blocks) == 2
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[palette]))
    assert {"--" + name for name in colours} >= {"--text", "--quiet", "--accent", "--surface", "--ground"}
    grounds = [colours[name] for name in ("ground", "surface", "band", "band-inner", f"{level}-ground")]
    for name in (level, "text", "quiet", "accent"):
        assert min(contrast(colours[name], ground) for ground in grounds) >= 4.5, name


def test_history_tells_what_was_copied(served: Served) -> None:
    served.poll(100, lag=7)
    served.poll(160, lag=3)
    told = HistoryReport.model_validate_json(served.client.get("/history").text)
    assert told == served.history.report()
    assert told.bridges["orders"].lag == (7, 3)


def test_history_goes_on_from_what_the_page_has(served: Served) -> None:
    served.poll(100)
    after = served.history.report().bridges["orders"].times[-1]
    served.poll(160)
    told = HistoryReport.model_validate_json(served.client.get(f"/history?after={after}").text)
    assert len(told.bridges["orders"].times) == 1


def test_history_says_what_it_does_not_understand(served: Served) -> None:
    answer = served.client.get("/history?after=yesterday")
    assert (answer.status_code, answer.text) == (400, "after: expected seconds since the epoch\n")


def test_events_are_sent_again_only_when_there_are_others(served: Served) -> None:
    served.happen("once")
    first = served.client.get("/events")
    assert [one.message for one in EventsReport.model_validate_json(first.text).events] == ["once"]
    known = {"If-None-Match": f"W/{first.headers['etag']}"}
    assert served.client.get("/events", headers=known).status_code == 304
    served.happen("twice")
    second = served.client.get("/events", headers=known)
    assert second.status_code == 200
    assert [one.message for one in EventsReport.model_validate_json(second.text).events] == ["once", "twice"]


def test_the_newest_events_are_kept_with_those_of_a_former_operator() -> None:
    former = [Event(time=NOW, reason="Created", message=str(number)) for number in range(KEPT_EVENTS)]
    events = RecentEvents(former)
    events.add(Event(time=NOW, reason="Removed", message="last"))
    kept = [one.message for one in events.report().events]
    assert (len(kept), kept[0], kept[-1]) == (KEPT_EVENTS, "1", "last")
    assert RecentEvents(former).version != RecentEvents(former).version, "another operator has other events"


def test_links_are_those_of_the_settings(served: Served) -> None:
    assert served.client.get("/links").json() == LINKS
    settings = Settings(consoleLinks="source=ui/source/ target=ui/target/")
    assert settings.links_by_name() == {"source": "ui/source/", "target": "ui/target/"}
    assert Settings(consoleLinks="").links_by_name() == {}


@pytest.mark.parametrize("text", ["source=//elsewhere/", "source=javascript:alert", "source=/ui/", "source", "=ui/"])
def test_links_that_lead_away_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Settings(consoleLinks=text)
