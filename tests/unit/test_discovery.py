from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.discovery import AccountMap, map_account
from deadletter.discovery.account import (
    LATEST,
    Account,
    Function,
    InvokeConfig,
    Pipe,
    Queue,
    RuleTarget,
    Schedule,
    SourceMapping,
    Subscription,
)
from deadletter.discovery.gaps import GapKind
from deadletter.discovery.places import Place
from deadletter.event import Producer, TargetKind, TargetRef

WHERE = "eu-west-1:123456789012"
CAPTURE, NOTIFY = (f"arn:aws:lambda:{WHERE}:function:orders-{name}" for name in ("capture", "notify"))
DLQ, ORDERS, OTHER = (f"arn:aws:sqs:{WHERE}:{name}" for name in ("orders-dlq", "orders", "other-dlq"))
TOPIC = f"arn:aws:sns:{WHERE}:failures"
RULE = f"arn:aws:events:{WHERE}:rule/nightly"
SCHEDULE = f"arn:aws:scheduler:{WHERE}:schedule/default/hourly"
PIPE = f"arn:aws:pipes:{WHERE}:pipe/clicks"
STREAM = f"arn:aws:kinesis:{WHERE}:stream/clicks"
TABLE = f"arn:aws:dynamodb:{WHERE}:table/orders/stream/2026-11-01T00:00:00.000"
BUCKET = "arn:aws:s3:::failures"
SUBSCRIPTION = f"arn:aws:sns:{WHERE}:orders:7d1c"

TO_CAPTURE = TargetRef(TargetKind.LAMBDA, CAPTURE)
TO_NOTIFY = TargetRef(TargetKind.LAMBDA, NOTIFY)
TO_ORDERS = TargetRef(TargetKind.SQS, ORDERS)


def place(account: Account, arn: str = DLQ, registered: frozenset[str] = frozenset()) -> Place:
    return next(each for each in map_account(account, registered).places if each.arn == arn)


def gaps(account: Account) -> list[tuple[GapKind, str]]:
    return [(gap.kind, gap.arn) for gap in map_account(account).gaps]


def capture(**facts: Any) -> Function:
    return Function(**{"arn": CAPTURE, "dead_letter_arn": DLQ} | facts)


def notify(**facts: Any) -> Function:
    return Function(**{"arn": NOTIFY, "dead_letter_arn": DLQ} | facts)


@pytest.mark.parametrize(
    ("account", "arn", "producer", "target", "how"),
    [
        (Account(functions=(capture(),)), DLQ, Producer.LAMBDA_ASYNC_DLQ, TO_CAPTURE, "dead-letter target"),
        (
            Account(functions=(Function(arn=CAPTURE, invoke_configs=(InvokeConfig("live", BUCKET),)),)),
            BUCKET,
            Producer.LAMBDA_DESTINATION,
            TO_CAPTURE,
            "orders-capture:live",
        ),
        (
            Account(mappings=(SourceMapping(uuid="m", function_arn=CAPTURE, source_arn=STREAM, on_failure_arn=DLQ),)),
            DLQ,
            Producer.KINESIS_ESM,
            TO_CAPTURE,
            STREAM,
        ),
        (
            Account(mappings=(SourceMapping(uuid="m", function_arn=CAPTURE, source_arn=TABLE, on_failure_arn=DLQ),)),
            DLQ,
            Producer.DYNAMODB_ESM,
            TO_CAPTURE,
            TABLE,
        ),
        (
            Account(mappings=(SourceMapping(uuid="m", function_arn=CAPTURE, on_failure_arn="kafka://failures"),)),
            "kafka://failures",
            Producer.KAFKA_ESM,
            TO_CAPTURE,
            "self-managed Kafka",
        ),
        (
            Account(queues=(Queue(arn=ORDERS, dead_letter_arn=DLQ),)),
            DLQ,
            Producer.SQS_REDRIVE,
            TO_ORDERS,
            "redrive policy of the queue orders ",
        ),
        (
            Account(
                subscriptions=(Subscription(arn=SUBSCRIPTION, protocol="sqs", endpoint=ORDERS, dead_letter_arn=DLQ),)
            ),
            DLQ,
            Producer.SNS_SUBSCRIPTION,
            TO_ORDERS,
            "subscription",
        ),
        (
            Account(rule_targets=(RuleTarget(rule_arn=RULE, arn=CAPTURE, dead_letter_arn=DLQ),)),
            DLQ,
            Producer.EVENTBRIDGE_RULE,
            TO_CAPTURE,
            "the rule nightly,",
        ),
        (
            Account(schedules=(Schedule(arn=SCHEDULE, target_arn=CAPTURE, dead_letter_arn=DLQ),)),
            DLQ,
            Producer.SCHEDULER,
            TO_CAPTURE,
            "the schedule hourly,",
        ),
        (
            Account(pipes=(Pipe(arn=PIPE, source_arn=STREAM, target_arn=CAPTURE, dead_letter_arn=DLQ),)),
            DLQ,
            Producer.PIPES,
            TO_CAPTURE,
            "the pipe clicks,",
        ),
    ],
)
def test_a_place_with_one_writer_goes_back_to_the_consumer_that_failed(
    account: Account, arn: str, producer: Producer, target: TargetRef, how: str
) -> None:
    found = place(account, arn)

    assert [(writer.producer, writer.target) for writer in found.writers] == [(producer, target)]
    assert how in found.writers[0].how
    assert (found.target, found.ambiguous) == (target, False)
    assert found.registrable is (arn in {DLQ, BUCKET})


