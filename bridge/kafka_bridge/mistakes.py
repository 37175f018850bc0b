"""What the fields of a model say against each other, in words that name the place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic_core import PydanticCustomError


class Mistake(NamedTuple):
    """What fields say against each other. `at` is the place below the value that was checked."""

    at: tuple[str | int, ...]
    found: str
    expected: str


def refuse(mistakes: Iterable[Mistake]) -> None:
    """Raise one error for all mistakes; who reads manifests finds them in its context, each with its own place."""
    known = tuple(mistakes)
    if known:
        text = "; ".join(f"found {mistake.found}, expected {mistake.expected}" for mistake in known)
        raise PydanticCustomError("mistakes", "{text}", {"text": text, "mistakes": known})
