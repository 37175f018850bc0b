"""What an access file says, what is wrong with one, and what follows from it for a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from access_rules import AccessFileInvalid, Rule, changes, read_access

from support.stack import PROJECT_ROOT

SETTINGS = {"COMPOSE_PROJECT_NAME": "plant7", "SAMPLE_TOPIC": "orders"}
READ_ORDERS = Rule("consumer", "topic", "literal", "orders", "Read", "allow")
READ_BILLS = Rule("consumer", "topic", "literal", "bills", "Read", "allow")
WRITE_BILLS = Rule("billing", "topic", "literal", "bills", "Write", "allow")


def read(folder: Path, text: str) -> dict[str, frozenset[Rule]]:
    file = folder / "access.toml"
    file.write_text(text, encoding="utf-8")
    return read_access(file, SETTINGS)


def test_each_operation_of_a_grant_is_a_rule(tmp_path: Path) -> None:
    text = """
        [[bridge.topic]]
        name = "*"
        allow = ["Read", "Write"]
        [[bridge.topic]]
        prefix = "__"
        deny = ["Read"]
        [[bridge.transactionalId]]
        prefix = "${COMPOSE_PROJECT_NAME}."
        allow = ["Write"]
        [[ui.cluster]]
        allow = ["Describe"]
        [nobody]
    """
    assert read(tmp_path, text) == {
        "bridge": {
            Rule("bridge", "topic", "literal", "*", "Read", "allow"),
            Rule("bridge", "topic", "literal", "*", "Write", "allow"),
            Rule("bridge", "topic", "prefixed", "__", "Read", "deny"),
            Rule("bridge", "transactionalId", "prefixed", "plant7.", "Write", "allow"),
        },
        "ui": {Rule("ui", "cluster", "literal", "kafka-cluster", "Describe", "allow")},
        "nobody": frozenset(),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[[a.topic]]\nname = "x"\nallow = ["Reed"]',
            r"access.toml: a.topic.0.allow.0: found 'Reed': .*'Read', 'Write'",
        ),
        ('[[a.topic]]\nallow = ["Read"]', r"access.toml: a.topic.0: found .*expected either name or prefix"),
        ('[[a.topic]]\nname = "x"\nprefix = "y"\nallow = ["Read"]', r"expected either name or prefix"),
        ('[[a.topic]]\nname = "x"', r"expected allow or deny"),
        ('[[a.cluster]]\nname = "x"\nallow = ["Read"]', r"a cluster has neither name nor prefix"),
        ('[[a.queue]]\nname = "x"\nallow = ["Read"]', r"access.toml: a.queue: "),
        ('[[a.topic]]\nname = "${TOPIC}"\nallow = ["Read"]', r"found \$\{TOPIC\}, expected one of .*SAMPLE_TOPIC"),
        ('[[a.topic]]\nname = "$"\nallow = ["Read"]', r"access.toml: .*line 2"),
        ("[a.topic\n", r"access.toml: .*line 1"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(AccessFileInvalid, match=told):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessFileInvalid, match=r"gone\.toml: No such file"):
        read_access(tmp_path / "gone.toml", SETTINGS)


def test_a_principal_gets_its_rules_and_no_others() -> None:
    added, removed = changes({"consumer": {READ_ORDERS}}, {READ_BILLS})
    assert (added, removed) == (frozenset({READ_ORDERS}), frozenset({READ_BILLS}))


def test_what_is_there_already_is_left_alone() -> None:
    assert changes({"consumer": {READ_ORDERS}}, {READ_ORDERS}) == (frozenset(), frozenset())


def test_a_principal_that_is_not_named_keeps_what_it_has() -> None:
    assert changes({"consumer": ()}, {READ_ORDERS, WRITE_BILLS}) == (frozenset(), frozenset({READ_ORDERS}))


@pytest.mark.parametrize("side", ["source", "target"])
def test_the_stack_lets_nobody_do_everything(side: str) -> None:
    """No role may delete, change settings or rights, or act as a broker; a lane's ids are the instance's own."""
    rules = read_access(PROJECT_ROOT / "stack" / "access" / f"{side}.toml", SETTINGS)
    allowed = {rule for one in rules.values() for rule in one if rule.permission == "allow"}
    assert not {rule.operation for rule in allowed} & {"All", "Delete", "AlterConfigs", "ClusterAction"}
    assert {rule.operation for rule in allowed if rule.resource == "cluster"} <= {"Describe", "DescribeConfigs"}
    assert {rule.name for rule in allowed if rule.resource == "transactionalId"} <= {"plant7."}
    assert {rule.operation for rule in allowed if rule.principal == "ui"} <= {"Read", "Describe", "DescribeConfigs"}
