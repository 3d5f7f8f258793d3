"""What a plan means against its targets' own limits, as sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.format import number, plural, span
from deadletter.event import name_of
from deadletter.store.redrives.lanes import TargetLimits
from deadletter.store.rows import RedriveRow


def limit_sentences(redrive: RedriveRow, limits: Mapping[str, TargetLimits]) -> list[str]:
    """Return a sentence for each target of a plan: its limits, and what they do to rate and duration."""
    lines = {line["arn"]: line for line in redrive.targets}
    return [f"{name_of(arn)}: {_sentence(redrive, line, limits[arn])}" for arn, line in lines.items()]


def _sentence(redrive: RedriveRow, line: Mapping[str, Any], limits: TargetLimits) -> str:
    if line["kind"] == "sqs":
        return _queue(line["arn"])
    if not limits.read:
        return "its own limits are not read yet; a worker reads them within seconds."
    if line["kind"] != "lambda":
        return "no limit of its own is known here; a 429 slows the redrive down."
    if limits.timeout_s is None:
        return (
            "its limits could not be read (lambda:GetFunctionConfiguration, lambda:GetFunctionConcurrency): "
            "nothing but its 429 answers limits the redrive."
        )
    return _function(redrive, int(line["count"]), limits.timeout_s, limits.reserved_concurrency)


def _queue(arn: str) -> str:
    if arn.endswith(".fifo"):
        return "a FIFO queue takes 300 calls of ten a second at most; the order within each message group is kept."
    return "a queue takes as many as are sent; how fast its consumer is, is not known here."


def _function(redrive: RedriveRow, count: int, timeout_s: float, reserved: int | None) -> str:
    if reserved == 0:
        return "its reserved concurrency is 0: it is switched off, and takes nothing until that is changed."
    timeout = f"times out after {span(timeout_s)}"
    if reserved is None:
        return f"{timeout}, reserves no concurrency: it shares the account's with every other function."
    width = max(1, int(reserved * redrive.share))
    longest = span(count * timeout_s / width)
    return (
        f"{timeout}, reserves {number(reserved)}: at most {plural(width, 'event')} of redrives are in flight "
        f"({redrive.share:.0%}), so that all of it takes {longest} if every one runs to its timeout."
    )
