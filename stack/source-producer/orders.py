"""Generates orders: plausible, reproducible by seed, and numbered so that a loss or a repetition can be told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_PRODUCTS = (
    ("BOLT-M8-40", Decimal("0.42")),
    ("VALVE-DN25", Decimal("118.00")),
    ("SENSOR-PT100", Decimal("36.90")),
    ("CABLE-CAT6-5M", Decimal("7.49")),
    ("PUMP-12V", Decimal("89.95")),
    ("FILTER-F7", Decimal("21.30")),
    ("RELAY-24V", Decimal("12.75")),
    ("GEARBOX-1-50", Decimal("412.00")),
)
_STATUSES = ("PLACED", "PAID", "SHIPPED", "CANCELLED")
_STATUS_WEIGHTS = (50, 30, 18, 2)
_CURRENCIES = ("EUR", "USD", "CHF", "SEK")
_NOTES = ("leave at the gate", "call before delivery", "Lieferung an Tor 3", "urgent")


def generate_orders(
    run: str, seed: int, customers: int, fixedKey: str | None = None, now: datetime | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Endless (key, order) pairs. The key is the customer; `sequence` counts per customer from 0.

    Everything but `createdAt` follows from `run` and `seed`; `now` fixes that too.
    """
    chance = random.Random(seed)
    names = [fixedKey] if fixedKey is not None else [f"customer-{number:05d}" for number in range(customers)]
    sequences = dict.fromkeys(names, 0)
    number = 0
    while True:
        customer = names[chance.randrange(len(names))]
        chosen = chance.sample(_PRODUCTS, chance.randint(1, 4))
        bought = [(sku, chance.randint(1, 12), price) for sku, price in chosen]
        yield (
            customer,
            {
                "orderId": f"{run}-{number:09d}",
                "customerId": customer,
                "sequence": sequences[customer],
                "status": chance.choices(_STATUSES, _STATUS_WEIGHTS)[0],
                "amount": sum((quantity * price for _, quantity, price in bought), Decimal("0.00")),
                "currency": chance.choice(_CURRENCIES),
                "createdAt": now or datetime.now(UTC),
                "items": [{"sku": sku, "quantity": quantity, "unitPrice": price} for sku, quantity, price in bought],
                "note": chance.choice(_NOTES) if chance.random() < 0.2 else None,
            },
        )
        sequences[customer] += 1
        number += 1
