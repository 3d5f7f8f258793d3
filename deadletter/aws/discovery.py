"""Reading an account's listings, for `deadletter.discovery` to draw its map from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from deadletter.aws.clients import Purpose, client
from deadletter.aws.listing import Listing, OpenClient, Reader, Tell, tell_nobody
from deadletter.aws.pacer import Pacer
from deadletter.aws.trouble import ERRORS
from deadletter.discovery import listings, map_account
from deadletter.discovery.account import Account, Function, Pipe, Queue, RuleTarget, Schedule, Subscription, short_name
from deadletter.discovery.listings import text
from deadletter.errors import SourceError

_MARKER = ("Marker", "NextMarker")
_QUEUE_ATTRIBUTES = ["QueueArn", "RedrivePolicy", "MessageRetentionPeriod"]

FUNCTIONS = Listing(
    service="lambda", method="list_functions", action="lambda:ListFunctions", items="Functions", token=_MARKER,
    given={"MaxItems": 50}, hides="every function with its dead-letter queue and its destinations",
)  # fmt: skip
INVOKE_CONFIGS = Listing(
    service="lambda", method="list_function_event_invoke_configs", action="lambda:ListFunctionEventInvokeConfigs",
    items="FunctionEventInvokeConfigs", token=_MARKER, given={"MaxItems": 50},
    hides="the on-failure destinations of those functions",
)  # fmt: skip
MAPPINGS = Listing(
    service="lambda", method="list_event_source_mappings", action="lambda:ListEventSourceMappings",
    items="EventSourceMappings", token=_MARKER, given={"MaxItems": 100},
    hides="which functions read which queues and streams, and where those batches go that they give up on",
)  # fmt: skip
QUEUES = Listing(
    service="sqs", method="list_queues", action="sqs:ListQueues", items="QueueUrls", given={"MaxResults": 1000},
    hides="every queue with its redrive policy",
)  # fmt: skip
QUEUE_ATTRIBUTES = Listing(
    service="sqs", method="get_queue_attributes", action="sqs:GetQueueAttributes",
    hides="the redrive policies and retentions of those queues",
)  # fmt: skip
SUBSCRIPTIONS = Listing(
    service="sns", method="list_subscriptions", action="sns:ListSubscriptions", items="Subscriptions",
    hides="which queues and functions topics deliver to",
)  # fmt: skip
SUBSCRIPTION_ATTRIBUTES = Listing(
    service="sns", method="get_subscription_attributes", action="sns:GetSubscriptionAttributes",
    hides="the dead-letter queues of those subscriptions",
)  # fmt: skip
BUSES = Listing(
    service="events", method="list_event_buses", action="events:ListEventBuses", items="EventBuses",
    hides="every rule with its targets",
)  # fmt: skip
RULES = Listing(
    service="events", method="list_rules", action="events:ListRules", items="Rules",
    hides="the rules of those buses with their targets",
)  # fmt: skip
RULE_TARGETS = Listing(
    service="events", method="list_targets_by_rule", action="events:ListTargetsByRule", items="Targets",
    hides="the targets of those rules and their dead-letter queues",
)  # fmt: skip
SCHEDULES = Listing(
    service="scheduler", method="list_schedules", action="scheduler:ListSchedules", items="Schedules",
    hides="every schedule with its target and its dead-letter queue",
)  # fmt: skip
SCHEDULE = Listing(
    service="scheduler", method="get_schedule", action="scheduler:GetSchedule",
    hides="the targets and the dead-letter queues of those schedules",
)  # fmt: skip
PIPES = Listing(
    service="pipes", method="list_pipes", action="pipes:ListPipes", items="Pipes",
    hides="every pipe with its dead-letter queue",
)  # fmt: skip
PIPE = Listing(
    service="pipes", method="describe_pipe", action="pipes:DescribePipe",
    hides="the dead-letter queues of those pipes",
)  # fmt: skip
ROLE = Listing(
    service="iam", method="get_role", action="iam:GetRole",
    hides="the role ids that tell apart the functions of one dead-letter queue",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read, in how many calls and seconds; `refused` has a sentence a kind of call that did not work."""

    account: Account
    refused: tuple[str, ...]
    calls: int
    seconds: float


