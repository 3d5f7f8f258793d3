"""Other accounts by role: STS is the sandbox's, and what is in the other account only who took the role can see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deadletter.aws import clients, discovery, open_source, open_target, use_roles
from deadletter.aws.discovery import scan_account
from deadletter.aws.pacer import Pacer
from deadletter.errors import SourceError
from deadletter.event import TargetKind
from deadletter.ports import Outgoing
from deadletter.scouting import as_one, scan_all
from deadletter.settings import Role, Settings
from sandbox.local import Sandbox

OTHER = "111122223333"
ROLE = f"arn:aws:iam::{OTHER}:role/redrive"
QUEUE = f"arn:aws:sqs:eu-west-1:{OTHER}:orders-dlq"


@pytest.fixture
def role(sandbox: Sandbox, aws_env: dict[str, str]) -> Iterator[str]:
    """A role that is taken for the other account."""
    assert sandbox.region == aws_env["AWS_REGION"]
    clients.forget()
    use_roles({OTHER: ROLE})
    yield ROLE
    use_roles({})
    clients.forget()


@pytest.fixture
def theirs(sandbox: Sandbox, role: str) -> Any:
    """SQS as the other account has it, with a queue in it."""
    taken = sandbox.clients("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    sqs: Any = boto3.client(
        "sqs",
        endpoint_url=sandbox.endpoint,
        region_name=sandbox.region,
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )
    sqs.create_queue(QueueName="orders-dlq")
    yield sqs
    sqs.close()


def test_a_queue_of_another_account_is_read_emptied_and_sent_to_by_its_role(theirs: Any) -> None:
    target = open_target(TargetKind.SQS, QUEUE, "RequestResponse")
    (answer,) = target.send([Outgoing(key=1, payload="hello")])
    source = open_source(QUEUE)
    (message,) = source.receive(most=10, wait_s=2)

    assert not isinstance(answer, Exception)
    assert message.body == "hello"
    assert source.delete([message]) == []
    assert (
        theirs.get_queue_attributes(
            QueueUrl=theirs.get_queue_url(QueueName="orders-dlq")["QueueUrl"], AttributeNames=["All"]
        )["Attributes"]["ApproximateNumberOfMessages"]
        == "0"
    )


def test_without_its_role_the_queue_is_not_there(sandbox: Sandbox, theirs: Any) -> None:
    assert theirs
    with pytest.raises(ClientError, match="NonExistentQueue"):
        sandbox.clients("sqs").get_queue_url(QueueName="orders-dlq")


def test_discovery_reads_the_other_account_beside_ours(theirs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "Pacer", lambda: Pacer(rate=1_000))
    settings = Settings(roles=(Role(ROLE, OTHER, ("eu-west-1",)),))
    found = as_one(scan_all(settings))

    assert theirs
    accounts = {queue.arn.split(":")[4] for queue in found.account.queues}
    assert OTHER in accounts
    assert {function.arn.split(":")[4] for function in found.account.functions} <= {"000000000000"}


def test_a_role_that_cannot_be_taken_is_one_sentence(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # nobody will ever answer there
    assert role
    with pytest.raises(SourceError, match=f"Nothing of account {OTHER} could be read: its role cannot be taken"):
        scan_account("eu-west-1", account=OTHER)
