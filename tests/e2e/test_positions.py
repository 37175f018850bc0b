"""What moves a bridge's positions when its manifest is edited: another number of lanes, and a rewind."""

from __future__ import annotations

from collections.abc import Callable

from support.flow import TOPIC, Flow
from support.manifests import Manifests
from support.stack import Stack, wait_until

ORDERS = "bridges/orders.yaml"
COPY = "orders.copy"
SECOND_BRIDGE = f"""\
apiVersion: bridge.kafka/v1alpha1
kind: KafkaBridge
metadata:
  name: second
spec:
  source: {{cluster: source}}
  target: {{cluster: target}}
  topics: [{{name: {TOPIC}, targetName: {COPY}}}]
"""


def edit_and_await(stack: Stack, bridge: str, edit: Callable[[], None]) -> None:
    """Wait until what was edited runs and is Ready."""
    generation = stack.report(bridge).get("generation", 0)
    edit()

    def is_rolled_out() -> bool:
        report = stack.report(bridge)
        ready = {one["type"]: one["status"] for one in report.get("conditions", ())}.get("Ready")
        return bool(report) and report["generation"] > generation and ready == "True"

    wait_until(f"the edited {bridge} is Ready", is_rolled_out, 120)


def test_the_number_of_lanes_changes_under_way(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    six, four = "  lanes: 6\n", "  lanes: 4\n  migrateLanesFrom: 6\n"
    edit_and_await(stack, "orders", lambda: manifests.edit(ORDERS, six, four))
    flow.goes_on()
    flow.is_whole()

    # Back, since the manifest that the test restores has six.
    edit_and_await(stack, "orders", lambda: manifests.edit(ORDERS, four, "  lanes: 6\n  migrateLanesFrom: 4\n"))
    flow.goes_on()
    flow.is_whole()


def test_a_number_of_lanes_that_nobody_asked_to_migrate_is_told(stack: Stack, manifests: Manifests) -> None:
    manifests.edit(ORDERS, "  lanes: 6\n", "  lanes: 4\n")

    def reason() -> bool:
        return any(one["reason"] == "LanesMismatch" for one in stack.report("orders")["conditions"])

    wait_until("LanesMismatch is told", reason, 60)
    assert "migrateLanesFrom to 6" in stack.script("bridgectl", "describe", "orders").stdout


def test_a_rewind_is_carried_out_once(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    with flow.producer_stopped():
        sent = flow.at_source()
        edit_and_await(stack, "second", lambda: manifests.add("bridges/second.yaml", SECOND_BRIDGE))
        assert flow.counted(COPY, sent)["repeated"] == 0
        rewind = f"  rewind: [{{id: once, topic: {TOPIC}, to: earliest}}]\n"
        rewound = SECOND_BRIDGE + rewind
        edit_and_await(stack, "second", lambda: manifests.add("bridges/second.yaml", rewound))
        found = flow.counted(COPY, 2 * sent)
        assert (found["records"], found["repeated"], found["missing"]) == (2 * sent, sent, 0)

        # What stands there still is not asked for again, whatever else is edited.
        edit_and_await(
            stack, "second", lambda: manifests.add("bridges/second.yaml", rewound + "  commitIntervalMs: 100\n")
        )
        assert flow.counted(COPY, 2 * sent)["records"] == 2 * sent
