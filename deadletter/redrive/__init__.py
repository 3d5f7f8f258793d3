"""The use cases of a redrive: plan it, start it, send what is claimed, write down what became of it, cancel it."""

from deadletter.redrive.planning import DEFAULT_SETTLE_S, MAX_RATE, cancel, create_plan, parse_target, start

__all__ = ["DEFAULT_SETTLE_S", "MAX_RATE", "cancel", "create_plan", "parse_target", "start"]
