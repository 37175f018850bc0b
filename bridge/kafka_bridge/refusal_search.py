"""Finds the one record that a target refuses: it takes its whole transaction along, and no error says which it is.

The transaction is tried again in ever fewer records, until the record stands alone; then it has a name. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from kafka_bridge.errors import RecordRefused, TerminalError
from kafka_bridge.kafka import Partition
from kafka_bridge.ledger import OpenTransaction

# Records to move in one step: enough that a call is shared by many, few enough to stay responsive.
STEP_LIMIT = 2_000
# Of a refused transaction, this part is tried next...
NARROW_FACTOR = 8
# ...and the search is given up after so many commits that went well.
GIVE_UP_COMMITS = 16


class RefusalSearch:
    """`limit` is how many records a transaction may have now."""

    def __init__(self) -> None:
        self.limit = STEP_LIMIT
        self._commits = 0
        self._found: dict[tuple[Partition, int], str] = {}

    @property
    def found(self) -> Mapping[tuple[Partition, int], str]:
        """The records found so far, by partition and offset, each with the reason."""
        return self._found

    @property
    def isUnderWay(self) -> bool:
        """Whether every record may be the one, so that each step wants a transaction of its own."""
        return self.limit < STEP_LIMIT

    def narrow(self, error: RecordRefused, lost: OpenTransaction | None) -> None:
        """The target refused a record of the transaction that was `lost`: come closer, or find it.

        Raises what stops the lane: `error` where the transaction held nothing but the lane's own records, a
        TerminalError where a record was refused that had been found before.
        """
        records = lost.records if lost is not None else 0
        if self.limit == 1 and records == 0:
            raise error
        if self.limit > 1:
            self.limit = max(1, min(self.limit, records or self.limit) // NARROW_FACTOR)
            self._commits = 0
            return
        assert lost is not None, "it had a record"
        [(partition, progress)] = lost.progress.items()
        record = (partition, progress.offset - 1)
        if record in self._found:
            raise TerminalError(error.reason, f"{partition[0]}-{partition[1]} at offset {record[1]}: {error}")
        self._found[record] = f"the target refuses it: {error}"
        self.limit = STEP_LIMIT

    def note_commit(self) -> None:
        """A transaction went well."""
        self._commits += 1
        if self._commits > GIVE_UP_COMMITS:
            self.limit = STEP_LIMIT
