"""Topics and rules that call functions: what the function gets, and what the dead-letter queue gets instead."""

import json
from typing import Any
from uuid import uuid4

import pytest

from sandbox.functions import Function
from sandbox.local import Sandbox
from tests.sandbox_fixture import Deploy, MakeQueue, receive, sample, shape

ORDER = '{"orderId":"ord-7741","customer":"c-19","lines":[{"sku":"TEA-03","qty":2}],"total":18.4}'
FAIL = "def handler(event, context): raise ValueError('seen')"
"""A function whose DLQ gets its event as it came."""
ATTRIBUTES = {
    "kind": {"DataType": "String", "StringValue": "created"},
    "prio": {"DataType": "Number", "StringValue": "3"},
}


def absent(sandbox: Sandbox) -> str:
    """Return the ARN of a function that is not there."""
    return f"arn:aws:lambda:{sandbox.region}:{sandbox.account}:function:gone-{uuid4()}"


def make_topic(sandbox: Sandbox) -> str:
    return str(sandbox.clients("sns").create_topic(Name=f"topic-{uuid4()}")["TopicArn"])


def subscribe(sandbox: Sandbox, topic: str, function_arn: str, dlq: str, **attributes: str) -> str:
    """Subscribe a function with a dead-letter queue; return the subscription's ARN."""
    policy = json.dumps({"deadLetterTargetArn": dlq})
    answer = sandbox.clients("sns").subscribe(
        TopicArn=topic,
        Protocol="lambda",
        Endpoint=function_arn,
        Attributes={"RedrivePolicy": policy, **attributes},
        ReturnSubscriptionArn=True,
    )
    return str(answer["SubscriptionArn"])


def publish(sandbox: Sandbox, topic: str, **params: Any) -> str:
    return str(sandbox.clients("sns").publish(TopicArn=topic, Message=ORDER, **params)["MessageId"])


def make_rule(sandbox: Sandbox, target_arn: str, **target: Any) -> tuple[str, str]:
    """Make a bus with a rule for orders; return the bus's name and the rule's ARN."""
    bus, events = f"shop-{uuid4()}", sandbox.clients("events")
    events.create_event_bus(Name=bus)
    rule = events.put_rule(Name="orders-to-lambda", EventBusName=bus, EventPattern='{"source":["shop.orders"]}')
    target = {"Id": "function", "Arn": target_arn, **target}
    assert events.put_targets(Rule="orders-to-lambda", EventBusName=bus, Targets=[target])["FailedEntryCount"] == 0
    return bus, str(rule["RuleArn"])


def put_order(sandbox: Sandbox, bus: str) -> str:
    """Put the event of the samples on a bus; return its id."""
    entry = {"EventBusName": bus, "Source": "shop.orders", "DetailType": "OrderPlaced", "Detail": ORDER}
    return str(sandbox.clients("events").put_events(Entries=[entry])["Entries"][0]["EventId"])


def text_attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def failing(deploy: Deploy, dlq: str) -> Function:
    return deploy(FAIL, dead_letter_arn=dlq, maximum_retry_attempts=0)