def test_a_rule_whose_target_is_neither_function_nor_queue_asks_nothing_as_its_records_name_it() -> None:
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:settle"
    found = place(Account(rule_targets=(RuleTarget(rule_arn=RULE, arn=machine, dead_letter_arn=DLQ),)), DLQ)
    assert (found.target, found.registrable, found.why) == (None, True, "Each record names its own consumer.")


def test_a_queue_that_two_functions_fail_to_is_ambiguous_and_says_between_whom() -> None:
    found = place(Account(functions=(capture(), notify())))

    assert (found.target, found.ambiguous, found.senders, found.registrable) == (None, True, {}, False)
    assert "orders-capture, orders-notify" in found.why
    assert "Say which" in found.why


def test_the_senders_role_tells_two_functions_apart() -> None:
    found = place(Account(functions=(capture(role_id="AROAONE"), notify(role_id="AROATWO"))))

    assert found.ambiguous
    assert found.senders == {"AROAONE": CAPTURE, "AROATWO": NOTIFY}
    assert "SenderId" in found.why


@pytest.mark.parametrize("role_ids", [("AROAONE", "AROAONE"), ("AROAONE", None)])
def test_a_role_that_is_shared_or_not_known_tells_nothing(role_ids: tuple[str, str | None]) -> None:
    found = place(Account(functions=(capture(role_id=role_ids[0]), notify(role_id=role_ids[1]))))

    assert (found.ambiguous, found.senders) == (True, {})


def test_records_that_name_their_consumer_make_nothing_ambiguous() -> None:
    destinations = tuple(Function(arn=arn, invoke_configs=(InvokeConfig(LATEST, DLQ),)) for arn in (CAPTURE, NOTIFY))
    found = place(Account(functions=destinations))

    assert (found.target, found.ambiguous, found.registrable) == (None, False, True)
    assert found.why == "Each record names its own consumer."


def test_only_what_does_not_name_its_consumer_goes_to_the_places_target() -> None:
    found = place(Account(functions=(capture(),), queues=(Queue(arn=ORDERS, dead_letter_arn=DLQ),)))

    assert (found.target, found.ambiguous) == (TO_CAPTURE, False)
    assert found.why == "A redrive goes to orders-capture. Other records name their own consumer."


def test_an_endpoint_outside_of_aws_is_nowhere_to_send_to() -> None:
    far = Subscription(arn=SUBSCRIPTION, protocol="https", endpoint="https://example.com", dead_letter_arn=DLQ)
    found = place(Account(subscriptions=(far,)))

    assert (found.target, found.ambiguous, found.registrable) == (None, False, False)
    assert "name a function or a queue" in found.why


def test_what_a_topic_gets_its_queues_get_too() -> None:
    passes_on = Subscription(arn=SUBSCRIPTION, topic_arn=TOPIC, protocol="sqs", endpoint=DLQ)
    account = Account(functions=(capture(dead_letter_arn=TOPIC),), subscriptions=(passes_on,))

    assert place(account, TOPIC).target == TO_CAPTURE
    assert not place(account, TOPIC).registrable
    assert "It is no queue" in place(account, TOPIC).why
    assert place(account).target == TO_CAPTURE
    assert "the topic failures passes it on" in place(account).writers[0].how
    assert place(account).registrable


def test_behind_a_topic_no_role_tells_who_sent_it() -> None:
    passes_on = Subscription(arn=SUBSCRIPTION, topic_arn=TOPIC, protocol="sqs", endpoint=DLQ)
    both = (capture(dead_letter_arn=TOPIC, role_id="AROAONE"), notify(dead_letter_arn=TOPIC, role_id="AROATWO"))
    found = place(Account(functions=both, subscriptions=(passes_on,)))

    assert (found.ambiguous, found.senders) == (True, {})


