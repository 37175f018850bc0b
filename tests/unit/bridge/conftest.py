"""What every test of the bridge shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loguru import logger


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of histories fail on purpose; their log lines would cost more time than they do."""
    logger.disable("kafka_bridge")
    yield
    logger.enable("kafka_bridge")
