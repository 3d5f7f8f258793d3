"""Reading an account: by a fake of boto3's clients that counts, pages and refuses, and from the sandbox."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from deadletter.aws import clients
from deadletter.aws.discovery import INVOKE_CONFIGS, Scan, read_account, scan_account
from deadletter.aws.listing import BACK_OFF_S
from deadletter.aws.pacer import CALLS_PER_S, Pacer
from deadletter.collect import parse_batch
from deadletter.discovery import map_account
from deadletter.discovery.gaps import GapKind
from deadletter.errors import SourceError
from deadletter.event import Producer, TargetKind, TargetRef
from deadletter.parse import read_entry
from sandbox.functions import Function, QueueMapping
from sandbox.local import Sandbox
from sandbox.streams import StreamMapping
from tests.console.test_empty import make_source
from tests.sandbox_fixture import Deploy, MakeQueue

WHERE = "eu-west-1:123456789012"
DLQ = f"arn:aws:sqs:{WHERE}:shared-dlq"
EVENTS = Path(__file__).parents[1] / "events"
Answer = Callable[[Mapping[str, Any]], Any]
Attach = Callable[[QueueMapping | StreamMapping], None]


class Time:
    """Seconds that pass only by sleeping and by calls."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeAws:
    """boto3's clients: each call takes 50 ms and answers what `answers` has for its method, else nothing."""

    def __init__(self) -> None:
        self.time = Time()
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[float, str]] = []
        self.counted: Counter[str] = Counter()

    def __call__(self, _service: str) -> FakeAws:
        return self

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            self.calls.append((self.time.now, method))
            self.counted[method] += 1
            self.time.sleep(0.05)
            return self.answers.get(method, lambda _: {})(given)

        return call

    def read(self) -> Scan:
        return read_account(self, Pacer(clock=self.time, sleep=self.time.sleep))


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


def function(number: int, **facts: Any) -> dict[str, Any]:
    role = f"arn:aws:iam::123456789012:role/service-role/role-{number}"
    return {"FunctionArn": f"arn:aws:lambda:{WHERE}:function:f-{number}", "Role": role, **facts}


def in_pages(name: str, entries: list[Any], most: int, tokens: tuple[str, str]) -> Answer:
    """Answer pages of *most* entries, by a marker that only the page before gives."""

    def answer(given: Mapping[str, Any]) -> Any:
        start = int(given.get(tokens[0], 0))
        rest = {tokens[1]: str(start + most)} if start + most < len(entries) else {}
        return {name: entries[start : start + most], **rest}

    return answer


def refuse(code: str = "AccessDeniedException", status: int = 403) -> Answer:
    def answer(_given: Mapping[str, Any]) -> Any:
        said = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(said, "Some")  # type: ignore[arg-type] # as much of an answer as is read

    return answer


def test_every_page_is_read(aws: FakeAws) -> None:
    marker, token = ("Marker", "NextMarker"), ("NextToken", "NextToken")
    mapping = {"FunctionArn": function(1)["FunctionArn"], "EventSourceArn": DLQ}
    rules = [{"Name": f"r-{n}", "Arn": f"arn:aws:events:{WHERE}:rule/r-{n}"} for n in range(3)]
    aws.answers = {
        "list_functions": in_pages("Functions", [function(n) for n in range(120)], 50, marker),
        "list_event_source_mappings": in_pages("EventSourceMappings", [mapping] * 201, 100, marker),
        "list_event_buses": in_pages("EventBuses", [{"Name": "default"}, {"Name": "shop"}], 1, token),
        "list_rules": in_pages("Rules", rules, 2, token),
        "list_targets_by_rule": in_pages("Targets", [{"Arn": DLQ}] * 2, 1, token),
    }
    scan = aws.read()

    assert (len(scan.account.functions), len(scan.account.mappings)) == (120, 201)
    assert len(scan.account.rule_targets) == 2 * 3 * 2
    assert aws.counted["list_functions"] == 3
    assert aws.counted["list_function_event_invoke_configs"] == 120
    assert aws.counted["list_event_source_mappings"] == 3
    assert scan.calls == len(aws.calls)


def test_an_account_of_300_functions_is_read_within_five_calls_a_second(aws: FakeAws) -> None:
    aws.answers["list_functions"] = in_pages(
        "Functions", [function(n) for n in range(300)], 50, ("Marker", "NextMarker")
    )
    scan = aws.read()

    begun = [at for at, _ in aws.calls]
    assert all(later - earlier >= 1 / CALLS_PER_S - 1e-9 for earlier, later in pairwise(begun))
    assert scan.calls == 6 + 300 + 6
    assert scan.seconds == pytest.approx(scan.calls / CALLS_PER_S, abs=1)
    assert len(map_account(scan.account).gaps) == 300


