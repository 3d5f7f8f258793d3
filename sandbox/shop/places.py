"""What the back office is made of: queues, topics, buses, buckets, streams and tables, and how orders get there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from sandbox.local import Sandbox

SOURCE = "shop.orders"


class Places:
    """Makes things on *box*; each returns its ARN, or how to send orders by it."""

    def __init__(self, box: Sandbox) -> None:
        self._clients = box.clients

    def queue(self, name: str) -> str:
        """Make a queue that keeps messages for as long as SQS can."""
        sqs = self._clients("sqs")
        url = sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "1209600"})["QueueUrl"]
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def topic(self, name: str, queue_arn: str) -> str:
        """Make a topic that passes everything on to a queue."""
        sns = self._clients("sns")
        arn = str(sns.create_topic(Name=name)["TopicArn"])
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
        return arn

    def bus(self, name: str, queue_arn: str) -> str:
        """Make a bus with a rule that passes on to a queue what Lambda gave up on."""
        events = self._clients("events")
        arn = str(events.create_event_bus(Name=name)["EventBusArn"])
        events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["lambda"]}))
        events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": queue_arn}])
        return arn

    def bucket(self, name: str) -> str:
        """Make a bucket, if it is not there yet."""
        location = {"LocationConstraint": self._clients("s3").meta.region_name}
        if name not in {bucket["Name"] for bucket in self._clients("s3").list_buckets()["Buckets"]}:
            self._clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
        return f"arn:aws:s3:::{name}"

    def stream(self, name: str) -> str:
        """Make a Kinesis stream."""
        kinesis = self._clients("kinesis")
        kinesis.create_stream(StreamName=name, ShardCount=1)
        return str(kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"])

    def table(self, name: str) -> str:
        """Make a table with a stream; return the stream's ARN."""
        made = self._clients("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "orderId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "orderId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        return str(made["TableDescription"]["LatestStreamArn"])

    def put_records(self, name: str, bodies: Sequence[str]) -> None:
        """Put orders into a stream."""
        records = [{"Data": body.encode(), "PartitionKey": json.loads(body)["orderId"]} for body in bodies]
        self._clients("kinesis").put_records(StreamName=name, Records=records)

    def put_items(self, name: str, bodies: Sequence[str]) -> None:
        """Put orders into a table."""
        for body in bodies:
            item = {"orderId": {"S": json.loads(body)["orderId"]}, "order": {"S": body}}
            self._clients("dynamodb").put_item(TableName=name, Item=item)

    def subscribed(self, name: str, functions: Mapping[str, str | None]) -> Callable[[str, Sequence[str]], None]:
        """Make a topic with *functions* subscribed, each with its dead-letter queue; return what publishes there."""
        sns = self._clients("sns")
        topic = sns.create_topic(Name=name)["TopicArn"]
        for arn, queue_arn in functions.items():
            policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": queue_arn})} if queue_arn else {}
            sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn, Attributes=policy)

        def publish(_function: str, bodies: Sequence[str]) -> None:
            for body in bodies:
                sns.publish(TopicArn=topic, Message=body)

        return publish

    def ruled(self, name: str, function_arn: str, queue_arn: str) -> Callable[[str, Sequence[str]], None]:
        """Make a rule with a function as target, and a dead-letter queue; return what puts events for it."""
        events = self._clients("events")
        events.put_rule(Name=name, EventPattern=json.dumps({"source": [SOURCE]}))
        target = {
            "Id": "1",
            "Arn": function_arn,
            "DeadLetterConfig": {"Arn": queue_arn},
            "RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 3600},
        }
        events.put_targets(Rule=name, Targets=[target])

        def put(_function: str, bodies: Sequence[str]) -> None:
            entries = [{"Source": SOURCE, "DetailType": "Order placed", "Detail": body} for body in bodies]
            events.put_events(Entries=entries)

        return put