def test_a_queue_that_a_function_reads_is_not_taken_from_it() -> None:
    reads = SourceMapping(uuid="m", function_arn=NOTIFY, source_arn=DLQ, state="Enabled")
    found = place(Account(functions=(capture(),), mappings=(reads,)))

    assert (found.read_by, found.registrable) == ((NOTIFY,), False)
    assert "It is read by orders-notify" in found.why
    assert place(Account(functions=(capture(),), mappings=(replace(reads, state="Disabled"),))).registrable


def test_a_source_is_a_place_though_nobody_writes_there() -> None:
    assert place(Account(), registered=frozenset({DLQ})).why == "Nothing that could be read writes here."
    known = place(Account(functions=(capture(),)), registered=frozenset({DLQ}))
    assert (known.registered, known.registrable, known.target) == (True, False, TO_CAPTURE)


ALONE = Function(arn=CAPTURE)
READS_QUEUE = SourceMapping(uuid="m", function_arn=CAPTURE, source_arn=ORDERS, state="Enabled")
READS_STREAM = SourceMapping(uuid="m", function_arn=CAPTURE, source_arn=STREAM, state="Enabled")


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (Account(functions=(ALONE,)), [(GapKind.FUNCTION, CAPTURE)]),
        (Account(queues=(Queue(arn=ORDERS),), mappings=(READS_QUEUE,)), [(GapKind.QUEUE, ORDERS)]),
        (Account(rule_targets=(RuleTarget(rule_arn=RULE, arn=ORDERS),)), [(GapKind.RULE, RULE)]),
        (Account(schedules=(Schedule(arn=SCHEDULE, target_arn=ORDERS),)), [(GapKind.SCHEDULE, SCHEDULE)]),
        (Account(mappings=(READS_STREAM,)), [(GapKind.STREAM, CAPTURE)]),
        (Account(mappings=(replace(READS_STREAM, source_arn=None),)), [(GapKind.STREAM, CAPTURE)]),
        (Account(pipes=(Pipe(arn=PIPE, source_arn=STREAM),)), [(GapKind.PIPE, PIPE)]),
        (
            Account(queues=(Queue(arn=ORDERS, dead_letter_arn=DLQ, retention_s=60), Queue(arn=DLQ, retention_s=60))),
            [(GapKind.RETENTION, DLQ)],
        ),
    ],
)
def test_what_has_nowhere_to_fail_to_is_a_gap(account: Account, expected: list[tuple[GapKind, str]]) -> None:
    assert gaps(account) == expected
    assert all(gap.sentence.endswith(".") for gap in map_account(account).gaps)


@pytest.mark.parametrize(
    "account",
    [
        Account(functions=(capture(),)),
        Account(functions=(Function(arn=CAPTURE, invoke_configs=(InvokeConfig(LATEST, DLQ),)),)),
        Account(functions=(Function(arn=CAPTURE, invoke_configs=None),)),
        Account(functions=(ALONE,), mappings=(READS_QUEUE,), queues=(Queue(arn=ORDERS, dead_letter_arn=DLQ),)),
        Account(queues=(Queue(arn=ORDERS),)),
        Account(mappings=(READS_QUEUE,)),
        Account(queues=(Queue(arn=ORDERS),), mappings=(replace(READS_QUEUE, state="Disabled"),)),
        Account(mappings=(replace(READS_STREAM, on_failure_arn=BUCKET),)),
        Account(rule_targets=(RuleTarget(rule_arn=RULE, arn=CAPTURE, enabled=False),)),
        Account(pipes=(Pipe(arn=PIPE, source_arn=ORDERS),)),
        Account(queues=(Queue(arn=ORDERS, dead_letter_arn=DLQ, retention_s=60), Queue(arn=DLQ, retention_s=61))),
        Account(queues=(Queue(arn=ORDERS, dead_letter_arn=DLQ, retention_s=60), Queue(arn=DLQ))),
        Account(
            queues=(
                Queue(arn=f"{ORDERS}.fifo", dead_letter_arn=f"{DLQ}.fifo", retention_s=60),
                Queue(arn=f"{DLQ}.fifo", retention_s=60),
            )
        ),
    ],
)
def test_what_is_covered_or_cannot_be_known_is_no_gap(account: Account) -> None:
    assert gaps(account) == []


def test_a_function_that_is_known_to_be_invoked_asynchronously_says_by_whom() -> None:
    account = Account(
        functions=(ALONE,),
        mappings=(READS_QUEUE,),
        rule_targets=(RuleTarget(rule_arn=RULE, arn=f"{CAPTURE}:live", dead_letter_arn=DLQ),),
        subscriptions=(Subscription(arn=SUBSCRIPTION, topic_arn=TOPIC, protocol="lambda", endpoint=CAPTURE),),
    )
    (gap,) = map_account(account).gaps

    assert gap.sentence == (
        "The function orders-capture has neither a dead-letter queue nor an on-failure destination. "
        "It is invoked by the rule nightly, the topic failures, and what it gives up on is lost."
    )


