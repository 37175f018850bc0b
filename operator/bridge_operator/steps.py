"""The steps of one pass, collected: what is done to a container, in which words, and how soon it may be done again.

What is decided here concerns one container alone: how it is kept running in place, and when back-off lets it be
started. Which containers there should be is decided in `plan`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge_operator import actions as act
from bridge_operator.backoff import Attempts, BackoffRule
from bridge_operator.desired import ContainerSpec, Limits
from bridge_operator.engine import Container
from bridge_operator.observed import Observed

# Waits for something that no event announces end in another look after so long.
LOOK_AGAIN_SECONDS = 2.0


class Steps:
    """`actions` in their order; `waiting`: by ordinal, until when a start is held back; `attempts` as they are now."""

    def __init__(self, observed: Observed, attempts: Mapping[int, Attempts], rule: BackoffRule) -> None:
        self._observed = observed
        self._now = observed.now
        self._rule = rule
        self._waits: list[float] = []
        self.attempts = dict(attempts)
        self.actions: list[act.Action] = []
        self.waiting: dict[int, float] = {}

    @property
    def lookAgainAfter(self) -> float | None:
        """Seconds to the next look, None where nothing is waited for."""
        return min(self._waits, default=None)

    def look_again_after(self, seconds: float) -> None:
        self._waits.append(seconds)

    # ---- keeping a container well, in place

    def keep_running(self, container: Container, spec: ContainerSpec | None) -> None:
        """Mend what is wrong with a container in place. Without its spec, only what needs none."""
        if container.state == "removing":
            self.look_again_after(LOOK_AGAIN_SECONDS)
        elif container.state == "dead":
            if spec is not None:
                self.remove(container, "Dead", "the engine cannot start it again")
        elif container.state == "paused":
            message = f"unpaused {container.name}: a paused replica copies nothing"
            self.actions.append(
                act.Unpause(container.name, container.ordinal, "Unpaused", message, "Warning", container.id)
            )
        elif spec is not None and (self._mend_networks(container, spec) or self._mend_limits(container, spec)):
            return
        elif container.state in ("exited", "created"):
            self._start(container)
        elif (ailment := self._observed.ailment(container)) is not None:
            self.restart(container, ailment.reason, ailment.why)
        elif (seconds := self._observed.seconds_to_ailment(container)) is not None:
            # No event tells that nothing happens.
            self.look_again_after(seconds)

    def _mend_networks(self, container: Container, spec: ContainerSpec) -> bool:
        """True where an attachment is missing, or is to a network that was removed and made again."""
        for link in spec.networks:
            endpoint = container.endpoints.get(link.engineName)
            if endpoint is not None and endpoint.networkId in ("", link.networkId):
                continue  # a container that never ran has no network id yet
            if endpoint is not None:
                message = f"{container.name} was attached to a former network {link.name}"
                self.actions.append(
                    act.Disconnect(container.name, container.ordinal, "NetworkReplaced", message, "Warning",
                                   container.id, link.engineName)
                )  # fmt: skip
            else:
                message = f"attached {container.name} to {link.name} again"
                self.actions.append(
                    act.Connect(container.name, container.ordinal, "NetworkReconnected", message, "Warning",
                                container.id, link)
                )  # fmt: skip
            return True
        return False

    def _mend_limits(self, container: Container, spec: ContainerSpec) -> bool:
        """True where somebody has changed them by hand."""
        found = self._observed.limits.get(container.id, spec.limits)
        if container.state != "running" or spec.limits.is_in_force(found):
            return False
        message = f"set the limits of {container.name} back: {_limits_text(found)} had been set by hand"
        self.actions.append(
            act.SetLimits(container.name, container.ordinal, "LimitsRestored", message, "Warning", container.id,
                          spec.limits)
        )  # fmt: skip
        return True

    # ---- single steps

    def remove(self, container: Container, reason: str, why: str, severity: act.Severity = "Normal") -> None:
        message = f"removed {container.name}: {why}"
        self.actions.append(act.Remove(container.name, container.ordinal, reason, message, severity, container.id))

    def stop(self, container: Container, reason: str, why: str) -> None:
        message = f"stopped {container.name}: {why}"
        self.actions.append(act.Stop(container.name, container.ordinal, reason, message, "Normal", container.id))

    def spawn(self, spec: ContainerSpec, reason: str) -> None:
        self.actions.append(act.Spawn(spec.name, spec.ordinal, reason, f"created {spec.name}", "Normal", spec))

    def rename(
        self, container: Container, newName: str, reason: str, why: str, severity: act.Severity = "Normal"
    ) -> None:
        message = f"renamed {container.name} to {newName}: {why}"
        self.actions.append(
            act.Rename(container.name, container.ordinal, reason, message, severity, container.id, newName)
        )

    def _start(self, container: Container) -> None:
        if container.state == "created":
            message = f"started {container.name}: it had been created and not started"
        else:
            code = "" if container.exitCode is None else f" with code {container.exitCode}"
            message = f"started {container.name} again: it had exited{code}"
        if self._may_try_again(container.ordinal):
            self.actions.append(
                act.Start(container.name, container.ordinal, "Restarted", message, "Warning", container.id)
            )

    def restart(self, container: Container, reason: str, why: str) -> None:
        if self._may_try_again(container.ordinal):
            message = f"restarted {container.name}: {why}"
            self.actions.append(
                act.Restart(container.name, container.ordinal, reason, message, "Warning", container.id)
            )

    def renew(self, container: Container, reason: str, why: str) -> None:
        """A restart that nothing went wrong before: back-off neither holds it back nor counts it."""
        message = f"restarted {container.name}: {why}"
        self.actions.append(act.Restart(container.name, container.ordinal, reason, message, "Normal", container.id))

    def _may_try_again(self, ordinal: int) -> bool:
        """Whether back-off lets this ordinal be started again now; notes the attempt, or the wait."""
        attempts, now = self.attempts.get(ordinal, Attempts()), self._now
        nextAt = attempts.next_at(self._rule)
        if now >= nextAt:
            self.attempts[ordinal] = attempts.another(now, self._rule)
            return True
        self.waiting[ordinal] = nextAt
        self.look_again_after(nextAt - now)
        return False


def _limits_text(limits: Limits) -> str:
    cores, memory = limits.nanoCpus / 10**9, limits.memoryBytes / 2**20
    return f"{memory:.0f} MiB, {cores:g} cores, {limits.pids} processes"