def test_a_subscribed_function_gets_the_event_of_the_sample(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    topic, queue, subscription_dlq = make_topic(sandbox), make_queue(), make_queue()
    subscription = subscribe(sandbox, topic, failing(deploy, queue).arn, subscription_dlq)
    message_id = publish(sandbox, topic, MessageAttributes=ATTRIBUTES)
    event, theirs = json.loads(receive(sandbox, queue)["Body"]), sample("lambda-event-sns.json")
    assert shape(event) == shape(theirs)
    [ours], [expected] = event["Records"], theirs["Records"]
    assert (list(ours), list(ours["Sns"])) == (list(expected), list(expected["Sns"]))
    assert ours["EventSubscriptionArn"] == subscription
    assert (ours["Sns"]["MessageId"], ours["Sns"]["TopicArn"]) == (message_id, topic)
    assert ours["Sns"]["MessageAttributes"] == expected["Sns"]["MessageAttributes"]
    with pytest.raises(AssertionError, match="has no message"):  # an error of the function is not one of SNS
        receive(sandbox, subscription_dlq, wait_s=0)


def test_a_subscription_whose_function_is_gone_leaves_the_envelope_of_the_sample(
    sandbox: Sandbox, make_queue: MakeQueue
) -> None:
    topic, queue = make_topic(sandbox), make_queue()
    subscription = subscribe(sandbox, topic, absent(sandbox), queue)
    message_id = publish(sandbox, topic, MessageAttributes=ATTRIBUTES)
    message, theirs = receive(sandbox, queue), sample("sns-subscription-dlq.json")
    assert shape(message) == shape(theirs)
    envelope, expected = json.loads(message["Body"]), json.loads(theirs["Body"])
    assert shape(envelope) == shape(expected)
    assert list(envelope) == list(expected)
    assert (envelope["MessageId"], envelope["TopicArn"], envelope["Message"]) == (message_id, topic, ORDER)
    assert envelope["MessageAttributes"] == expected["MessageAttributes"]
    assert envelope["UnsubscribeURL"].endswith(f"SubscriptionArn={subscription}")


def test_of_two_subscribers_only_the_one_that_failed_leaves_a_message(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    topic, seen, dlq, healthy_dlq = make_topic(sandbox), make_queue(), make_queue(), make_queue()
    subscribe(sandbox, topic, failing(deploy, seen).arn, healthy_dlq)
    subscription = subscribe(sandbox, topic, absent(sandbox), dlq)
    publish(sandbox, topic, Subject="Order")
    assert json.loads(receive(sandbox, seen)["Body"])["Records"][0]["Sns"]["Subject"] == "Order"
    assert subscription in json.loads(receive(sandbox, dlq)["Body"])["UnsubscribeURL"]
    with pytest.raises(AssertionError, match="has no message"):
        receive(sandbox, healthy_dlq, wait_s=0)


def test_a_filter_policy_keeps_a_notification_from_a_function(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    topic, seen, dlq = make_topic(sandbox), make_queue(), make_queue()
    subscribe(sandbox, topic, failing(deploy, seen).arn, dlq, FilterPolicy='{"kind":["created"]}')
    publish(sandbox, topic)
    wanted = publish(sandbox, topic, MessageAttributes=ATTRIBUTES)
    assert json.loads(receive(sandbox, seen)["Body"])["Records"][0]["Sns"]["MessageId"] == wanted


def test_a_notification_that_lambda_keeps_refusing_ends_in_the_dead_letter_queue(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    topic, dlq = make_topic(sandbox), make_queue()
    subscribe(sandbox, topic, deploy(FAIL, refuses_events=True).arn, dlq)
    message_id = publish(sandbox, topic)
    assert json.loads(receive(sandbox, dlq)["Body"])["MessageId"] == message_id


def test_a_target_gets_the_event_that_was_put(sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue) -> None:
    seen = make_queue()
    bus, _ = make_rule(sandbox, failing(deploy, seen).arn)
    event_id = put_order(sandbox, bus)
    event, theirs = json.loads(receive(sandbox, seen)["Body"]), sample("eventbridge-target-dlq.json")
    assert shape(event) == shape({**json.loads(theirs["Body"]), "resources": []})
    assert (event["id"], event["source"], event["detail"]) == (event_id, "shop.orders", json.loads(ORDER))


def test_a_target_that_is_gone_leaves_the_message_of_the_sample_without_a_retry(
    sandbox: Sandbox, make_queue: MakeQueue
) -> None:
    dlq, function_arn = make_queue(), absent(sandbox)
    bus, rule_arn = make_rule(sandbox, function_arn, DeadLetterConfig={"Arn": dlq})
    event_id = put_order(sandbox, bus)
    message, theirs = receive(sandbox, dlq), sample("eventbridge-target-dlq-no-retry.json")
    assert shape(message) == shape(theirs)
    body, expected = json.loads(message["Body"]), json.loads(theirs["Body"])
    assert list(body) == list(expected)
    assert (body["id"], body["detail"]) == (event_id, expected["detail"])
    assert text_attributes(message) == {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": function_arn,
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": f"Function not found: {function_arn}",
        "RETRY_ATTEMPTS": "0",
    }


def test_a_target_that_stays_throttled_until_the_event_is_too_old_says_so(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    dlq, function = make_queue(), deploy(FAIL, refuses_events=True)
    policy = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 60}
    bus, _ = make_rule(sandbox, function.arn, DeadLetterConfig={"Arn": dlq}, RetryPolicy=policy)
    put_order(sandbox, bus)
    assert text_attributes(receive(sandbox, dlq))["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


def test_a_target_that_stays_throttled_says_what_the_retries_ran_out_of(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    dlq, function = make_queue(), deploy(FAIL, refuses_events=True)
    policy = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 86_400}
    bus, _ = make_rule(sandbox, function.arn, DeadLetterConfig={"Arn": dlq}, RetryPolicy=policy)
    put_order(sandbox, bus)
    message, theirs = receive(sandbox, dlq), sample("eventbridge-target-dlq.json")
    assert shape(message) == shape(theirs)
    attributes = text_attributes(message)
    assert attributes["ERROR_CODE"] == text_attributes(theirs)["ERROR_CODE"] == "THROTTLING"
    assert (attributes["EXHAUSTED_RETRY_CONDITION"], attributes["RETRY_ATTEMPTS"]) == ("MaximumRetryAttempts", "2")


def test_a_target_that_is_throttled_for_a_while_gets_the_event_in_the_end(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    seen = make_queue()
    function = deploy(FAIL, dead_letter_arn=seen, maximum_retry_attempts=0, refuses_events=True)
    bus, _ = make_rule(sandbox, function.arn)
    event_id = put_order(sandbox, bus)
    sandbox.lambda_service.functions.update(function.name, refuses_events=False)
    assert json.loads(receive(sandbox, seen)["Body"])["id"] == event_id


def test_the_dead_letter_queue_has_the_event_as_it_was_before_the_input_transformer(
    sandbox: Sandbox, deploy: Deploy, make_queue: MakeQueue
) -> None:
    seen, dlq = make_queue(), make_queue()
    transformer = {"InputPathsMap": {"order": "$.detail.orderId"}, "InputTemplate": '{"order": <order>}'}
    for function_arn in (failing(deploy, seen).arn, absent(sandbox)):
        bus, _ = make_rule(sandbox, function_arn, DeadLetterConfig={"Arn": dlq}, InputTransformer=transformer)
        put_order(sandbox, bus)
    assert json.loads(receive(sandbox, seen)["Body"]) == {"order": "ord-7741"}
    assert json.loads(receive(sandbox, dlq)["Body"])["detail"] == json.loads(ORDER)
