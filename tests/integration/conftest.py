"""What the tests against the real engine share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.browser import module_browser as module_browser
from support.stack import Stack, kept_clean


@pytest.fixture(scope="module", name="stack")
def own_instance() -> Iterator[Stack]:
    """An instance of this test run's own; nothing of it is left afterwards."""
    with kept_clean(Stack(f"kbo-it-{os.getpid()}")) as stack:
        yield stack
