"""The order generator: reproducible, numbered per customer, and always what the schema says."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from bridge_samples.codec import Codec
from hypothesis import given
from hypothesis import strategies as st
from orders import generate_orders

from support.stack import PROJECT_ROOT

CODEC = Codec.from_file(PROJECT_ROOT / "stack" / "avro" / "schema.avsc")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def take(count: int, seed: int = 7, customers: int = 5, key: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    return list(islice(generate_orders("run", seed, customers, key, NOW), count))


def test_the_same_seed_gives_the_same_orders() -> None:
    assert take(50) == take(50)
    assert take(50) != take(50, seed=8)


def test_time_is_all_that_does_not_follow_from_the_seed() -> None:
    before = datetime.now(UTC)
    (_, order), *_ = islice(generate_orders("run", 7, 5), 1)
    assert before <= order["createdAt"] <= datetime.now(UTC)
    assert order | {"createdAt": NOW} == take(1)[0][1]


@given(st.integers(), st.integers(1, 20), st.integers(1, 60))
def test_sequences_count_per_customer_without_gaps(seed: int, customers: int, count: int) -> None:
    sequences = defaultdict(list)
    for key, order in take(count, seed, customers):
        assert key == order["customerId"]
        sequences[key].append(order["sequence"])
    assert all(numbers == list(range(len(numbers))) for numbers in sequences.values())
    assert len(sequences) <= customers


def test_order_ids_are_unique_and_tell_the_run() -> None:
    ids = [order["orderId"] for _, order in take(200)]
    assert len(set(ids)) == 200
    assert all(one.startswith("run-") for one in ids)


def test_one_key_for_all() -> None:
    orders = take(20, key="only")
    assert {key for key, _ in orders} == {"only"}
    assert [order["sequence"] for _, order in orders] == list(range(20))


@given(st.integers())
def test_every_order_survives_the_schema(seed: int) -> None:
    for _, order in take(10, seed):
        assert CODEC.decode(CODEC.encode(order)) == order


def test_orders_are_plausible_and_use_the_whole_schema() -> None:
    orders = [order for _, order in take(400)]
    for order in orders:
        total = sum((item["quantity"] * item["unitPrice"] for item in order["items"]), Decimal(0))
        assert order["amount"] == total > 0
    assert {order["note"] is None for order in orders} == {True, False}
    assert {order["status"] for order in orders} == {"PLACED", "PAID", "SHIPPED", "CANCELLED"}
    assert len({len(order["items"]) for order in orders}) > 1
