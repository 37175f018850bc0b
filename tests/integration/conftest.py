"""What the tests against the real engine share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.browser import module_browser as module_browser
from support.pretend_world import World, make_image, running_world
from support.stack import Stack, kept_clean


@pytest.fixture(scope="module", name="stack")
def own_instance() -> Iterator[Stack]:
    """An instance of this test run's own; nothing of it is left afterwards."""
    with kept_clean(Stack(f"kbo-it-{os.getpid()}")) as stack:
        yield stack


@pytest.fixture(scope="module", name="running")
def running_operator(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An operator on the real engine, with bridges that only pretend to copy."""
    stack.compose("build", "bridge", timeoutSeconds=400)
    make_image(stack, tmp_path_factory.mktemp("image"), 1)
    with running_world(stack, tmp_path_factory.mktemp("operator")) as world:
        yield world
