"""A FIFO queue, two workers, and faults: within each message group everything arrives in order, once."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from deadletter.errors import TargetBusy
from deadletter.outcome import Outcome
from deadletter.ports import Answer, Outgoing, TargetFacts
from deadletter.store import write
from tests.factories import NOW, make_message, make_parsed, store_some
from tests.fakes import takes
from tests.worker.conftest import World, outcomes, wait_until

FIFO = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
EVENTS, GROUPS = 1_000, 20


class Flaky:
    """A FIFO queue behind a bad network: calls take their time, and some events are turned away, each at random."""

    batch_size = 10

    def __init__(self) -> None:
        self.arrived: dict[str, list[str]] = defaultdict(list)
        self.turned_away = 0
        self._random = random.Random(7)  # noqa: S311 - the same faults each time
        self._lock = threading.Lock()

    def send(self, batch: Sequence[Outgoing]) -> Sequence[Answer | Exception]:
        with self._lock:
            wait_s = self._random.random() * 0.003
        time.sleep(wait_s)
        return [self._take(outgoing) for outgoing in batch]

    def facts(self) -> TargetFacts:
        return TargetFacts(batch_size=self.batch_size)

    def _take(self, outgoing: Outgoing) -> Answer | Exception:
        with self._lock:
            if self._random.random() < 0.004:
                self.turned_away += 1
                return TargetBusy("Slow down.")
            self.arrived[outgoing.group_id or ""].append(outgoing.payload)
        return takes(outgoing)


def test_a_thousand_events_of_twenty_groups_arrive_in_order_within_each_group(each_world: World) -> None:
    """As a queue numbers them, and not as they were stored: shuffled, and many within one millisecond."""
    parsed = [
        make_parsed(
            message=make_message(
                f"{n:04}", attributes={"MessageGroupId": f"g-{n % GROUPS}", "SequenceNumber": str(95 + n)}
            ),
            occurred_at=NOW + timedelta(milliseconds=n // 100),
            payload_text=f'"{n:04}"',
        )
        for n in range(EVENTS)
    ]
    random.Random(11).shuffle(parsed)  # noqa: S311 - the same order each time
    with write(each_world.engine) as session:
        store_some(session, *parsed)
    queue = each_world.targets[FIFO] = Flaky()  # type: ignore[assignment] # it is a Target as the fake one is
    redrive_id = each_world.run_redrive(target=FIFO, rate=10_000.0)
    workers = {each_world.start().name for _ in range(2)}
    wait_until(lambda: each_world.show(redrive_id).ended, timeout_s=120.0)
    ended = each_world.show(redrive_id)

    assert len(workers) == 2
    assert outcomes(ended) == {Outcome.SUCCEEDED: EVENTS}
    assert queue.turned_away > 0
    assert len(queue.arrived) == GROUPS
    assert {group: payloads for group, payloads in queue.arrived.items() if payloads != sorted(payloads)} == {}
    assert sum(map(len, queue.arrived.values())) == EVENTS