def test_a_refused_call_is_said_once_and_the_rest_goes_on(aws: FakeAws) -> None:
    dead_letter = {"DeadLetterConfig": {"TargetArn": DLQ}}
    aws.answers = {
        "list_functions": lambda _: {"Functions": [function(1, **dead_letter), function(2)]},
        "list_function_event_invoke_configs": refuse(),
        "list_queues": refuse("AccessDenied"),
    }
    scan = aws.read()

    assert [sentence.partition(" (AWS:")[0] for sentence in scan.refused] == [
        "lambda:ListFunctionEventInvokeConfigs was refused 2 times, which hides " + INVOKE_CONFIGS.hides + ".",
        "sqs:ListQueues was refused once, which hides every queue with its redrive policy.",
    ]
    drawn = map_account(scan.account)
    assert [place.arn for place in drawn.places] == [DLQ]
    assert drawn.gaps == (), "whether function 2 has a destination is not known"
    assert {"list_event_source_mappings", "list_subscriptions", "list_pipes"} <= set(aws.counted)


def test_a_listing_that_breaks_off_keeps_what_came_before(aws: FakeAws) -> None:
    def answer(given: Mapping[str, Any]) -> Any:
        return refuse()(given) if "Marker" in given else {"Functions": [function(1)], "NextMarker": "2"}

    aws.answers["list_functions"] = answer
    scan = aws.read()

    assert len(scan.account.functions) == 1
    assert scan.refused[0].startswith("lambda:ListFunctions was refused once")


def test_half_of_a_functions_destinations_are_not_taken_for_all(aws: FakeAws) -> None:
    def configs(given: Mapping[str, Any]) -> Any:
        return refuse()(given) if "Marker" in given else {"FunctionEventInvokeConfigs": [], "NextMarker": "2"}

    aws.answers["list_functions"] = lambda _: {"Functions": [function(1)]}
    aws.answers["list_function_event_invoke_configs"] = configs

    assert aws.read().account.functions[0].invoke_configs is None


def test_a_throttled_call_is_made_again_after_longer_and_longer_waits(aws: FakeAws) -> None:
    busy = [refuse("TooManyRequestsException", 429)] * 3

    def answer(given: Mapping[str, Any]) -> Any:
        return busy.pop()(given) if busy else {"Functions": [function(1)]}

    aws.answers["list_functions"] = answer
    scan = aws.read()

    assert (len(scan.account.functions), scan.refused, aws.counted["list_functions"]) == (1, (), 4)
    begun = [at for at, method in aws.calls if method == "list_functions"]
    assert [later - earlier >= wait for (earlier, later), wait in zip(pairwise(begun), BACK_OFF_S, strict=False)] == [
        True
    ] * 3


def test_a_call_that_stays_throttled_is_given_up_and_said(aws: FakeAws) -> None:
    aws.answers["list_functions"] = refuse("ThrottlingException", 400)
    scan = aws.read()

    assert aws.counted["list_functions"] == len(BACK_OFF_S) + 1
    assert scan.refused[0].startswith("lambda:ListFunctions failed once, which hides every function")


def test_what_has_gone_since_it_was_listed_is_nothing_to_report(aws: FakeAws) -> None:
    aws.answers["list_functions"] = lambda _: {"Functions": [function(1)]}
    aws.answers["list_function_event_invoke_configs"] = refuse("ResourceNotFoundException", 404)
    scan = aws.read()

    assert scan.refused == ()
    assert map_account(scan.account).gaps == ()


def test_without_credentials_nothing_else_is_tried(aws: FakeAws) -> None:
    def answer(_given: Mapping[str, Any]) -> Any:
        raise NoCredentialsError

    aws.answers["list_functions"] = answer

    with pytest.raises(SourceError, match=r"AWS does not know us: Unable to locate credentials\. Give us valid"):
        aws.read()
    assert len(aws.calls) == 1


def test_role_ids_are_asked_for_only_where_functions_share_a_queue(aws: FakeAws) -> None:
    shared = {"DeadLetterConfig": {"TargetArn": DLQ}}
    own = {"DeadLetterConfig": {"TargetArn": f"{DLQ}-3"}}
    aws.answers["list_functions"] = lambda _: {
        "Functions": [function(1, **shared), function(2, **shared), function(3, **own)]
    }
    aws.answers["get_role"] = lambda given: {"Role": {"RoleId": given["RoleName"].replace("role-", "AROA")}}
    found = {place.arn: place for place in map_account(aws.read().account).places}

    assert aws.counted["get_role"] == 2
    assert found[DLQ].senders == {f"AROA{n}": function(n)["FunctionArn"] for n in (1, 2)}
    assert found[f"{DLQ}-3"].senders == {}


