"""Fingerprints a second on one core: of what drain3 mines (single lines), against drain3; and with a stack trace.

Seconds of CPU time, of which one core has one each second: how busy other programs keep it does not count.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator, Sequence

from bench.extras import extra
from bench.rounds import in_turn
from bench.rows import Row, at_least
from bench.sizes import Size
from deadletter.event import Cause
from deadletter.fingerprint import fingerprint

LEAST_OF_DRAIN3 = 0.2
LEAST_WITH_STACK = 20_000
CAUSES = 20_000
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-capture"

_LINES = (
    "card declined for order ord-{n}: issuer answered {m}",
    "HTTPSConnectionPool(host='stock-{m}.internal', port=443): Max retries exceeded with url: /v1/reserve/ord-{n}",
    "user {n} not found in tenant {m}",
    "timeout of {m} ms exceeded while waiting for 10.0.{m}.{m}:5432",
    "could not write s3://orders-{m}/2026/11/25/{n}.json: AccessDenied",
    "Duplicate entry '{n}' for key 'orders.PRIMARY'",
)


def measure(size: Size) -> Iterator[Row]:
    """Yield the two rows; where drain3 cannot be installed, the first says so and is not met."""
    lines = _lines()
    plain = [Cause(function_arn=FUNCTION, error_message=line) for line in lines]
    traced = [
        Cause(function_arn=FUNCTION, error_message=line, error_type="E", stack_trace=_stack(line)) for line in lines
    ]
    drain3, name = extra("drain3"), "fingerprints / drain3, single lines"
    things = {"ours": lambda: _ours(plain), "stack": lambda: _ours(traced)}
    if drain3:
        logging.getLogger("drain3").setLevel(logging.ERROR)
        things["drain3"] = lambda: _drain3(drain3.TemplateMiner(), lines)
    rounds = in_turn(things, rounds=size.rounds)
    if drain3:
        yield at_least(LEAST_OF_DRAIN3, name, rounds.ratio("ours", "drain3"), note=rounds.note("ours", "drain3"))
    else:
        yield at_least(LEAST_OF_DRAIN3, name, 0.0, note="NOT MEASURED: drain3 could not be installed")
    yield at_least(LEAST_WITH_STACK, "fingerprints with a stack trace", rounds.rate("stack"), "/s", "of 12 frames")


def _lines() -> list[str]:
    chance = random.Random(7)  # noqa: S311 - the same lines every time, no secret
    return [
        _LINES[number % len(_LINES)].format(n=chance.randrange(10**6), m=chance.randrange(250))
        for number in range(CAUSES)
    ]


def _stack(line: str) -> tuple[str, ...]:
    return tuple(
        f'  File "/var/task/app/step_{n}.py", line {len(line) + n}, in step_{n}\n    return go(event)\n'
        for n in range(12)
    )


def _ours(causes: Sequence[Cause]) -> float:
    at = time.process_time()
    for cause in causes:
        fingerprint(cause)
    return len(causes) / (time.process_time() - at)


def _drain3(miner: object, lines: Sequence[str]) -> float:
    add = miner.add_log_message  # type: ignore[attr-defined] # it has no types
    at = time.process_time()
    for line in lines:
        add(line)
    return len(lines) / (time.process_time() - at)
