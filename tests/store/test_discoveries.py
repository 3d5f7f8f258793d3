"""A discovery's life: one at a time, taken by one worker, taken over from one that fell silent, and kept."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, func, select

from deadletter.aws.discovery import Scan
from deadletter.discovery.account import Account, Queue
from deadletter.errors import SourceError
from deadletter.event import TargetKind, TargetRef
from deadletter.scouting import Scout, draw
from deadletter.settings import Role, Settings
from deadletter.store import read, write
from deadletter.store.discoveries import DiscoveryRow, DiscoveryStatus, ask_discovery, latest_discovery, take_discovery
from deadletter.store.models import Discovery, Event
from deadletter.store.senders import function_of, set_senders
from deadletter.store.sources import add_source, list_sources, list_sources_with_senders
from tests.factories import ADA, NOW, make_dlq_event, make_event, make_message, make_parsed, store_some

LEASE_S = 30.0
OTHER = Role("arn:aws:iam::111122223333:role/redrive", "111122223333", ("eu-west-1",))
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:orders-dlq"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders-{}"


class Time:
    def __init__(self) -> None:
        self.at = NOW

    def now(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a test's clock
        self.at += timedelta(seconds=2)
        return self.at


def scan(region: str = "", *, account: str = "", tell=None) -> Scan:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Read one queue of the account that is named, in three calls."""
    for n in range(3):
        tell("sqs:ListQueues", n)
    return Scan(Account(queues=(Queue(arn=f"{account or 'ours'}{region}"),)), (), 3, 0.6)


def scout(engine: Engine, *, worker: str = "w-1", stop_after: int = 99, **given: object) -> Scout:
    looked = iter(range(1000))
    settings = Settings(roles=(OTHER,), lease_s=LEASE_S)
    given = {"scan": scan} | given
    return Scout(engine, settings, worker, Time(), lambda: next(looked) >= stop_after, **given)  # type: ignore[arg-type]


def ask(engine: Engine) -> int:
    with write(engine) as session:
        return ask_discovery(session, by=ADA, now=NOW)


def latest(engine: Engine) -> DiscoveryRow:
    with read(engine) as session:
        found = latest_discovery(session)
    assert found
    return found


def test_asking_twice_is_asking_once(engine: Engine) -> None:
    assert ask(engine) == ask(engine)


def test_nothing_is_read_unless_somebody_asked(engine: Engine) -> None:
    assert not scout(engine).turn()


def test_our_account_and_every_role_are_read_and_kept(engine: Engine) -> None:
    ask(engine)
    assert scout(engine).turn()
    row = latest(engine)

    assert (row.status, row.calls, row.error) == (DiscoveryStatus.FINISHED, 6, None)
    assert [(each["account"], each["region"]) for each in row.scans] == [("", ""), ("111122223333", "eu-west-1")]
    assert [each["facts"]["queues"][0]["arn"] for each in row.scans] == ["ours", "111122223333eu-west-1"]
    with read(engine) as session:
        assert draw(session, row.scans, now=NOW).gaps == ()


def test_a_worker_that_ends_hands_it_on_and_the_next_goes_on_where_it_was(engine: Engine) -> None:
    ask(engine)
    scout(engine, stop_after=4).turn()  # one account is read, the second just begun
    between = latest(engine)
    read_again = []

    def noting(region: str = "", **given: object) -> Scan:
        read_again.append(given["account"])
        return scan(region, **given)  # type: ignore[arg-type]

    scout(engine, worker="w-2", scan=noting).turn()

    assert (between.status, len(between.scans)) == (DiscoveryStatus.ASKED, 1)
    assert read_again == ["111122223333"]
    assert latest(engine).status is DiscoveryStatus.FINISHED


def test_one_whose_worker_fell_silent_is_taken_over_and_given_up_after_three(engine: Engine) -> None:
    ask(engine)
    taken = []
    for n in range(5):
        later = NOW + timedelta(seconds=n * (LEASE_S + 1))
        with write(engine) as session:
            taken.append(take_discovery(session, worker=f"w-{n}", now=later, lease_s=LEASE_S) is not None)
    assert taken == [True, True, True, False, False]
    assert latest(engine).status is DiscoveryStatus.FAILED
    assert "Each worker that began it ended" in (latest(engine).error or "")


def test_two_workers_never_take_the_same_one(engine: Engine) -> None:
    ask(engine)
    with write(engine) as session:
        assert take_discovery(session, worker="w-1", now=NOW, lease_s=LEASE_S)
        assert take_discovery(session, worker="w-2", now=NOW, lease_s=LEASE_S) is None


def test_an_account_that_cannot_be_read_fails_it_with_the_sentence(engine: Engine) -> None:
    def refuse(_region: str, **_given: object) -> Scan:
        raise SourceError("boto3 is not set up: no Region.")

    ask(engine)
    scout(engine, scan=refuse).turn()
    assert (latest(engine).status, latest(engine).error) == (DiscoveryStatus.FAILED, "boto3 is not set up: no Region.")


def test_a_role_that_cannot_be_taken_hides_its_account_only(engine: Engine) -> None:
    def refuse_other(region: str, **given: object) -> Scan:
        if given["account"]:
            raise SourceError("Nothing of account 111122223333 could be read.")
        return scan(region, **given)  # type: ignore[arg-type]

    ask(engine)
    scout(engine, scan=refuse_other).turn()
    row = latest(engine)
    assert row.status is DiscoveryStatus.FINISHED
    assert [each["refused"] for each in row.scans] == [[], ["Nothing of account 111122223333 could be read."]]


def test_only_the_newest_few_are_kept(engine: Engine) -> None:
    for _ in range(9):
        ask(engine)
        scout(engine).turn()
    with read(engine) as session:
        assert session.scalar(select(func.count()).select_from(Discovery)) <= 6


def test_the_role_in_a_sender_id_tells_the_function(engine: Engine) -> None:
    senders = {"AROA1": FUNCTION.format("a"), "AROA2": FUNCTION.format("b")}
    named = TargetRef(TargetKind.LAMBDA, FUNCTION.format("a"))
    assert function_of(senders, {"SenderId": "AROA1:orders-a"}) == named
    for attributes in ({}, {"SenderId": "AROA3:x"}, {"SenderId": "AROA1x:y"}, {"SenderId": ""}):
        assert function_of(senders, attributes) is None

    with write(engine) as session:
        source = add_source(session, QUEUE, target=None, by=ADA, now=NOW)
        set_senders(session, source.id, senders)
        assert list_sources_with_senders(session, now=NOW)[0].senders == senders
        set_senders(session, source.id, {})
        assert list_sources_with_senders(session, now=NOW)[0].senders == {}


def test_events_collected_before_get_their_function_once_the_roles_are_known(engine: Engine) -> None:
    with write(engine) as session:
        for role in ("AROA1", "AROA2", "AROA9"):
            message = make_message(attributes={"SenderId": f"{role}:s"})
            parsed = make_parsed(make_dlq_event(make_event()), message=message, target=None)
            store_some(session, parsed, source="shared-dlq")
        [source] = list_sources(session, now=NOW)
        told = set_senders(session, source.id, {f"AROA{n}": FUNCTION.format(n) for n in (1, 2)})
        targets = list(session.scalars(select(Event.target_arn).order_by(Event.id)))

    assert told == 2
    assert targets == [FUNCTION.format(1), FUNCTION.format(2), None]
