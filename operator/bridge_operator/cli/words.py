"""How things are said: ages and counts as kubectl writes them, and a bridge's state in a word."""

from __future__ import annotations

from datetime import datetime

from bridge_operator.report import BridgeReport, Condition

UNKNOWN, NONE = "<unknown>", "<none>"

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400

# Ready=False for these reasons says only that something is not there yet; another condition knows more.
VAGUE_REASONS = frozenset({"ReplicasNotReady", "RolloutNotComplete"})
SETTLED_REASON = "RolloutComplete"


def age(seconds: float) -> str:
    """Two units at most, and fewer the older: 45s, 3m20s, 25m, 5h12m, 3d4h, 20d. As kubectl does."""
    whole = max(0, int(seconds))
    if whole < 2 * MINUTE:
        return f"{whole}s"
    if whole < 10 * MINUTE:
        return _two(whole, MINUTE, "m", 1, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two(whole, HOUR, "h", MINUTE, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two(whole, DAY, "d", HOUR, "h")
    if whole < 2 * YEAR:
        return f"{whole // DAY}d"
    if whole < 8 * YEAR:
        return _two(whole, YEAR, "y", DAY, "d")
    return f"{whole // YEAR}y"


def age_since(moment: datetime | None, now: datetime) -> str:
    return UNKNOWN if moment is None else age((now - moment).total_seconds())


def count(number: int, singular: str) -> str:
    """1 bridge, 2 bridges."""
    return f"{number} {singular}{'' if number == 1 else 's'}"


def known(value: object) -> str:
    """A value as text; <unknown> where there is none."""
    return UNKNOWN if value is None or value == "" else str(value)


def one_line(text: str) -> str:
    """Without line breaks and without characters that a terminal would obey."""
    return printable(" ".join(text.split()))


def printable(line: str) -> str:
    """Without characters that a terminal would obey."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


def state_word(bridge: BridgeReport) -> str:
    """Ready, Progressing, Unknown, or the reason why it is not ready; a pause and a wrong edit are added to it."""
    words = [_telling_word(_telling_condition(bridge))]
    if bridge.paused:
        words.append("Paused")
    manifest = bridge.condition("ManifestValid")
    if manifest is not None and manifest.status == "False" and manifest.reason not in words:
        words.append(manifest.reason)
    return ",".join(words)


def state_message(bridge: BridgeReport) -> str:
    """The sentence behind the word. A wrong edit comes first: it is what the user can mend."""
    manifest, telling = bridge.condition("ManifestValid"), _telling_condition(bridge)
    messages = [manifest.message] if manifest is not None and manifest.status == "False" else []
    if telling is not None and not (messages and telling.status == "True" and telling.type == "Ready"):
        messages.append(telling.message)
    return one_line("; ".join(dict.fromkeys(message for message in messages if message)))


def state_sentence(bridge: BridgeReport) -> str:
    """The word, and the sentence behind it where there is one."""
    word, message = state_word(bridge), state_message(bridge)
    return f"{word}: {message}" if message else word


def oldest_start(bridge: BridgeReport) -> datetime | None:
    starts = [replica.startedAt for replica in bridge.replicaReports if replica.startedAt is not None]
    return min(starts, default=None)


def restarts(bridge: BridgeReport) -> int:
    """Over all ordinals: while an update rolls, an ordinal has two containers, which share one count."""
    return sum({replica.ordinal: replica.restarts for replica in bridge.replicaReports}.values())


def _telling_condition(bridge: BridgeReport) -> Condition | None:
    """The condition that says most of why a bridge is as it is."""
    ready = bridge.condition("Ready")
    if ready is None or ready.status != "False" or ready.reason not in VAGUE_REASONS:
        return ready
    degraded, progressing = bridge.condition("Degraded"), bridge.condition("Progressing")
    if degraded is not None and degraded.status == "True":
        return degraded
    if progressing is not None and progressing.status != "Unknown" and progressing.reason != SETTLED_REASON:
        return progressing
    return ready


def _telling_word(condition: Condition | None) -> str:
    if condition is None or condition.status == "Unknown":
        return "Unknown"
    if condition.status == "True" and condition.type in ("Ready", "Progressing"):
        return condition.type
    return condition.reason


def _two(whole: int, large: int, largeUnit: str, small: int, smallUnit: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{largeUnit}" + (f"{rest}{smallUnit}" if rest else "")
