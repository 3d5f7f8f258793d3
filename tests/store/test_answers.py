"""Answers to repeated writes of the API, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from deadletter.errors import BadInput, IllegalMove
from deadletter.store import write
from deadletter.store.answers import KEPT, Answer, begin, keep, release
from tests.factories import NOW

DONE = Answer(201, '{"id": 7}')


def ask(engine: Engine, owner: str = "user 1", *, digest: str = "d", later: timedelta = timedelta()) -> Answer | None:
    with write(engine) as session:
        return begin(session, owner, "k", digest=digest, now=NOW + later)


def answer(engine: Engine) -> None:
    with write(engine) as session:
        keep(session, "user 1", "k", DONE)


def test_the_same_request_gets_its_answer_again_and_another_one_none(engine: Engine) -> None:
    assert ask(engine) is None
    answer(engine)
    assert ask(engine) == DONE
    assert ask(engine, "user 2") is None
    with pytest.raises(BadInput, match="for another request"):
        ask(engine, digest="other")


def test_an_answer_is_kept_for_a_day(engine: Engine) -> None:
    ask(engine)
    answer(engine)
    assert ask(engine, later=KEPT - timedelta(seconds=1)) == DONE
    assert ask(engine, later=KEPT) is None


def test_what_was_released_may_be_asked_again(engine: Engine) -> None:
    ask(engine)
    with write(engine) as session:
        release(session, "user 1", "k")
    assert ask(engine) is None


def test_of_many_at_once_one_is_carried_out(engine: Engine) -> None:
    def begins(_n: int) -> bool:
        try:
            return ask(engine) is None
        except IllegalMove:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begins, range(16))) == 1
