"""The whole story with nobody at the keyboard, and what must be true at its end."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.demo.processes import CommandFailed, Product
from sandbox.shop import Shop

COLLECT_WITHIN_S = 20.0


class Story:
    """One run from the first order to the report.

    `facts` is what was seen, `broken` the sentences of what should not be.
    """

    def __init__(self, shop: Shop, product: Product, *, orders: int) -> None:
        self.shop = shop
        self.product = product
        self.orders = orders
        self.began = datetime.now(UTC) - timedelta(minutes=1)
        self.facts: dict[str, Any] = {}
        self.broken: list[str] = []
        self.failed: set[str] = set()

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
        self.shop.orders(self.orders)
        self._check(self.shop.settled(), "The shop did not come to rest in time.")
        self.failed = set(self.shop.failed_orders())
        self.facts |= {"orders": self.orders, "failed": len(self.failed)}
        self._check(bool(self.failed), "No order failed, so there was nothing to collect.")

    def collect(self) -> None:
        """The worker collects what AWS gave up on."""
        failed = self.failed
        events = self._wait_for_events(len(failed))
        seen = Counter(event["label"] for event in events)
        self.facts["collected"] = len(events)
        self.facts["lost"] = len(failed - set(seen))
        self.facts["duplicated"] = sum(count - 1 for count in seen.values())
        self._check(self.facts["lost"] == 0, f"Lost: {sorted(failed - set(seen))}")
        self._check(self.facts["duplicated"] == 0, f"Stored more than once: {[k for k, n in seen.items() if n > 1]}")
        self._check(set(seen) <= failed, f"Collected, but never failed: {sorted(set(seen) - failed)}")

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
        redrive = self.facts["first_redrive"] = self._redrive_all()
        self._check(redrive["sent"] == self.facts["collected"], f"The first redrive sent {redrive['sent']}.")
        self._check(redrive["failed_again"] == redrive["sent"], "Before the fix, every event should have failed again.")

    def fix_and_redrive(self) -> None:
        """The fix is deployed, and the redrive after it succeeds."""
        self.shop.deploy_fix()
        redrive = self.facts["second_redrive"] = self._redrive_all()
        everything = redrive["succeeded"] == redrive["sent"] == self.facts["collected"]
        self._check(everything, f"The second redrive should have carried out everything: {redrive}")
        effects = self.shop.side_effects()
        most = self.facts["side_effects_per_order_max"] = max(effects.values(), default=0)
        undone = sorted(self.failed - set(effects))
        self._check(not undone, f"Redriven, but never carried out: {undone}")
        self._check(most == 1, "An order was carried out more than once.")

    def report(self) -> None:
        """The incident report is written, in every format."""
        until = datetime.now(UTC) + timedelta(minutes=1)
        times = ("--from", self.began.isoformat(), "--to", until.isoformat())
        for kind in ("html", "md", "json", "csv", "ndjson"):
            path = self.product.data_dir / f"report.{kind}"
            self.product.run("report", *times, "--format", kind, "--output", str(path))
            self._check(path.stat().st_size > 0, f"The {kind} report is empty.")
        still_open = self.product.ask("events", "--status", "unresolved")
        self._check(not still_open, f"{len(still_open)} events are still unresolved at the end.")

    def _check(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - it reads as the sentence it checks
        if not holds:
            self.broken.append(otherwise)

    def _wait_for_events(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + COLLECT_WITHIN_S
        while True:
            events: list[dict[str, Any]] = self.product.ask("events", "--limit", "100000")
            if len(events) >= count or time.monotonic() > deadline:
                return events
            if problem := self.product.died():
                raise CommandFailed(problem)
            time.sleep(0.2)

    def _redrive_all(self) -> dict[str, int]:
        """Redrive everything unresolved and wait for its end; exit code 1 only says that something failed again."""
        args = ("send", "--filter", "status=unresolved", "--rate", "200", "--yes", "--wait")
        redrive = self.product.ask(*args, ok=(0, 1))
        outcomes = {name: redrive[name] for name in ("succeeded", "failed_again", "skipped", "unknown")}
        return {"sent": redrive["planned"] - redrive["waiting"] - redrive["skipped"]} | outcomes
