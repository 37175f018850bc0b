"""The scripts: one command to a running stack, which can be given again, and down without losing anything."""

from __future__ import annotations

import json
import re

from support.flow import Flow
from support.project_files import read
from support.stack import Stack, wait_until


def test_up_ends_with_records_at_the_target(upOutput: tuple[Stack, str]) -> None:
    found = re.search(r"(\d+) records have arrived at the target: (.*)\.", upOutput[1])

    assert found is not None
    assert int(found[1]) > 0
    assert found[2] == "0 missing, 0 repeated, 0 out of order, 0 invalid"
    assert re.search(r"^orders +1/1 +1 +Ready ", upOutput[1], re.MULTILINE)


def test_up_ends_as_the_readme_shows(upOutput: tuple[Stack, str]) -> None:
    """Numbers, ages and widths aside; a lag may not be known yet."""
    shown = re.search(
        r"^```\n\[ *\d+s\] the stack is up\n(.*?\n\nConsole and Kafka UI: ).*?^```", read("README.md"), re.M | re.S
    )

    assert shown is not None
    assert without_numbers(upOutput[1]).startswith(without_numbers(shown[1]))


def without_numbers(text: str) -> str:
    return re.sub(r" +", " ", re.sub(r"(?:\d+[dhms])+|\d+|<unknown>", "0", text))


def test_up_again_changes_nothing_that_runs(stack: Stack, flow: Flow) -> None:
    before = stack.running_containers()

    stack.script("up")

    assert stack.running_containers() == before
    assert stack.service("operator") in before
    assert flow.is_whole() > 0


def test_the_number_at_the_target_is_the_number_at_the_source(flow: Flow) -> None:
    first = flow.is_whole()
    flow.goes_on(records=300)

    assert flow.is_whole() >= first + 300


def test_the_operator_serves_how_it_is(stack: Stack) -> None:
    """On the management network, as its bridges do."""
    ask = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())"

    def get(path: str) -> str:
        url = f"http://operator:8080/{path}"
        return stack.docker("exec", f"{stack.instance}-orders-0", "python", "-c", ask, url)

    assert get("healthz") == get("readyz") == "ok"
    assert json.loads(get("status"))["bridges"][0]["name"] == "orders"
    assert 'kafka_bridge_operator_bridge_condition{bridge="orders",status="True",type="Ready"} 1.0' in get("metrics")


def test_certificates_can_be_renewed_under_way(stack: Stack, flow: Flow) -> None:
    before = stack.script("certificates", "show").stdout.splitlines()
    name = f"{stack.instance}-orders-0"
    started = stack.facts(name)["State"]["StartedAt"]

    stack.script("certificates", "renew")

    after = stack.script("certificates", "show").stdout.splitlines()
    assert len(after) == len(before) == 9
    assert [old.split()[0] for old, new in zip(before, after, strict=True) if old == new] == ["ca"]
    wait_until("the bridge has them", lambda: stack.facts(name)["State"]["StartedAt"] != started, 60)
    assert "CertificatesChanged" in stack.script("bridgectl", "events", "orders").stdout
    flow.goes_on()
    flow.is_whole()


def test_data_survive_down_and_up(stack: Stack, flow: Flow) -> None:
    before = flow.is_whole()

    said = stack.script("down").stderr

    assert stack.running_containers() == {}
    assert stack.bridges() == {}
    assert (
        stack.docker("network", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={stack.instance}") == ""
    )
    assert "are kept in 16 volumes" in said
    stack.script("down")
    stack.script("up", "--no-build")
    flow.goes_on()
    assert flow.is_whole() > before
