"""What can go wrong in a bridge, by what is to be done about it.

    BridgeError
    ├── TransientError      the other side does not answer: back off, then go through the start-up order again
    │   └── AbortNeeded     the open transaction is lost, the producer is not: abort, go back to the stored positions
    │       └── RecordRefused   the target does not take one of its records: find out which
    │           └── OversizedRecord   the one just handed over: that is which
    ├── FencedError         the target lets this producer do nothing more: find out whether there is a successor
    │   └── TakenOverError      there is one: stop the lane here for good
    └── TerminalError       a named reason that no retry can mend: stop the lane and say why
        └── InvalidRecord   a record is not what its topic promises

Every error carries a CamelCase `reason`, for conditions and metrics, and a sentence.
"""

from __future__ import annotations


class BridgeError(Exception):
    """Base of all; `reason` is a CamelCase word, `str()` a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def isForbidden(self) -> bool:
        """The cluster answers, and no ACL allows what was asked: TopicAuthorizationFailed and its like."""
        return self.reason.endswith("AuthorizationFailed")


class TransientError(BridgeError):
    """Try again from the start-up order, with a new producer."""


class AbortNeeded(TransientError):
    """The transaction has to be aborted; the producer can be used again."""


class RecordRefused(AbortNeeded):
    """The target refuses a record of the transaction, whichever it is, and will refuse it again."""


class OversizedRecord(RecordRefused):
    """The very record that was to be sent is too large to be sent to anybody."""


class FencedError(BridgeError):
    """A newer epoch of this lane's transactional id is in force, whoever began it."""


class TakenOverError(FencedError):
    """Another process has made the lane its own."""

    def __init__(self, message: str) -> None:
        super().__init__("Fenced", message)


class TerminalError(BridgeError):
    """Stop: what is wrong will be as wrong at the next try."""


class InvalidRecord(TerminalError):
    """A record failed its check."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRecord", message)
