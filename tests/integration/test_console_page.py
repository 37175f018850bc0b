"""What the console shows of each state that matters, in a real Chromium; the reports are the test's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, expect

from bridge_operator.report import Event, OperatorReport
from support.bridgectl import ago, condition, problem, replica
from support.browser import DESK, PHONE, Visit, origin_of, visit
from support.pretend_operator import Figures, PretendOperator, conditions, crossing, operator_report

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
    visited.page.goto(operator.url)
    expect(visited.page.locator("#verdict-title")).to_have_text(scene.headline)


def assert_nothing_is_cut_off(visited: Visit) -> None:
    """A page that scrolls sideways is not made for a phone."""
    wide = visited.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} pixels stick out"


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", SCENES)
def test_a_state_is_seen_at_once(browser: Browser, operator: PretendOperator, name: str, look: str) -> None:
    size, isDark = LOOKS[look]
    scene = SCENES[name]()
    with visit(browser, size, isDark) as visited:
        open_page(visited, operator, scene)
        expect(visited.page.locator("#verdict")).to_have_attribute("data-level", scene.level)
        expect(visited.page.locator(".bridge")).to_have_count(len(scene.report.bridges))
        box = visited.page.locator("#verdict-title").bounding_box()
        assert box is not None
        assert box["y"] < size[1] / 2, "the verdict is what is seen first"
        visited.keep_picture(f"{name}-{look}")
        assert_nothing_is_cut_off(visited)
        assert visited.errors == []
        assert visited.origins == {origin_of(operator.url)}
