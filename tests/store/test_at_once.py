"""Several processes write at once: everything is stored once, nothing is lost, and nobody waits in a circle."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, func, select

from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.check import recount
from deadletter.store.failures import FailedAgain, fail_again, move_events
from deadletter.store.ingest import Parsed, Stored, store_all
from deadletter.store.models import Event, Record
from deadletter.store.queries import list_events, status_counts
from tests.factories import NOW, make_dlq_event, make_event, make_parsed, make_source

WRITERS = 4


def all_at_once(*work: Callable[[], Stored | None]) -> list[Stored | None]:
    """Run every piece of work in a thread of its own, starting together; return what each returns."""
    gate = threading.Barrier(len(work))

    def go(one: Callable[[], Stored | None]) -> Stored | None:
        gate.wait()
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(go, work))


def storing(engine: Engine, batches: dict[int, Sequence[Parsed]]) -> Callable[[], Stored]:
    def store() -> Stored:
        with write(engine) as session:
            return store_all(session, batches, now=NOW)

    return store


def totals(stored: Sequence[Stored | None]) -> Counter[str]:
    names = ("new", "known", "merged", "failed_again")
    return sum((Counter({name: getattr(each, name) for name in names}) for each in stored if each), Counter())


def test_the_same_messages_stored_by_all_writers_are_stored_once(engine: Engine) -> None:
    with write(engine) as session:
        source_id = make_source(session).id
    for request_id in ("given", "none"):
        batch = [
            make_parsed(error_type=f"E{n % 5}", **({} if request_id == "given" else {"request_id": None}))
            for n in range(60)
        ]
        stored = all_at_once(*[storing(engine, {source_id: batch[n:] + batch[:n]}) for n in range(WRITERS)])
        assert totals(stored) == Counter(new=60, known=60 * (WRITERS - 1))
    with read(engine) as session:
        assert status_counts(session).total == 120
        assert recount(session) == []


def test_dlq_and_destination_collected_by_different_workers_are_one_event_each(engine: Engine) -> None:
    with write(engine) as session:
        dlq, destination = make_source(session, "dlq").id, make_source(session, "destination").id
    for _ in range(3):
        failures = [
            make_event(error_type=f"E{n % 5}", error_message=f"failed with {'abcde'[n % 5]}") for n in range(40)
        ]
        rich = [make_parsed(each) for each in failures]
        poor = [make_parsed(make_dlq_event(each)) for each in reversed(failures)]
        all_at_once(
            storing(engine, {dlq: poor[:20], destination: rich[:20]}),
            storing(engine, {dlq: poor[20:], destination: rich[20:]}),
            storing(engine, {destination: rich}),
            storing(engine, {dlq: poor}),
        )
    with read(engine) as session:
        rows = list_events(session, EventFilter(), limit=1_000).rows
        assert len(rows) == 120
        assert {row.source_name for row in rows} == {"destination"}
        assert session.scalar(select(func.count()).select_from(Record)) == 240
        assert recount(session) == []


def test_collecting_archiving_and_failing_again_do_not_block_each_other_for_good(engine: Engine) -> None:
    with write(engine) as session:
        source_id = make_source(session).id
        store_all(session, {source_id: [make_parsed(error_type=f"E{n % 6}") for n in range(60)]}, now=NOW)
        ids = list(session.scalars(select(Event.id).order_by(Event.id)))

    def fail() -> None:
        causes = [make_parsed(error_type=f"E{n}").fingerprint for n in range(6, 12)]
        for start in range(0, 60, 10):
            failures = [
                FailedAgain(
                    event_id=each, fingerprint=causes[each % 6], error_type="E", error_message="again", occurred_at=NOW
                )
                for each in reversed(ids[start : start + 10])
            ]
            with write(engine) as session:
                fail_again(session, failures)

    def archive() -> None:
        for to in (EventStatus.ARCHIVED, EventStatus.UNRESOLVED) * 3:
            with write(engine) as session:
                move_events(session, ids[::-1], to, outcome=Outcome.SKIPPED)

    def collect() -> None:
        for n in range(6):
            storing(engine, {source_id: [make_parsed(error_type=f"E{(n + k) % 14}") for k in range(14)]})()

    all_at_once(fail, archive, collect, collect)
    with read(engine) as session:
        assert status_counts(session).total == 60 + 2 * 6 * 14
        # No redrive's item tells of the failures that this test makes up, so those alone count 60 too many.
        made_up = {"failures of a group by hour", "failures of an event"}
        assert {each.what for each in recount(session)} == made_up
        of_groups = [each for each in recount(session) if each.what == "failures of a group by hour"]
        assert sum(each.kept - each.counted for each in of_groups) == 60


SCRIPT = """
import sys
from pathlib import Path
from deadletter.settings import Settings
from deadletter.store import make_engine, upgrade, write
from deadletter.store.ingest import store_messages
from tests.factories import NOW, make_message, make_parsed, make_source

settings = Settings(data_dir=Path(sys.argv[1]))
upgrade(settings)
engine = make_engine(settings)
print("ready", flush=True)
sys.stdin.readline()
new = 0
for start in range(0, 200, 10):
    batch = [
        make_parsed(request_id=f"request-{n}", payload_text=str(n), message=make_message(message_id=f"message-{n}"))
        for n in range(start, start + 10)
    ]
    with write(engine) as session:
        new += store_messages(session, make_source(session).id, batch, now=NOW).new
engine.dispose()
print(new)
"""


def test_processes_that_start_together_make_one_sqlite_database_and_store_each_message_once(settings: Settings) -> None:
    (settings.data_dir / "redrive.db").unlink()
    command = [sys.executable, "-c", SCRIPT, str(settings.data_dir)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(WRITERS)
    ]
    assert [worker.stdout and worker.stdout.readline() for worker in workers] == ["ready\n"] * WRITERS
    new = [int(worker.communicate("go\n", timeout=60)[0]) for worker in workers]
    assert (sum(new), {worker.returncode for worker in workers}) == (200, {0})
