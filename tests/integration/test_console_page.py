"""What the console shows of each state that matters, in a real Chromium; the reports are the test's own."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, expect

from bridge_operator.report import Event, OperatorReport
from support.bridgectl import ago, condition, problem, replica
from support.browser import DESK, PHONE, Visit, origin_of, visit
from support.pretend_operator import Figures, PretendOperator, conditions, crossing, operator_report
from support.stack import PROJECT_ROOT

SINCE = "no answer since 2030-01-02 11:56:40 UTC: 1 of 1 brokers are down"
LINKS = {"source": "ui/source/", "target": "ui/target/"}


@dataclass(frozen=True)
class Scene:
    """What the operator says, and what somebody must read at the top of the page."""

    report: OperatorReport
    level: str
    headline: str
    figures: dict[str, Figures] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


def steady(perSecond: float, lag: int = 3) -> Figures:
    return lambda age: (
        max(0, round(lag + lag * math.sin(age / 7))),
        max(0.0, perSecond * (1 + 0.15 * math.sin(age / 23) + 0.1 * math.sin(age / 5))),
    )


def stopped(perSecond: float, forSeconds: float) -> Figures:
    """It went well until then; from there the lag grows."""
    return lambda age: steady(perSecond)(age) if age > forSeconds else (round((forSeconds - age) * perSecond), 0.0)


def event(reason: str, message: str, seconds: float, bridge: str = "orders", isWarning: bool = False) -> Event:
    severity = "Warning" if isWarning else "Normal"
    return Event.model_validate(
        {"time": ago(seconds), "bridge": bridge, "type": severity, "reason": reason, "message": message}
    )


EVENTS = (
    event("Created", "replica 0: container plant-orders-0 was made", 5405),
    event("Created", "replica 1: container plant-orders-1 was made", 5403),
    event("Created", "replica 0: container plant-readings-0 was made", 3600, "readings"),
    event("RollingUpdate", "replica 0 gives way to a container of generation 3", 900, "readings"),
    event("Replaced", "replica 0 runs the current spec", 890, "readings"),
)
FIGURES = {"orders": steady(1240), "readings": steady(310), "invoices": steady(4, 1)}
READINGS, INVOICES = crossing("readings", 1), crossing("invoices", 1)


def well() -> Scene:
    return Scene(
        operator_report(crossing(lag=4), READINGS, INVOICES), "well", "All is well: 3 bridges copy", FIGURES, EVENTS
    )


def replica_down() -> Scene:
    down = replica(1, state="exited", ready=False, health="", restarts=3, message="exit code 137, out of memory;"
                   " next start in 14 s")  # fmt: skip
    crash = condition(
        "Degraded", "True", "CrashLoopBackOff", "replica 1 was started again 3 times; next try in 14 s", 26
    )
    ready = condition("Ready", "False", "ReplicasNotReady", "1 of 2 replicas are ready", 26)
    orders = crossing(
        lag=31_240, readyReplicas=1, conditions=conditions(Ready=ready, Degraded=crash),
        replicaReports=(replica(0, startedAt=ago(5400)), down),
    )  # fmt: skip
    crashed = event("BackOff", "replica 1 exited with code 137 again; next start in 40 s", 26, isWarning=True)
    figures = FIGURES | {"orders": stopped(1240, 26)}
    return Scene(operator_report(orders, READINGS, INVOICES), "bad", "1 of 3 bridges needs help", figures,
                 (*EVENTS, crashed))  # fmt: skip


def source_out() -> Scene:
    out = {
        "Ready": condition("Ready", "False", "SourceUnreachable", SINCE),
        "SourceReachable": condition("SourceReachable", "False", "Unreachable", SINCE),
    }
    reports = [crossing(name, count, conditions=conditions(**out), readyReplicas=0, lag=None,
                        replicaReports=tuple(replica(ordinal, name, ready=False, message="lane 0 Waiting: Transport")
                                             for ordinal in range(count)))
               for name, count in (("orders", 2), ("readings", 1))]  # fmt: skip
    figures = FIGURES | {"orders": stopped(1240, 200), "readings": stopped(310, 200)}
    return Scene(operator_report(*reports, INVOICES), "bad", "2 of 3 bridges need help", figures, EVENTS)


def wrong_manifest() -> Scene:
    wrong = problem(file="bridges/orders.yaml", found="many")
    message = "bridges/orders.yaml:14:13: spec.replicas: found many, expected a whole number from 0 to 64"
    invalid = condition(
        "ManifestValid", "False", "InvalidManifest", f"{message}; the last good manifest stays in force", 40
    )
    never = problem(
        file="bridges/new.yaml", line=3, column=1, fieldPath="", found="a tab", expected="blanks", name="new"
    )
    orders = crossing(conditions=conditions(ManifestValid=invalid))
    return Scene(operator_report(orders, READINGS, INVOICES, problems=(wrong, never)), "warn",
                 "Bridges copy, and something needs you", FIGURES, EVENTS)  # fmt: skip


def no_bridges() -> Scene:
    return Scene(operator_report(), "off", "No bridges")


def forty() -> Scene:
    names = [f"plant-{number:02}-orders" for number in range(1, 41)]
    unwell = {
        "plant-07-orders": replica_down().report.bridges[0],
        "plant-23-orders": source_out().report.bridges[1],
        "plant-31-orders": wrong_manifest().report.bridges[0],
    }
    bridges = [
        unwell[name].model_copy(update={"name": name}) if name in unwell else crossing(name, 1) for name in names
    ]
    figures = {name: steady(20 + 7 * index) for index, name in enumerate(names)}
    return Scene(operator_report(*bridges), "bad", "2 of 40 bridges need help", figures, EVENTS)


SCENES = {
    "well": well,
    "replica-down": replica_down,
    "source-out": source_out,
    "wrong-manifest": wrong_manifest,
    "no-bridges": no_bridges,
    "forty": forty,
}
README_SIZE = (1120, 700)
LOOKS = {
    "desk-light": (DESK, False),
    "desk-dark": (DESK, True),
    "phone-light": (PHONE, False),
    "phone-dark": (PHONE, True),
}


@pytest.fixture(name="operator")
def pretend_operator() -> Iterator[PretendOperator]:
    operator = PretendOperator(LINKS)
    operator.start()
    yield operator
    operator.stop()


def open_page(visited: Visit, operator: PretendOperator, scene: Scene) -> None:
    operator.say(scene.report, scene.figures, scene.events)
    visited.open(operator.url, "#main")
    expect(visited.page.locator("#verdict-title")).to_have_text(scene.headline)


def assert_nothing_is_cut_off(visited: Visit) -> None:
    """A page that scrolls sideways is not made for a phone."""
    wide = visited.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} pixels stick out"


@pytest.mark.parametrize("name", SCENES)
def test_a_state_is_seen_at_once(browser: Browser, operator: PretendOperator, name: str) -> None:
    scene = SCENES[name]()
    with visit(browser) as visited:
        open_page(visited, operator, scene)
        expect(visited.page.locator("#verdict")).to_have_attribute("data-level", scene.level)
        expect(visited.page.locator(".bridge")).to_have_count(len(scene.report.bridges))
        for look, (size, isDark) in LOOKS.items():
            visited.look_as(size, isDark)
            box = visited.page.locator("#verdict-title").bounding_box()
            assert box is not None
            assert box["y"] < size[1] / 2, "the verdict is what is seen first"
            visited.keep_picture(f"{name}-{look}")
            assert_nothing_is_cut_off(visited)
        assert visited.complaints() == []
        assert visited.origins == {origin_of(operator.url)}


def test_the_picture_in_the_readme_can_be_made_again(browser: Browser, operator: PretendOperator) -> None:
    with visit(browser, README_SIZE) as visited:
        open_page(visited, operator, replica_down())
        visited.keep_picture("console", fullPage=False)
        kept = struct.unpack(">II", (PROJECT_ROOT / "stack/pictures/console.png").read_bytes()[16:24])
        assert kept == README_SIZE


def test_dark_differs_from_light(browser: Browser, operator: PretendOperator) -> None:
    with visit(browser) as visited:
        open_page(visited, operator, well())
        colours = []
        for isDark in (False, True):
            visited.look_as(DESK, isDark)
            colours.append(visited.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(int(part) for part in re.findall(r"\d+", colour)) for colour in colours)
    assert light > 3 * 200
    assert dark < 3 * 60


def test_an_operator_that_is_gone_is_told_by_the_page_itself(browser: Browser, operator: PretendOperator) -> None:
    with visit(browser) as visited:
        open_page(visited, operator, well())
        expect(visited.page.locator("#silence")).to_be_hidden()
        expect(visited.page.locator("#pulse")).to_have_text("live")
        operator.stop()
        expect(visited.page.locator("#silence-title")).to_contain_text(
            re.compile(r"has not answered since \d\d:\d\d:\d\d \(\d+ s\): no connection"), timeout=8000
        )
        expect(visited.page).to_have_title(re.compile("No answer"))
        for look, (size, isDark) in LOOKS.items():
            visited.look_as(size, isDark)
            visited.keep_picture(f"silent-{look}", fullPage=False)
            assert_nothing_is_cut_off(visited)
        operator.start()
        expect(visited.page.locator("#silence")).to_be_hidden(timeout=8000)
        assert visited.complaints() == []


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (502, "", "the proxy cannot reach it (HTTP 502)"),
        (401, "", "it wants a login; load this page again"),
        (500, "", "it answers with HTTP 500"),
        (200, "<html>", "something else answers in its place"),
    ],
)
def test_why_there_is_no_answer_is_told(
    browser: Browser, operator: PretendOperator, status: int, body: str, said: str
) -> None:
    with visit(browser) as visited:
        visited.page.route("**/status", lambda route: route.fulfill(status=status, body=body))
        visited.page.goto(operator.url)
        expect(visited.page.locator("#silence-title")).to_have_text(f"The operator does not answer: {said}")
        expect(visited.page.locator("#silence-text")).to_contain_text(re.compile(r"Asked since \d\d:\d\d:\d\d"))
        expect(visited.page.locator("#main")).to_be_hidden()


def test_bridges_between_other_networks_have_a_picture_of_their_own(
    browser: Browser, operator: PretendOperator
) -> None:
    other = crossing("billing", 1, source="branch", sourceNetwork="branch1", target="office", targetNetwork="office2")
    scene = Scene(operator_report(crossing(), other, READINGS), "well", "All is well: 3 bridges copy")
    with visit(browser) as visited:
        open_page(visited, operator, scene)
        groups = visited.page.locator(".group")
        expect(groups).to_have_count(2)
        expect(groups.first.locator(".band strong")).to_have_text(["branch1", "network2", "office2"])
        expect(groups.last.locator(".bridge h3")).to_have_text(["orders", "readings"])
        visited.keep_picture("two-pairs-desk-light")


def test_what_somebody_has_switched_off_is_no_trouble(browser: Browser, operator: PretendOperator) -> None:
    off = condition("Ready", "False", "Suspended", "the manifest says suspend: true")
    suspended = crossing("nightly", 0, conditions=conditions(Ready=off), lag=None, recordsCopied=None)
    scene = Scene(operator_report(crossing(), suspended), "well", "All is well: 1 bridge copies", FIGURES)
    with visit(browser) as visited:
        open_page(visited, operator, scene)
        expect(visited.page.locator("#troubles li")).to_have_count(0)
        expect(visited.page.locator("#bridge-nightly")).to_have_attribute("data-level", "off")
        expect(visited.page.locator("#bridge-nightly")).to_contain_text("Suspended")
        visited.keep_picture("suspended-desk-light")


def test_an_engine_that_is_out_is_the_first_thing_told(browser: Browser, operator: PretendOperator) -> None:
    lost = conditions(**{
        name: condition(name, "Unknown", "EngineUnreachable", "connection refused", 8)
        for name in ("Ready", "Progressing", "SourceReachable", "TargetReachable", "Degraded")
    })  # fmt: skip
    said = operator_report(
        crossing(conditions=lost), crossing("readings", 1, conditions=lost),
        engineReachable=False, engineMessage="the engine does not answer: connection refused",
    )  # fmt: skip
    with visit(browser) as visited:
        open_page(visited, operator, Scene(said, "bad", "The Docker engine does not answer", FIGURES))
        expect(visited.page.locator("#troubles li")).to_have_count(1)
        expect(visited.page.locator("#troubles li")).to_contain_text("connection refused")
        visited.keep_picture("engine-out-desk-light")


def test_text_of_the_server_is_only_text(browser: Browser, operator: PretendOperator) -> None:
    """A manifest's words come from files that anybody may have written."""
    markup = "<img src=x onerror=alert(1)>"
    wrong = problem(found=markup, name="new")
    scene = Scene(operator_report(problems=(wrong,)), "warn", "Nothing runs, and something needs you",
                  events=(event("Created", markup, 5),))  # fmt: skip
    with visit(browser) as visited:
        open_page(visited, operator, scene)
        expect(visited.page.locator("#troubles")).to_contain_text(markup)
        expect(visited.page.locator("#events")).to_contain_text(markup)
        assert visited.page.locator("img[src=x]").count() == 0


