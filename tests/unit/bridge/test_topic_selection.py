"""Which topics are copied, and under which names."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kafka_bridge.errors import TerminalError
from kafka_bridge.topic_config import TopicConfig
from kafka_bridge.topic_selection import has_patterns, named_topics, select_topics, wanted_topics


def selected(present: list[str], *topics: dict[str, Any]) -> dict[str, str | None]:
    entries = [TopicConfig.model_validate(topic) for topic in topics]
    found = select_topics(entries, present)
    assert sorted(found) == wanted_topics(entries, present)
    assert all(topic.name == name and topic.pattern is None for name, topic in found.items())
    return {name: topic.targetName for name, topic in found.items()}


def test_a_name_is_itself_or_what_it_is_called_at_the_target() -> None:
    assert selected(["a", "b", "c"], {"name": "a"}, {"name": "b", "targetName": "x.b"}) == {"a": "a", "b": "x.b"}


def test_a_pattern_fits_whole_names_and_leaves_out_what_is_excluded() -> None:
    present = ["plant.a", "plant.b", "plant.test.a", "my.plant.a", "plant"]
    topic = {"pattern": r"plant\..*", "exclude": [r".*\.test\..*", "plant.b"]}
    assert selected(present, topic) == {"plant.a": "plant.a"}


@pytest.mark.parametrize(
    ("target", "name"),
    [("site1.$0", "site1.plant.orders"), ("$2.$1", "orders.plant"), ("x.${area}", "x.plant"), ("$1-$1", "plant-plant")],
)
def test_a_rename_rule_puts_parts_of_the_name_together(target: str, name: str) -> None:
    topic = {"pattern": r"(?P<area>[a-z]+)\.([a-z]+)", "targetName": target}
    assert selected(["plant.orders"], topic) == {"plant.orders": name}


def test_names_come_before_patterns_and_earlier_patterns_before_later_ones() -> None:
    topics = (
        {"pattern": "a.*", "targetName": "first.$0"},
        {"pattern": ".*", "targetName": "second.$0"},
        {"name": "ab", "targetName": "by-name"},
    )
    assert selected(["aa", "ab", "b"], *topics) == {"aa": "first.aa", "ab": "by-name", "b": "second.b"}


def test_what_an_entry_excludes_is_no_later_entry_s() -> None:
    assert selected(["ab"], {"pattern": "a.*", "exclude": ["ab"]}, {"pattern": ".*"}) == {}


def test_patterns_find_neither_kafka_s_topics_nor_ours_and_names_do() -> None:
    present = ["__consumer_offsets", "_bridge-positions.a.b.c", "_mine"]
    assert selected(present, {"pattern": ".*"}) == {"_mine": "_mine"}
    assert selected(present, {"name": "__consumer_offsets"}) == {"__consumer_offsets": "__consumer_offsets"}


def test_two_topics_never_become_one() -> None:
    with pytest.raises(TerminalError, match=r"source topics a\.x and b\.x would both become x") as fault:
        selected(["a.x", "b.x"], {"pattern": r"[ab]\.(.*)", "targetName": "$1"})
    assert fault.value.reason == "TargetTopicConflict"


def test_a_rename_that_leaves_nothing_is_named() -> None:
    with pytest.raises(TerminalError, match="source topic a would become '', no topic name"):
        selected(["a"], {"pattern": "a(b)?", "targetName": "$1"})


def test_what_is_missed_is_what_is_named() -> None:
    topics = [TopicConfig(name="a"), TopicConfig(pattern="b.*")]
    assert named_topics(topics) == ["a"]
    assert has_patterns(topics)
    assert not has_patterns(topics[:1])


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ({}, "found a topic without name, expected a name, or a pattern"),
        ({"name": "a", "pattern": "b"}, "found a pattern beside a name"),
        ({"name": "a", "exclude": ["b"]}, "found exclude beside a name"),
        ({"name": "a", "targetName": "x.$0"}, r"found x.\$0, expected a plain name"),
        ({"pattern": "("}, "which is none"),
        ({"pattern": "a.*", "targetName": "x"}, "found x, expected a name with"),
        ({"pattern": "(a).*", "targetName": "$2"}, r"found \$2, a group that the pattern does not have"),
        ({"pattern": "a.*", "targetName": "${b}"}, r"found \$\{b\}, a group that the pattern does not have"),
        ({"pattern": "a.*", "targetName": "$x"}, "String should match pattern"),
    ],
)
def test_what_makes_no_sense_is_refused(topic: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TopicConfig.model_validate(topic)
