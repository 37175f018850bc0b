"""Each role may do at each cluster what it is there for, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from support.clusters import INSIDE
from support.stack import Stack

NETWORKS = {"source": "network1", "target": "network3"}
# A topic of nobody's, so that what is allowed does no harm. `orders` is the sample's.
TOPIC = "access-probe"
OWN_ID, FOREIGN_ID = "{instance}.access-probe", "elsewhere.orders.lane.0"

# What no role may do.
NEVER = (
    f"delete:{TOPIC}",
    f"trim:{TOPIC}",
    f"configure:{TOPIC}",
    "forget:access-probe",
    f"transact:{FOREIGN_ID}",
    "acls:{role}",
    "broker:1",
)
ATTEMPTS = (
    f"describe:{TOPIC}",
    f"read:{TOPIC}",
    f"write:{TOPIC}",
    "create:access-probe-new",
    f"grow:{TOPIC}",
    f"configs:{TOPIC}",
    "offsets:access-probe",
    f"commit:access-probe/{TOPIC}",
    f"transact:{OWN_ID}",
    "describe:orders",
    "read:orders",
    "write:__consumer_offsets",
    "create:__access-probe",
    *NEVER,
)
READER = {f"describe:{TOPIC}", f"read:{TOPIC}", f"configs:{TOPIC}", "offsets:access-probe", "describe:orders"}


@dataclass(frozen=True)
class Role:
    """`may` are those of ATTEMPTS that the brokers let through."""

    name: str
    side: str
    may: frozenset[str]


ROLES = [
    Role("producer", "source", frozenset({"describe:orders"})),
    Role("bridge-source", "source", frozenset(READER | {"read:orders"})),
    Role(
        "bridge-target",
        "target",
        frozenset(
            READER
            | {f"write:{TOPIC}", "create:access-probe-new", f"grow:{TOPIC}", f"commit:access-probe/{TOPIC}"}
            | {f"transact:{OWN_ID}", "read:orders"}
        ),
    ),
    Role("consumer", "target", frozenset({"describe:orders", "read:orders"})),
    # Those of one side at the other.
    Role("bridge-source", "target", frozenset()),
    Role("bridge-target", "source", frozenset()),
    Role("producer", "target", frozenset()),
    Role("consumer", "source", frozenset()),
]


@pytest.fixture(scope="module", name="topics")
def topics_to_try_with(stack: Stack) -> Iterator[None]:
    """Made and taken away with the brokers' own certificates, which may do everything."""
    for side in NETWORKS:
        assert set(probe(stack, side, f"{side}-kafka", f"create:{TOPIC}").values()) == {"allowed"}
    yield
    for side in NETWORKS:
        probe(stack, side, f"{side}-kafka", f"delete:{TOPIC}", "delete:access-probe-new", "forget:access-probe")


def probe(stack: Stack, side: str, role: str, *attempts: str) -> dict[str, str]:
    """What became of attempts at a cluster by whoever has the certificate of a role."""
    answer: dict[str, str] = json.loads(
        stack.docker(
            "run", "--rm", "--network", stack.network(NETWORKS[side]),
            "--volume", f"{stack.instance}_tls-{role}:/etc/kafka/tls:ro", "--volume", f"{INSIDE}:/tools:ro",
            f"{stack.instance}-source-producer",
            "python", "/tools/access_probe.py", f"{side}-kafka:9093", *attempts,
        )
    )  # fmt: skip
    return answer


@pytest.fixture(scope="module", name="outcomes")
def outcomes_by_role(stack: Stack, topics: None) -> dict[Role, dict[str, str]]:
    """All roles try at once: each waits for brokers most of the time."""

    def outcome(role: Role) -> dict[str, str]:
        attempts = [one.format(instance=stack.instance, role=role.name) for one in ATTEMPTS]
        return probe(stack, role.side, role.name, *attempts)

    with ThreadPoolExecutor() as pool:
        return dict(zip(ROLES, pool.map(outcome, ROLES), strict=True))


@pytest.mark.parametrize("role", ROLES, ids=[f"{role.name}-at-{role.side}" for role in ROLES])
def test_a_role_may_do_what_it_is_there_for_and_nothing_else(
    stack: Stack, outcomes: dict[Role, dict[str, str]], role: Role
) -> None:
    wanted = {one.format(instance=stack.instance) for one in role.may}
    found = outcomes[role]

    allowed = {one for one, outcome in found.items() if outcome == "allowed"}
    assert (allowed - wanted, wanted - allowed) == (set(), set()), found
    refused = {one: outcome for one, outcome in found.items() if outcome != "allowed"}
    assert {one: outcome for one, outcome in refused.items() if not outcome.endswith("AUTHORIZATION_FAILED")} == {}


def test_what_is_not_in_the_file_is_taken_back(stack: Stack) -> None:
    """Also from a principal that somebody has given more by hand, and from nobody that the file does not name."""
    stack.docker("exec", stack.service("target-kafka"), "sh", "-c", given("consumer") + " && " + given("somebody"))

    said = stack.compose("run", "--rm", "--no-deps", "target-access").stderr

    assert "taking back consumer: allow Delete on topic orders" in said
    listed = stack.docker("exec", stack.service("target-kafka"), "kafka-tool", "acls", "--list", "--topic", "orders")
    assert "User:somebody" in listed
    assert "DELETE" not in "".join(line for line in listed.splitlines() if "User:consumer" in line)


def given(principal: str) -> str:
    return f"kafka-tool acls --add --allow-principal User:{principal} --operation Delete --topic orders"
