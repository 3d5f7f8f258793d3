"""The use cases of a redrive: plan it, start it, send what is claimed, record what became of it, and steer it."""

from deadletter.manner import MAX_RATE
from deadletter.redrive.approving import approve, refuse
from deadletter.redrive.planning import CAREFUL, DEFAULT_SETTLE_S, cancel, create_plan, parse_target, start, which_form
from deadletter.redrive.steering import change_pace, pause, resume

__all__ = [
    "CAREFUL",
    "DEFAULT_SETTLE_S",
    "MAX_RATE",
    "approve",
    "cancel",
    "change_pace",
    "create_plan",
    "parse_target",
    "pause",
    "refuse",
    "resume",
    "start",
    "which_form",
]