def scan_account(region: str = "", *, account: str = "", pacer: Pacer | None = None, tell: Tell = tell_nobody) -> Scan:
    """Read all listings of the account and Region that boto3 finds, or of others.

    It takes a call for each function, queue, subscription, rule, schedule and pipe, at `pacer.CALLS_PER_S`: an account
    of 300 functions and as many queues takes two minutes.

    Args:
        region: Another Region.
        account: One that has a role (see `clients.use_roles`).
        pacer: Its own pace; accounts and Regions have limits of their own.
        tell: Hears of each call.

    Raises:
        SourceError: boto3 is not set up: no credentials, no Region; or the role may not be taken.
    """
    try:
        client("lambda", region, Purpose.LIST, account)
        if account:  # else each call by itself would say that the role cannot be taken; this one takes no permission
            client("sts", region, Purpose.LIST, account).get_caller_identity()
    except ERRORS as error:
        raise _unreachable(error, account) from error
    return read_account(lambda service: client(service, region, Purpose.LIST, account), pacer or Pacer(), tell)


def read_account(open_client: OpenClient, pacer: Pacer, tell: Tell = tell_nobody) -> Scan:
    """Read all listings at the pace of *pacer*; see `scan_account`."""
    reader = Reader(open_client, pacer, tell)
    account = Account(
        functions=tuple(filter(None, _functions(reader))),
        mappings=tuple(filter(None, map(listings.read_mapping, reader.entries(MAPPINGS)))),
        queues=tuple(filter(None, _queues(reader))),
        subscriptions=tuple(filter(None, _subscriptions(reader))),
        rule_targets=tuple(filter(None, _rule_targets(reader))),
        schedules=tuple(filter(None, _schedules(reader))),
        pipes=tuple(filter(None, _pipes(reader))),
    )
    account = _with_role_ids(reader, account)
    return Scan(account, reader.refused, pacer.calls, pacer.seconds)


def _unreachable(error: Exception, account: str) -> SourceError:
    said = " ".join(str(error).split()).rstrip(".")
    if account:
        return SourceError(
            f"Nothing of account {account} could be read: its role cannot be taken ({said}). Let the role trust us, "
            "and give us sts:AssumeRole on it; see REDRIVE_ROLES."
        )
    return SourceError(f"boto3 is not set up: {said}. See AWS_PROFILE, AWS_REGION.")


def _functions(reader: Reader) -> Iterator[Function | None]:
    for raw in reader.entries(FUNCTIONS):
        if name := text(raw, "FunctionArn"):
            yield listings.read_function(raw, reader.whole(INVOKE_CONFIGS, FunctionName=name))


def _queues(reader: Reader) -> Iterator[Queue | None]:
    for url in reader.entries(QUEUES):
        answer = reader.ask(QUEUE_ATTRIBUTES, QueueUrl=url, AttributeNames=_QUEUE_ATTRIBUTES)
        yield listings.read_queue((answer or {}).get("Attributes"))


def _subscriptions(reader: Reader) -> Iterator[Subscription | None]:
    for raw in reader.entries(SUBSCRIPTIONS):
        arn = text(raw, "SubscriptionArn") or ""
        if arn.startswith("arn:"):  # what nobody confirmed has no ARN yet
            answer = reader.ask(SUBSCRIPTION_ATTRIBUTES, SubscriptionArn=arn)
            yield listings.read_subscription(raw, (answer or {}).get("Attributes"))


def _rule_targets(reader: Reader) -> Iterator[RuleTarget | None]:
    for bus in filter(None, (text(raw, "Name") for raw in reader.entries(BUSES))):
        for rule in reader.entries(RULES, EventBusName=bus):
            name = text(rule, "Name")
            if name and not text(rule, "ManagedBy"):  # AWS's own rules: nobody else can give them a queue
                for raw in reader.entries(RULE_TARGETS, Rule=name, EventBusName=bus):
                    yield listings.read_rule_target(rule, raw)


def _schedules(reader: Reader) -> Iterator[Schedule | None]:
    for raw in reader.entries(SCHEDULES):
        if name := text(raw, "Name"):
            group = text(raw, "GroupName") or "default"
            yield listings.read_schedule(reader.ask(SCHEDULE, Name=name, GroupName=group))


def _pipes(reader: Reader) -> Iterator[Pipe | None]:
    for name in filter(None, (text(raw, "Name") for raw in reader.entries(PIPES))):
        yield listings.read_pipe(reader.ask(PIPE, Name=name))


def _with_role_ids(reader: Reader, account: Account) -> Account:
    """Look up role ids only where they are needed: for functions between which a place cannot tell."""
    unclear = {writer.arn for place in map_account(account).places if place.ambiguous for writer in place.writers}
    roles = sorted({each.role_arn for each in account.functions if each.arn in unclear and each.role_arn})
    ids = {role: text(reader.ask(ROLE, RoleName=short_name(role)), "Role", "RoleId") for role in roles}
    return replace(
        account, functions=tuple(replace(each, role_id=ids.get(each.role_arn or "")) for each in account.functions)
    )
