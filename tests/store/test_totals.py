"""What was ever redriven to a target is counted once for each event, whatever becomes of it later."""

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from deadletter.outcome import Outcome
from deadletter.store import read, write
from deadletter.store.migrate import alembic_config
from deadletter.store.totals import TargetTotals, list_totals, note_moves
from tests.factories import FUNCTION
from tests.store.redriving import check_counters, report, run, store, take, tell


def totals(engine: Engine) -> list[TargetTotals]:
    with read(engine) as session:
        return list(list_totals(session))


def one(**counts: int) -> TargetTotals:
    none = dict.fromkeys(("redriven", "succeeded", "failed_again", "unknown"), 0)
    return TargetTotals(target_arn=FUNCTION, **none | counts)


def test_what_is_sent_and_later_succeeds_is_redriven_once(engine: Engine) -> None:
    store(engine, 3)
    running = run(engine)
    first, second, third = [*take(engine, running.id), *take(engine, running.id, later_s=1)]
    tell(engine, running.id, report(first, Outcome.SENT, sent_id="a"), report(second, Outcome.SUCCEEDED))
    tell(engine, running.id, report(third, Outcome.WAITING))
    assert totals(engine) == [one(redriven=2, succeeded=1)]
    check_counters(engine)


def test_what_is_still_on_its_way_is_not_counted(engine: Engine) -> None:
    store(engine, 1)
    take(engine, run(engine).id)
    assert totals(engine) == []


def test_what_is_rolled_back_does_not_count(engine: Engine) -> None:
    with write(engine) as session:
        note_moves(session, [(FUNCTION, Outcome.SENDING, Outcome.SENT)])
        session.rollback()
    assert totals(engine) == []


def test_an_unknown_one_that_turns_out_to_have_failed_is_both(engine: Engine) -> None:
    moves = [(FUNCTION, Outcome.SENDING, Outcome.UNKNOWN), (FUNCTION, Outcome.UNKNOWN, Outcome.FAILED_AGAIN)]
    for move in moves:
        with write(engine) as session:
            note_moves(session, [move, (None, *move[1:])])
    assert totals(engine) == [one(redriven=1, failed_again=1, unknown=1)]


def test_a_database_from_before_gets_its_totals_out_of_its_items(engine: Engine) -> None:
    store(engine, 2)
    running = run(engine)
    first, second = [*take(engine, running.id), *take(engine, running.id, later_s=1)]
    tell(engine, running.id, report(first, Outcome.SENT, sent_id="a"), report(second, Outcome.SUCCEEDED))
    before = totals(engine)
    migration = ScriptDirectory.from_config(alembic_config()).get_revision("0006")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM target_totals"))
        connection.execute(text(migration.module.REDRIVEN))
    assert totals(engine) == before == [one(redriven=2, succeeded=1)]
