"""How many records a transaction may have, so that its commit stays far from its bound. Pure.

How much a target takes in a while is not known beforehand, and changes: a broker that comes back, replicas that catch
up. A transaction that is too large for it would end at the bound of its commit, be aborted, and come again as large.
So the limit grows while commits are quick, and falls where one was slow or came to nothing.
"""

from __future__ import annotations

# To begin with, as many as a lane copies at full speed within the default commit interval.
FIRST_RECORDS = 10_000
# What any target takes within the bound of a commit.
FEWEST_RECORDS = 250
QUICK_SECONDS, SLOW_SECONDS = 1.0, 5.0


class TransactionLimit:
    """`records` is the limit for the next transaction."""

    def __init__(self) -> None:
        self.records = FIRST_RECORDS

    def note_commit(self, records: int, seconds: float) -> None:
        """A transaction was committed; `seconds` is what that took, delivery of what was still queued included."""
        if seconds > SLOW_SECONDS:
            self._shrink(records, 2)
        elif seconds < QUICK_SECONDS and records >= self.records:
            self.records *= 2

    def note_loss(self, records: int) -> None:
        """A transaction came to nothing."""
        if records > 0:
            self._shrink(records, 4)

    def _shrink(self, records: int, divisor: int) -> None:
        self.records = max(FEWEST_RECORDS, min(self.records, records) // divisor)
