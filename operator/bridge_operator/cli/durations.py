"""Durations as Go and kubectl write them."""

from __future__ import annotations

import re
from datetime import timedelta

import typer

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def parse_duration(text: str) -> timedelta:
    """30s, 5m, 1h30m or a number of seconds."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise typer.BadParameter(f"found '{text}', expected a duration such as 30s, 5m or 1h30m")
    hours, minutes, seconds = (int(one or 0) for one in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
