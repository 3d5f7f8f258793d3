"""New groups are counted as they come, and very many of them are said to be a fault of the fingerprint."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select

from deadletter.event import Cause
from deadletter.fingerprint import fingerprint
from deadletter.store import models, read, write
from deadletter.store.births import TOO_MANY, Flood, find_flood
from deadletter.store.groups import ensure_groups
from tests.factories import ACCOUNT, NOW, make_parsed, store_some
from tests.statements import counted
from tests.store.test_at_once import all_at_once


def be_born(engine: Engine, count: int, *, of: str = "orders", at: datetime = NOW, first: int = 0) -> None:
    """Make groups as a fingerprint does that masks too little."""
    function = ACCOUNT.format("lambda", f"function:{of}")
    causes = [fingerprint(Cause(function_arn=function, error_type=f"E{n}")) for n in range(first, first + count)]
    with write(engine) as session:
        ensure_groups(session, [(cause, at - timedelta(days=3)) for cause in causes], now=at)


def flood(engine: Engine, at: datetime = NOW) -> Flood | None:
    with read(engine) as session:
        return find_flood(session, at)


def test_more_new_groups_within_the_hour_than_there_are_causes_are_told_of_with_their_function(engine: Engine) -> None:
    be_born(engine, 3, of="notify")
    be_born(engine, TOO_MANY - 3)
    assert flood(engine) is None
    be_born(engine, 8, at=NOW - timedelta(minutes=40), first=TOO_MANY)
    assert flood(engine) == Flood(TOO_MANY + 8, "orders", TOO_MANY + 5)


def test_what_came_more_than_an_hour_ago_is_no_news_and_is_forgotten_after_a_day(engine: Engine) -> None:
    be_born(engine, TOO_MANY + 1)
    assert flood(engine, NOW + timedelta(minutes=59)) is not None
    assert flood(engine, NOW + timedelta(hours=1, minutes=10)) is None
    be_born(engine, 1, at=NOW + timedelta(hours=25), first=TOO_MANY + 1)
    with read(engine) as session:
        assert session.scalar(select(func.sum(models.GroupBirth.n))) == 1


def test_groups_that_are_there_already_are_not_born_again(engine: Engine) -> None:
    with write(engine) as session:
        store_some(session, make_parsed(), make_parsed(error_type="KeyError"))
        store_some(session, make_parsed(), make_parsed(error_type="ValueError"))
        assert session.scalar(select(func.sum(models.GroupBirth.n))) == 3


def test_groups_that_several_make_at_once_are_born_once(engine: Engine) -> None:
    all_at_once(*[lambda: be_born(engine, 40)] * 4)
    with read(engine) as session:
        assert session.scalar(select(func.sum(models.GroupBirth.n))) == 40
        assert session.scalar(select(func.count()).select_from(models.Group)) == 40


def test_asking_takes_one_statement_that_reads_no_groups(sqlite_engine: Engine) -> None:
    be_born(sqlite_engine, 1)
    with counted(sqlite_engine) as statements:
        flood(sqlite_engine)
    assert ["groups" in statement for statement, _ in statements] == [False]