def test_details_tell_conditions_and_replicas_and_stay_open(browser: Browser, operator: PretendOperator) -> None:
    with visit(browser, PHONE) as visited:
        open_page(visited, operator, replica_down())
        card = visited.page.locator("#bridge-orders")
        card.locator("summary").click()
        expect(card.locator(".facts").first).to_contain_text("Degraded: True")
        expect(card.locator(".facts").last).to_contain_text("plant-orders-1 exit code 137")
        with visited.page.expect_response("**/status"):
            pass
        expect(card.locator(".facts").last).to_be_visible()
        visited.keep_picture("details-phone-light")
        assert_nothing_is_cut_off(visited)
        visited.look_as(DESK, isDark=True)
        visited.keep_picture("details-desk-dark")


def test_a_bridge_is_found_among_many(browser: Browser, operator: PretendOperator) -> None:
    with visit(browser) as visited:
        open_page(visited, operator, forty())
        names = visited.page.locator(".bridge h3")
        expect(names.first).to_have_text("plant-07-orders")
        visited.page.get_by_label("Find").fill("plant-2")
        expect(names).to_have_count(10)
        expect(names.first).to_have_text("plant-23-orders")


def test_figures_are_there_as_soon_as_the_page_is(browser: Browser, operator: PretendOperator) -> None:
    with visit(browser) as visited:
        open_page(visited, operator, well())
        chart = visited.page.locator("#bridge-orders .chart").last
        expect(chart.locator(".value")).to_have_text(re.compile(r"^1,[0-9]{3} records/s$"))
        expect(chart.locator("svg")).to_have_attribute("aria-label", re.compile("Throughput over the last 10 min"))
        points = chart.locator(".line").get_attribute("d") or ""
        assert points.count("L") > 250, "ten minutes in rounds of two seconds"
        chart.locator("svg").hover(position={"x": 30, "y": 20})
        expect(chart.locator(".value")).to_contain_text("min ago)")


def test_links_lead_to_other_pages_of_the_proxy(browser: Browser, operator: PretendOperator) -> None:
    with visit(browser) as visited:
        open_page(visited, operator, no_bridges())
        for name, path in LINKS.items():
            expect(visited.page.get_by_role("link", name=f"Kafka UI: {name}")).to_have_attribute("href", path)