def test_schedules_and_pipes_are_described_one_by_one(aws: FakeAws) -> None:
    schedule, pipe = f"arn:aws:scheduler:{WHERE}:schedule/night/hourly", f"arn:aws:pipes:{WHERE}:pipe/clicks"
    stream = {"KinesisStreamParameters": {"DeadLetterConfig": {"Arn": DLQ}}}
    aws.answers = {
        "list_schedules": lambda _: {"Schedules": [{"Name": "hourly", "GroupName": "night"}]},
        "get_schedule": lambda given: {
            "Arn": schedule if given == {"Name": "hourly", "GroupName": "night"} else "",
            "Target": {"Arn": DLQ, "DeadLetterConfig": {"Arn": DLQ}},
        },
        "list_pipes": lambda _: {"Pipes": [{"Name": "clicks"}]},
        "describe_pipe": lambda _: {
            "Arn": pipe,
            "Source": f"arn:aws:kinesis:{WHERE}:stream/c",
            "SourceParameters": stream,
        },
    }
    (place,) = map_account(aws.read().account).places

    assert [writer.arn for writer in place.writers] == [pipe, schedule]


# From the sandbox


@pytest.fixture
def fast_scan(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Scan]]:
    """Read the sandbox's account by real clients, without waiting between calls."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    clients.forget()
    yield lambda: scan_account(sandbox.region, pacer=Pacer(rate=1_000))
    clients.forget()


@pytest.fixture
def attach(sandbox: Sandbox) -> Iterator[Attach]:
    """Make a queue or a stream the source of a function, as long as the test lasts."""
    made = []

    def make(mapping: QueueMapping | StreamMapping) -> None:
        sandbox.lambda_service.add_mapping(mapping)
        made.append(mapping.uuid)

    yield make
    for uuid in made:
        sandbox.lambda_service.remove_mapping(uuid)


def test_streams_are_found_with_and_without_a_destination(
    sandbox: Sandbox, fast_scan: Callable[[], Scan], deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    kinesis, destination = sandbox.clients("kinesis"), make_queue()
    kinesis.create_stream(StreamName="discovered", ShardCount=1)
    stream = kinesis.describe_stream_summary(StreamName="discovered")["StreamDescriptionSummary"]["StreamARN"]
    careful, careless = deploy("def handler(event, context): pass"), deploy("def handler(event, context): pass")
    attach(StreamMapping(stream_arn=stream, function_name=careful.name, on_failure_arn=destination))
    attach(StreamMapping(stream_arn=stream, function_name=careless.name))

    drawn = map_account(fast_scan().account)
    (place,) = (each for each in drawn.places if each.arn == destination)

    assert [(writer.producer, writer.arn) for writer in place.writers] == [(Producer.KINESIS_ESM, careful.arn)]
    assert place.target == TargetRef(TargetKind.LAMBDA, careful.arn)
    without = {gap.arn for gap in drawn.gaps if gap.kind is GapKind.STREAM}
    assert careless.arn in without
    assert careful.arn not in without


def test_the_role_ids_that_iam_tells_are_those_that_messages_begin_their_sender_ids_with(
    sandbox: Sandbox, fast_scan: Callable[[], Scan], deploy: Deploy, make_queue: MakeQueue
) -> None:
    """The message is a recorded one of a function's dead-letter queue, with a role id of the sandbox's own IAM."""
    dead = make_queue()
    one, other = (deploy("def handler(event, context): pass", dead_letter_arn=dead) for _ in range(2))
    iam, policy = sandbox.clients("iam"), json.dumps({"Version": "2012-10-17", "Statement": []})
    ids = {
        each.arn: iam.create_role(RoleName=each.name, AssumeRolePolicyDocument=policy)["Role"]["RoleId"]
        for each in (one, other)
    }
    (place,) = (each for each in map_account(fast_scan().account).places if each.arn == dead)
    assert place.senders == {role_id: arn for arn, role_id in ids.items()}
    assert place.ambiguous

    recorded = read_entry((EVENTS / "async-dlq-sqs.json").read_text())
    session = recorded.attributes["SenderId"].partition(":")[2]
    senders = [f"{ids[other.arn]}:{session}", f"AROASOMEBODYELSE:{session}"]
    messages = [replace(recorded, attributes={**recorded.attributes, "SenderId": sender}) for sender in senders]
    parsed = parse_batch(messages, make_source(arn=dead, senders=place.senders))
    assert [each.target for each in parsed] == [TargetRef(TargetKind.LAMBDA, other.arn), None]


def test_what_is_planted_in_a_real_account_is_found(
    sandbox: Sandbox, fast_scan: Callable[[], Scan], deploy: Deploy, make_queue: MakeQueue, attach: Attach
) -> None:
    short = str(int(timedelta(hours=1).total_seconds()))
    dead, bare, destination = make_queue(MessageRetentionPeriod=short), make_queue(), make_queue()
    policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "3"})
    source = make_queue(RedrivePolicy=policy)
    code = "def handler(event, context): pass"
    alone, covered, reader = deploy(code), deploy(code, on_failure_arn=destination), deploy(code)
    attach(QueueMapping(queue_arn=bare, function_name=reader.name))
    topic = sandbox.clients("sns").create_topic(Name="discovered")["TopicArn"]
    sandbox.clients("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=bare,
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": destination})},
    )
    events = sandbox.clients("events")
    rule = events.put_rule(Name="discovered", ScheduleExpression="rate(1 hour)")["RuleArn"]
    events.put_targets(Rule="discovered", Targets=[{"Id": "1", "Arn": alone.arn}])

    scan = fast_scan()
    drawn = map_account(scan.account)
    places = {place.arn: place for place in drawn.places}
    gaps = {(gap.kind, gap.arn): gap.sentence for gap in drawn.gaps}

    assert places[dead].target == TargetRef(TargetKind.SQS, source)
    assert {writer.target for writer in places[destination].writers} == {
        TargetRef(TargetKind.LAMBDA, covered.arn),
        TargetRef(TargetKind.SQS, bare),
    }
    assert "the rule discovered, and what it gives up on is lost" in gaps[GapKind.FUNCTION, alone.arn]
    assert (GapKind.FUNCTION, covered.arn) not in gaps
    assert (GapKind.FUNCTION, reader.arn) not in gaps
    assert {(GapKind.QUEUE, bare), (GapKind.RULE, rule), (GapKind.RETENTION, dead)} <= set(gaps)


def plant_gaps(box: Sandbox) -> tuple[str, str, str]:
    """Make a queue, a rule and a stream's function that have nowhere to fail to; return their gaps' names."""
    url = box.clients("sqs").create_queue(QueueName="bare")["QueueUrl"]
    bare = f"arn:aws:sqs:{box.region}:{box.account}:{url.rpartition('/')[2]}"
    box.lambda_service.add_mapping(QueueMapping(queue_arn=bare, function_name="f-1"))
    events, kinesis = box.clients("events"), box.clients("kinesis")
    rule = events.put_rule(Name="orders", EventPattern='{"source": ["shop"]}')["RuleArn"]
    events.put_targets(Rule="orders", Targets=[{"Id": "1", "Arn": bare}])
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    stream = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
    box.lambda_service.add_mapping(StreamMapping(stream_arn=stream, function_name="f-2"))
    return bare, rule, box.lambda_service.functions.get("f-2").arn


def test_300_functions_of_a_real_account_are_read_within_the_budget_and_every_planted_gap_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    lost, time = {3, 77, 299}, Time()
    with Sandbox(tmp_path) as box:
        for name, value in box.env.items():
            monkeypatch.setenv(name, value)
        clients.forget()
        url = box.clients("sqs").create_queue(QueueName="failures")["QueueUrl"]
        queue = f"arn:aws:sqs:{box.region}:{box.account}:{url.rpartition('/')[2]}"
        for n in range(300):
            place = None if n in lost else queue
            made = Function(name=f"f-{n}", handler="app.handler", code=tmp_path, on_failure_arn=place)
            box.lambda_service.functions.put(made)
        bare, rule, stream = plant_gaps(box)
        scan = scan_account(pacer=Pacer(clock=time, sleep=time.sleep))
        clients.forget()

    drawn = map_account(scan.account)
    without = {gap.arn.rpartition("-")[2] for gap in drawn.gaps if gap.kind is GapKind.FUNCTION}
    assert without == {str(n) for n in lost}
    others = {(gap.kind, gap.arn) for gap in drawn.gaps if gap.kind is not GapKind.FUNCTION}
    assert others == {(GapKind.QUEUE, bare), (GapKind.RULE, rule), (GapKind.STREAM, stream)}
    assert [(place.arn, len(place.writers)) for place in drawn.places] == [(queue, 297)]
    assert scan.refused == ()
    assert scan.calls == 6 + 300 + 10, "pages and functions; the six other listings, two queues, one bus, one rule"
    assert scan.seconds == pytest.approx(scan.calls / CALLS_PER_S, abs=1)


def test_without_a_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    clients.forget()

    with pytest.raises(SourceError, match=r"boto3 is not set up: You must specify a region\. See AWS_PROFILE"):
        scan_account()
