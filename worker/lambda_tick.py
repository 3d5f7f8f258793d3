"""The Lambda function that a schedule calls once a minute: schema, settling, depths, look-ups, retention, discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from deadletter.actor import Actor
from deadletter.lambda_base import count, engine, lambda_settings, logger, metrics, settings, tracer
from worker.names import new_name
from worker.threads import SystemClock
from worker.work import Piece, queue_piece

if TYPE_CHECKING:
    from deadletter.store.vitals import Vitals

SPARE_S = 20.0
"""What is left to the next tick when there is no more time than that."""

SOON_S = 0.1
"""A turn that wants another one within that time has more to do."""

Turn = Callable[[], float]


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what time demands; return what was queued."""
    _migrate()
    before = _vitals()

    def hurries() -> bool:
        return context.get_remaining_time_in_millis() < SPARE_S * 1000

    for name, turn in _turns(hurries).items():
        _until_done(name, turn, hurries)
    queued = queue_running(str(event.get("tick") or context.aws_request_id))
    _measure(before, _vitals())
    return {"queued": queued}


def queue_running(token: str) -> list[int]:
    """Put a slice on the work queue for each redrive that has something to send, and that nobody sends.

    Whatever became of the slice before, whose sender may have died: this is what brings a redrive to its end.
    """
    from deadletter.store import read  # noqa: PLC0415
    from deadletter.store.redrives.claims import list_running  # noqa: PLC0415

    now = SystemClock().now()
    with read(engine()) as session:
        due = [each for each in list_running(session, now) if each.not_before is None or each.not_before <= now]
    for each in due:
        queue_piece(lambda_settings.work_queue_url, Piece(each.redrive_id, token))
    return [each.redrive_id for each in due]


def _migrate() -> None:
    """Bring the schema up to date, where it is not: deploying a new version takes nothing more."""
    from deadletter.store import is_current, upgrade  # noqa: PLC0415

    if not is_current(engine()):
        logger.info("the schema is brought up to date")
        upgrade(settings())


def _turns(hurries: Callable[[], bool]) -> dict[str, Turn]:
    """Return what a worker's threads do by the clock: here each has its turns one after the other."""
    from deadletter import aws  # noqa: PLC0415
    from deadletter.scouting import Scout, refresh  # noqa: PLC0415
    from worker.expiring import Expirer  # noqa: PLC0415
    from worker.fetching import Fetcher  # noqa: PLC0415
    from worker.tending import Gauge, Tender  # noqa: PLC0415

    clock = SystemClock()
    tender = Tender(engine(), settings(), open_target=aws.open_target, clock=clock)
    gauge = Gauge(engine(), open_source=aws.open_source, clock=clock)
    fetcher = Fetcher(engine(), open_lookups=aws.open_lookups, clock=clock, stopping=hurries)
    expirer = Expirer(engine(), clock=clock, stopping=hurries)
    scout = Scout(engine(), settings(), new_name(), clock, hurries)

    def discover() -> float:
        refresh(engine(), by=Actor("tick", "schedule"), now=clock.now())
        return 0.0 if scout.turn() else SPARE_S

    turns = {"settle": tender.turn, "depths": gauge.turn, "look up": fetcher.turn}
    return turns | {"retain": expirer.turn, "discover": discover}


def _until_done(name: str, turn: Turn, hurries: Callable[[], bool]) -> None:
    """Take turns until one says that there is no more to do; one thing that goes wrong does not keep the others out."""
    try:
        while not hurries() and turn() <= SOON_S:
            pass
    except Exception:  # noqa: BLE001 - logged; the next minute tries again
        logger.exception("a turn went wrong", doing=name)


def _vitals() -> Vitals:
    from deadletter.store import read  # noqa: PLC0415
    from deadletter.store.vitals import vitals  # noqa: PLC0415

    with read(engine()) as session:
        return vitals(session, lease_s=settings().lease_s, now=SystemClock().now())


def _measure(before: Vitals, after: Vitals) -> None:
    """Measure how old the oldest failure is, and count what became unknown: it does so here alone, for lack of news."""
    oldest = after.oldest_unresolved_at
    age_s = (SystemClock().now() - oldest).total_seconds() if oldest else 0.0
    metrics.add_metric(name="OldestUnresolvedAge", unit=MetricUnit.Seconds, value=max(age_s, 0.0))
    unknown = sum(each.unknown for each in after.targets) - sum(each.unknown for each in before.targets)
    count({"Unknown": unknown})
