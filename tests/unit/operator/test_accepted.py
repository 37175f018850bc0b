"""What stays in force, from when a manifest counts as deleted, and how generations are counted."""

from __future__ import annotations

import pytest

from bridge_operator.accepted import Accepted, accept, forget, is_deleted, problems_of
from bridge_operator.catalog import Catalog, Problem
from support.operator_harness import CLUSTERS, bridge, catalog_of, cluster


def problem(name: str, kind: str = "KafkaBridge") -> Problem:
    return Problem("a.yaml", 1, 1, "", "x", "y", kind, name)


def test_the_generation_counts_changes_of_the_spec() -> None:
    first = accept(Accepted(), catalog_of(bridge()), {})
    assert first.bridges["orders"].generation == 1
    assert accept(first, catalog_of(bridge()), {}) == first
    second = accept(first, catalog_of(bridge(replicas=2)), {})
    assert second.bridges["orders"].generation == 2


def test_a_change_of_a_cluster_is_a_change_of_its_bridges() -> None:
    first = accept(Accepted(), catalog_of(bridge()), {})
    moved = Catalog(bridges={"orders": bridge()}, clusters=CLUSTERS | {"target": cluster("target", "network9")})
    assert accept(first, moved, {}).bridges["orders"].generation == 2


def test_generations_go_on_from_the_labels_where_the_memory_was_lost() -> None:
    again = accept(Accepted(), catalog_of(bridge()), {"orders": 7})
    assert again.bridges["orders"].generation == 7
    assert accept(again, catalog_of(bridge(replicas=2)), {"orders": 7}).bridges["orders"].generation == 8


def test_what_is_broken_or_gone_stays_as_it_was() -> None:
    first = accept(Accepted(), catalog_of(bridge(), bridge("payments")), {})
    broken = Catalog(clusters=CLUSTERS, problems=(problem("orders"),))
    assert accept(first, broken, {}) == first
    assert accept(first, Catalog(folderFault="empty"), {}) == first
    assert set(forget(first, ["orders"]).bridges) == {"payments"}


@pytest.mark.parametrize(
    ("catalog", "deleted"),
    [
        (catalog_of(bridge("payments")), True),
        (catalog_of(bridge("orders")), False),
        (Catalog(folderFault="the folder is gone"), False),
        (Catalog(problems=(problem("orders"),)), False),
        (Catalog(problems=(problem("orders", kind=""),)), False),
        (Catalog(problems=(problem("", kind=""),)), False),
        (Catalog(problems=(problem("payments"),)), True),
        (Catalog(problems=(problem("orders", kind="KafkaCluster"),)), True),
    ],
)
def test_a_manifest_is_deleted_only_beyond_doubt(catalog: Catalog, deleted: bool) -> None:
    assert is_deleted("orders", catalog) is deleted


def test_a_bridge_is_told_of_its_own_problems_and_of_its_clusters() -> None:
    accepted = accept(Accepted(), catalog_of(bridge()), {})
    own, other, ofCluster = problem("orders"), problem("payments"), problem("source", "KafkaCluster")
    assert problems_of("orders", Catalog(problems=(own, other, ofCluster)), accepted) == (own, ofCluster)