def test_a_destination_of_an_alias_covers_that_alias_only() -> None:
    only_live = Function(arn=CAPTURE, invoke_configs=(InvokeConfig("live", DLQ), InvokeConfig(LATEST)))
    (gap,) = map_account(Account(functions=(only_live,))).gaps

    assert "nor an on-failure destination but for live." in gap.sentence


def test_a_short_retention_is_said_in_days() -> None:
    queues = (Queue(arn=ORDERS, dead_letter_arn=DLQ, retention_s=345_600), Queue(arn=DLQ, retention_s=86_400))
    (gap,) = map_account(Account(queues=queues)).gaps

    assert "keeps messages for 1 day, its source queue orders for 4 days" in gap.sentence
    assert gap.sentence.endswith("Set it to 14 days.")


def test_a_retention_that_cannot_grow_is_not_told_to() -> None:
    longest = 14 * 86_400
    queues = (Queue(arn=ORDERS, dead_letter_arn=DLQ, retention_s=longest), Queue(arn=DLQ, retention_s=longest))
    (gap,) = map_account(Account(queues=queues)).gaps

    assert gap.sentence.endswith("It cannot keep them longer: shorten its source's.")


odd = st.sampled_from([CAPTURE, NOTIFY, DLQ, ORDERS, OTHER, TOPIC, RULE, STREAM, BUCKET, "", ":", "arn:", "x:::::::"])
odd |= st.text(max_size=8)
maybe = st.none() | odd
accounts = st.builds(
    Account,
    functions=st.lists(
        st.builds(
            Function,
            arn=odd,
            role_id=maybe,
            dead_letter_arn=maybe,
            invoke_configs=st.none() | st.lists(st.builds(InvokeConfig, odd, maybe), max_size=2).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
    mappings=st.lists(
        st.builds(SourceMapping, uuid=odd, function_arn=odd, source_arn=maybe, on_failure_arn=maybe, state=maybe),
        max_size=4,
    ).map(tuple),
    queues=st.lists(
        st.builds(Queue, arn=odd, dead_letter_arn=maybe, retention_s=st.none() | st.integers(0, 90_000)),
        max_size=4,
        unique_by=lambda queue: queue.arn,
    ).map(tuple),
    subscriptions=st.lists(
        st.builds(
            Subscription,
            arn=odd,
            topic_arn=maybe,
            protocol=st.sampled_from([None, "sqs", "lambda", "https"]),
            endpoint=maybe,
            dead_letter_arn=maybe,
        ),
        max_size=4,
    ).map(tuple),
    rule_targets=st.lists(
        st.builds(RuleTarget, rule_arn=odd, arn=odd, enabled=st.booleans(), dead_letter_arn=maybe), max_size=3
    ).map(tuple),
    schedules=st.lists(st.builds(Schedule, arn=odd, target_arn=maybe, dead_letter_arn=maybe), max_size=3).map(tuple),
    pipes=st.lists(st.builds(Pipe, arn=odd, source_arn=maybe, target_arn=maybe, dead_letter_arn=maybe), max_size=3).map(
        tuple
    ),
)


def shuffled(account: Account, random: Any) -> Account:
    given = {field.name: list(getattr(account, field.name)) for field in fields(account)}
    for entries in given.values():
        random.shuffle(entries)
    return Account(**{name: tuple(entries) for name, entries in given.items()})


@given(accounts, st.randoms(), st.frozensets(odd, max_size=2))
def test_the_map_does_not_depend_on_the_order_of_the_listings(
    account: Account, random: Any, registered: frozenset[str]
) -> None:
    assert map_account(shuffled(account, random), registered) == map_account(account, registered)


@given(accounts)
def test_any_account_has_a_map_on_which_no_place_is_registered_on_a_guess(account: Account) -> None:
    drawn: AccountMap = map_account(account)

    assert len({each.arn for each in drawn.places}) == len(drawn.places)
    for each in drawn.places:
        assert each.writers
        assert each.target is None or not each.ambiguous
        if each.registrable:
            assert not each.read_by
            assert not each.ambiguous


def test_of_a_bucket_what_lambda_writes_there_can_be_a_source() -> None:
    bucket = "arn:aws:s3:::shop-failures"
    function = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    account = Account(functions=(Function(arn=function, invoke_configs=(InvokeConfig("$LATEST", bucket),)),))
    (place,) = map_account(account).places
    (known,) = map_account(account, {f"{bucket}/aws/lambda/"}).places

    assert (place.registrable, place.collectable, place.source_arn) == (True, True, f"{bucket}/aws/lambda/")
    assert (known.arn, known.registered, known.registrable) == (bucket, True, False)
