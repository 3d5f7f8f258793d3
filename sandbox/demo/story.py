"""The whole story with nobody at the keyboard, and what must be true at its end."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.demo.processes import CommandFailed, Product
from sandbox.shop import Shop

SETTLE_WITHIN_S, COLLECT_WITHIN_S = 90.0, 60.0
"""Many times what it takes: a machine that is busy with other things is no failure of ours."""
PATIENT_S = "60"
"""For how long a redrive of which everything fails again may wait for the last of it. It ends when all are back."""
SOON_S = "3"
"""Several times what the sandbox's queue takes to give a message up: silence for so long says that it did not."""


class Story:
    """One run from the first order, which was taken when it *began*, to the report.

    `facts` is what was seen, `broken` the sentences of what should not be.
    """

    def __init__(self, shop: Shop, product: Product, *, orders: int, began: datetime) -> None:
        self.shop = shop
        self.product = product
        self.orders = orders
        self.began = began - timedelta(minutes=1)
        self.facts: dict[str, Any] = {}
        self.broken: list[str] = []
        self.failed: Mapping[str, Sequence[str]] = {}
        self.calls = 0

    def tell(self, say: Callable[[str], None]) -> dict[str, Any]:
        """Go through every step, saying each; return the facts, with `ok` and the seconds that each step took."""
        steps_s = {}
        for step in (self.fail, self.collect, self.group, self.redrive_too_early, self.fix_and_redrive, self.report):
            say(step.__doc__ or "")
            at = time.monotonic()
            step()
            steps_s[step.__name__] = round(time.monotonic() - at, 2)
        outcome = {"ok": not self.broken, "broken": self.broken, "seconds": round(sum(steps_s.values()), 1)}
        return self.facts | outcome | {"steps_s": steps_s}

    def fail(self) -> None:
        """The shop takes orders, and some fail for good."""
        self._check(self.shop.settled(SETTLE_WITHIN_S), "The shop did not come to rest in time.")
        self.failed = self.shop.failed_by_way()
        count = sum(map(len, self.failed.values()))
        self.facts |= {"orders": self.orders, "failed": count}
        for way, orders in self.failed.items():
            self._check(bool(orders), f"No order failed by {way}, so there was nothing to collect.")

    def collect(self) -> None:
        """The worker collects what AWS gave up on."""
        events = self._wait_for_events(self.facts["failed"])
        seen = self._by_way(events)
        self.facts |= {"collected": len(events), "lost": 0, "duplicated": 0, "producers": {}}
        for way, orders in self.failed.items():
            self._compare(way, orders, [event["label"] for event in seen.pop(way, [])])
        self._check(not seen, f"Collected, but not by a way that anything failed by: {sorted(seen)}")

    def _compare(self, way: str, orders: Sequence[str], labels: Sequence[str | None]) -> None:
        """Compare what failed with what was collected: by name, or by number where events are not called by orders."""
        named = [label for label in labels if label and label.startswith("ord-")]
        lost = set(orders) - set(named) if named else set(orders[len(labels) :])
        double = len(labels) - len(orders) + len(lost)
        self.facts["lost"] += len(lost)
        self.facts["duplicated"] += double
        self.facts["producers"][way] = {"collected": len(labels), "succeeded": 0}
        self._check(not lost, f"Lost, by {way}: {sorted(lost)}")
        self._check(not double, f"By {way}, {double} more were collected than failed: {sorted(named)}")

    def group(self) -> None:
        """They fall into groups by cause."""
        groups = self.product.ask("groups")
        sizes = {f"{group['title']} in {group['function_name']}": group["counts"]["unresolved"] for group in groups}
        self.facts["groups"] = len(groups)
        self.facts["causes"] = sizes
        collected = self.facts["collected"]
        self._check(sum(sizes.values()) == collected, f"{collected} events, but {sum(sizes.values())} in the groups.")
        self._check(len(groups) < collected, "Grouping put every event into a group of its own.")

    def redrive_too_early(self) -> None:
        """Redriving before the fix fails again, and says so."""
        self.calls = self.shop.healthy_subscriber_calls()
        # Without a canary, which would find out after five events: here each of them is to be seen failing again.
        patient = {"REDRIVE_SETTLE_S": PATIENT_S}  # all of it comes back, and nothing is to be taken for a success
        redrive = self.facts["first_redrive"] = self._redrive_all("--no-canary", "--max-failures", "100%", **patient)
        self._check(redrive["sent"] == self.facts["collected"], f"The first redrive sent {redrive['sent']}.")
        self._check(redrive["failed_again"] == redrive["sent"], "Before the fix, every event should have failed again.")

    def fix_and_redrive(self) -> None:
        """The fix is deployed, and the redrive after it succeeds."""
        self.shop.deploy_fix()
        redrive = self.facts["second_redrive"] = self._redrive_all("--no-canary", REDRIVE_SETTLE_S=SOON_S)
        everything = redrive["succeeded"] == redrive["sent"] == self.facts["collected"]
        self._check(everything, f"The second redrive should have carried out everything: {redrive}")
        events = self.product.events()
        resolved = [event for event in events if event["status"] == "resolved"]
        for way, done in self._by_way(resolved).items():
            self.facts["producers"].setdefault(way, {"collected": 0})["succeeded"] = len(done)
        still_open = len(events) - len(resolved)
        self._check(not still_open, f"{still_open} events are still unresolved at the end.")
        most = self.facts["side_effects_per_order_max"] = max(self.shop.done().values(), default=0)
        undone = {way: orders for way, orders in self.shop.failed_by_way(done=self.shop.done()).items() if orders}
        self._check(not undone, f"Redriven, but never carried out: {undone}")
        doubles = sorted(f"{what} {order}" for (what, order), count in self.shop.done().items() if count > 1)
        self._check(most == 1, f"Carried out more than once: {doubles}")
        healthy = self.shop.healthy_subscriber_calls()
        self._check(healthy == self.calls, f"The healthy subscriber was called {healthy - self.calls} times too often.")

    def report(self) -> None:
        """The incident report is written, in every format."""
        until = datetime.now(UTC) + timedelta(minutes=1)
        times = {"from": self.began.isoformat(), "to": until.isoformat()}
        path = self.product.data_dir / "report.html"
        asked = (part for name, at in times.items() for part in (f"--{name}", at))
        self.product.run("report", *asked, "--format", "html", "--output", str(path))
        for kind in ("md", "json", "csv", "ndjson"):  # by the page's links: a process for each would take a second
            path.with_suffix(f".{kind}").write_bytes(self.product.get("/reports/download", format=kind, **times))
        for written in path.parent.glob("report.*"):
            self._check(written.stat().st_size > 0, f"The report {written.name} is empty.")

    def _by_way(self, events: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
        """Return events by who wrote their record and by which way it came."""
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for event in events:
            found[self.shop.way_of(event["producer"], event["source_name"])].append(event)
        return dict(found)

    def _check(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - it reads as the sentence it checks
        if not holds:
            self.broken.append(otherwise)

    def _wait_for_events(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + COLLECT_WITHIN_S
        while True:
            events = self.product.events()
            if len(events) >= count or time.monotonic() > deadline:
                return events
            if problem := self.product.died():
                raise CommandFailed(problem)
            time.sleep(0.2)

    def _redrive_all(self, *more: str, **settings: str) -> dict[str, int]:
        """Redrive everything unresolved and wait for its end; exit code 1 only says that something failed again."""
        args = ("send", "--filter", "status=unresolved", "--rate", "200", "--yes", "--wait", *more)
        redrive = self.product.ask(*args, ok=(0, 1), **settings)
        outcomes = {name: redrive[name] for name in ("succeeded", "failed_again", "skipped", "unknown")}
        return {"sent": redrive["planned"] - redrive["waiting"] - redrive["skipped"]} | outcomes
