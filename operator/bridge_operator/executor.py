"""Carries actions out: one call after the other, and an event for what was done."""

from __future__ import annotations

from bridge_operator import actions as act
from bridge_operator.engine import Engine


def execute(engine: Engine, action: act.Action, generation: int) -> None:
    """Do it. Raises EngineError; after any error the outcome is unknown, and the next pass looks."""
    match action:
        case act.Spawn():
            engine.start(engine.create(action.spec, generation))
        case act.Start():
            engine.start(action.containerId)
        case act.Stop():
            engine.stop(action.containerId)
        case act.Restart():
            engine.restart(action.containerId)
        case act.Remove():
            # Stopped first: a removal by force would not let the open transactions end.
            engine.stop(action.containerId)
            engine.remove(action.containerId)
        case act.Unpause():
            engine.unpause(action.containerId)
        case act.Rename():
            engine.rename(action.containerId, action.newName)
        case act.SetLimits():
            engine.set_limits(action.containerId, action.limits)
        case act.Connect():
            engine.connect(action.containerId, action.link.networkId, action.link.aliases)
        case act.Disconnect():
            engine.disconnect(action.containerId, action.network)
        case _:
            raise TypeError(f"no way to carry out {type(action).__name__}")
