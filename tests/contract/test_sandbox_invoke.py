"""Invoke and the other calls of Lambda's API, as boto3 sees them."""

import base64
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.functions import BadFunction, Function
from sandbox.local import Sandbox
from tests.sandbox_fixture import Deploy, MakeQueue, sample

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ECHO = """
    def handler(event, context):
        print("a line of log")
        return {"event": event}
    """
HOLD = """
    def handler(event, context):
        if "hold" in event:
            open(event["hold"]).read()  # a FIFO is read until its other end is closed
        return "done"
    """


def test_an_invocation_answers_at_once_with_its_request_id_version_and_payload(
    lambda_client: Any, deploy: Deploy
) -> None:
    answer = lambda_client.invoke(FunctionName=deploy(ECHO).name, Payload=b'{"orderId": "ord-1"}')
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert UUID.fullmatch(answer["ResponseMetadata"]["RequestId"])
    assert json.load(answer["Payload"]) == {"event": {"orderId": "ord-1"}}


def test_an_invocation_without_a_payload_gets_an_empty_object(lambda_client: Any, deploy: Deploy) -> None:
    assert json.load(lambda_client.invoke(FunctionName=deploy(ECHO).name)["Payload"]) == {"event": {}}


def test_a_failed_invocation_is_http_200_with_a_function_error(lambda_client: Any, deploy: Deploy) -> None:
    function = deploy("def handler(event, context): raise ValueError('refused')")
    answer = lambda_client.invoke(FunctionName=function.name, Payload=b"{}")
    fault = json.load(answer["Payload"])
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (fault["errorType"], fault["errorMessage"]) == ("ValueError", "refused")
    assert fault["requestId"] == answer["ResponseMetadata"]["RequestId"]


def test_the_tail_of_the_log_comes_back_when_asked_for(lambda_client: Any, deploy: Deploy) -> None:
    answer = lambda_client.invoke(FunctionName=deploy(ECHO).name, LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert lines[:3] == [
        f"START RequestId: {request_id} Version: $LATEST",
        "a line of log",
        f"END RequestId: {request_id}",
    ]
    assert lines[3].startswith(f"REPORT RequestId: {request_id}\tDuration: ")


def test_the_tail_of_a_long_log_is_its_last_4_kb(lambda_client: Any, deploy: Deploy) -> None:
    function = deploy("def handler(event, context): print('x' * 10_000, flush=True)")
    answer = lambda_client.invoke(FunctionName=function.name, LogType="Tail")
    assert len(base64.b64decode(answer["LogResult"])) == 4096


def test_the_context_says_what_aws_says(lambda_client: Any, deploy: Deploy) -> None:
    function = deploy(
        """
        import os

        def handler(event, context):
            names = ("aws_request_id function_name function_version invoked_function_arn memory_limit_in_mb "
                     "log_group_name log_stream_name").split()
            return {name: getattr(context, name) for name in names} | {
                "left": context.get_remaining_time_in_millis(),
                "env": dict(os.environ),
                "custom": context.client_context.custom,
            }
        """,
        timeout_s=7,
        memory_mb=256,
        aliases=frozenset({"live"}),
        environment={"TABLE": "orders"},
    )
    context = base64.b64encode(json.dumps({"custom": {"trace": "t-1"}}).encode()).decode()
    answer = lambda_client.invoke(FunctionName=function.name, Qualifier="live", ClientContext=context)
    said = json.load(answer["Payload"])
    assert said["aws_request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert said["function_name"] == said["env"]["AWS_LAMBDA_FUNCTION_NAME"] == function.name
    assert said["invoked_function_arn"] == f"{function.arn}:live"
    assert (said["function_version"], said["memory_limit_in_mb"]) == ("$LATEST", "256")
    assert said["log_group_name"] == f"/aws/lambda/{function.name}"
    assert said["log_stream_name"].endswith(said["env"]["AWS_LAMBDA_LOG_STREAM_NAME"][-32:])
    assert 6000 < said["left"] <= 7000
    assert said["custom"] == {"trace": "t-1"}
    assert said["env"]["TABLE"] == "orders"
    assert said["env"]["AWS_REGION"] == "eu-west-1"
    assert "HOME" not in said["env"]


def test_module_scope_runs_once_in_a_warm_environment(lambda_client: Any, deploy: Deploy) -> None:
    function = deploy("""
        import os
        calls = []

        def handler(event, context):
            calls.append(1)
            return [os.getpid(), len(calls)]
        """)
    first, second = (json.load(lambda_client.invoke(FunctionName=function.name)["Payload"]) for _ in range(2))
    assert first[1:] == [1]
    assert second == [first[0], 2]


def test_a_deployment_starts_new_environments(sandbox: Sandbox, lambda_client: Any, deploy: Deploy) -> None:
    function = deploy(
        "import os; release = os.environ['RELEASE']\ndef handler(event, context): return release",
        environment={"RELEASE": "1"},
    )
    before = json.load(lambda_client.invoke(FunctionName=function.name)["Payload"])
    sandbox.lambda_service.functions.update(function.name, environment={"RELEASE": "2"})
    assert (before, json.load(lambda_client.invoke(FunctionName=function.name)["Payload"])) == ("1", "2")


def test_a_timeout_kills_the_environment_and_says_so_as_aws_does(lambda_client: Any, deploy: Deploy) -> None:
    function = deploy(
        """
        import os, time

        def handler(event, context):
            if event == "pid":
                return os.getpid()
            time.sleep(30)
        """,
        timeout_s=0.3,
    )
    pid = json.load(lambda_client.invoke(FunctionName=function.name, Payload=b'"pid"')["Payload"])
    answer = lambda_client.invoke(FunctionName=function.name)
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"]) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 0.30 seconds",
    }
    assert json.load(lambda_client.invoke(FunctionName=function.name, Payload=b'"pid"')["Payload"]) != pid


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(1)", "Runtime exited with error: exit status 1"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        (
            "[bytes([1]) * 50_000_000 for _ in range(100) if not time.sleep(0.02)]",
            "Runtime exited with error: signal: killed",
        ),
    ],
)
def test_a_process_that_dies_is_reported_as_aws_reports_it(
    ending: str, reason: str, lambda_client: Any, deploy: Deploy
) -> None:
    function = deploy(f"import os, sys, time\ndef handler(event, context): {ending}")
    answer = lambda_client.invoke(FunctionName=function.name)
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert json.load(answer["Payload"]) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {reason}",
    }


def test_what_a_handler_started_ends_with_it(lambda_client: Any, deploy: Deploy, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    function = deploy(
        f"""
        import subprocess, time

        def handler(event, context):
            subprocess.Popen(["/bin/sh", "-c", "exec 3> {fifo}; exec sleep 30"])
            time.sleep(30)
        """,
        timeout_s=0.5,
    )
    held = threading.Thread(target=lambda: lambda_client.invoke(FunctionName=function.name))
    held.start()
    with fifo.open() as left_open:
        assert left_open.read() == ""  # reads to the end only once the grandchild is gone
    held.join()


@pytest.mark.parametrize(
    "payload", [b"not json", b'{"a": NaN}', b'"\xff"', b"{} {}", b"[" * 100_000], ids=lambda payload: payload[:9]
)
def test_a_payload_that_is_not_json_is_refused(payload: bytes, lambda_client: Any, deploy: Deploy) -> None:
    function = deploy(ECHO)
    with pytest.raises(ClientError) as refused:
        lambda_client.invoke(FunctionName=function.name, Payload=payload)
    assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6 * 1024 * 1024), ("Event", 1024 * 1024)])
def test_a_payload_may_have_6_mb_and_1_mb_if_asynchronous(
    kind: str, limit: int, lambda_client: Any, deploy: Deploy
) -> None:
    function = deploy("def handler(event, context): return len(event)")
    lambda_client.invoke(FunctionName=function.name, InvocationType=kind, Payload=b'"' + b"x" * (limit - 2) + b'"')
    with pytest.raises(ClientError) as refused:
        lambda_client.invoke(FunctionName=function.name, InvocationType=kind, Payload=b'"' + b"x" * (limit - 1) + b'"')
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert str(limit) in refused.value.response["Error"]["Message"]


def test_a_function_at_its_reserved_concurrency_answers_429_as_in_the_sample(
    lambda_client: Any, deploy: Deploy, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    function = deploy(HOLD, reserved_concurrency=1)
    event = json.dumps({"hold": str(fifo)}).encode()
    held = threading.Thread(target=lambda: lambda_client.invoke(FunctionName=function.name, Payload=event))
    held.start()
    with fifo.open("w"), pytest.raises(ClientError) as refused:
        lambda_client.invoke(FunctionName=function.name)
    held.join()
    assert lambda_client.invoke(FunctionName=function.name)["StatusCode"] == 200
    theirs = sample("invoke-throttled.error-response.json")
    response = refused.value.response
    assert response["ResponseMetadata"].pop("HTTPHeaders")["x-amzn-errortype"] == "TooManyRequestsException"
    assert UUID.fullmatch(response["ResponseMetadata"].pop("RequestId"))
    response["ResponseMetadata"].pop("MaxAttemptsReached")  # this client's own setting
    del theirs["ResponseMetadata"]["HTTPHeaders"], theirs["ResponseMetadata"]["RequestId"]
    assert response == {**theirs, "retryAfterSeconds": "1"}


def test_no_reserved_concurrency_at_all_refuses_every_synchronous_invocation(
    lambda_client: Any, deploy: Deploy
) -> None:
    function = deploy(ECHO, reserved_concurrency=0)
    with pytest.raises(ClientError) as refused:
        lambda_client.invoke(FunctionName=function.name)
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
@pytest.mark.parametrize("qualifier", [None, "nowhere"])
def test_what_is_not_there_is_404(kind: str, qualifier: str | None, lambda_client: Any, deploy: Deploy) -> None:
    name = deploy(ECHO).name + (f":{qualifier}" if qualifier else "-gone")
    with pytest.raises(ClientError) as refused:
        lambda_client.invoke(FunctionName=name, InvocationType=kind)
    response = refused.value.response
    assert response["Error"]["Code"] == "ResourceNotFoundException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert response["Error"]["Message"].startswith(
        "Function not found: arn:aws:lambda:eu-west-1:000000000000:function:"
    )
    assert response["Error"]["Message"].endswith(name)


def test_a_dry_run_runs_nothing(lambda_client: Any, deploy: Deploy, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    function = deploy(f"def handler(event, context): open({str(ran)!r}, 'w').close()")
    assert lambda_client.invoke(FunctionName=function.name, InvocationType="DryRun")["StatusCode"] == 204
    assert not ran.exists()


@pytest.mark.parametrize("form", ["{name}", "{account}:function:{name}", "{arn}", "{arn}:$LATEST", "{arn}:live"])
def test_a_function_goes_by_its_name_and_by_its_arn(form: str, lambda_client: Any, deploy: Deploy) -> None:
    function = deploy("def handler(event, context): return context.invoked_function_arn", aliases=frozenset({"live"}))
    named = form.format(name=function.name, arn=function.arn, account="000000000000")
    arn = json.load(lambda_client.invoke(FunctionName=named)["Payload"])
    assert arn == function.arn_of("live" if named.endswith("live") else "$LATEST" if "$" in named else None)


def test_functions_are_listed_in_pages_with_their_dead_letter_queues(
    lambda_client: Any, deploy: Deploy, make_queue: MakeQueue
) -> None:
    queue = make_queue()
    with_queue, without = deploy(ECHO, dead_letter_arn=queue), deploy(ECHO, timeout_s=9, memory_mb=512)
    pages = list(lambda_client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1}))
    listed = {found["FunctionName"]: found for page in pages for found in page["Functions"]}
    assert [len(page["Functions"]) for page in pages] == [1] * len(listed)
    assert listed[with_queue.name]["DeadLetterConfig"] == {"TargetArn": queue}
    assert "DeadLetterConfig" not in listed[without.name]
    assert (listed[without.name]["Timeout"], listed[without.name]["MemorySize"]) == (9, 512)


def test_a_function_says_how_it_is_configured(lambda_client: Any, deploy: Deploy, make_queue: MakeQueue) -> None:
    failures = make_queue()
    function = deploy(
        ECHO, on_failure_arn=failures, maximum_retry_attempts=1, maximum_event_age_s=90, reserved_concurrency=3
    )
    config = lambda_client.get_function_configuration(FunctionName=function.name)
    listed = lambda_client.list_function_event_invoke_configs(FunctionName=function.name)
    [invoke_config] = listed["FunctionEventInvokeConfigs"]
    assert (config["FunctionArn"], config["Handler"]) == (function.arn, "app.handler")
    assert lambda_client.get_function_concurrency(FunctionName=function.name)["ReservedConcurrentExecutions"] == 3
    assert invoke_config["FunctionArn"] == f"{function.arn}:$LATEST"
    assert invoke_config["DestinationConfig"] == {"OnFailure": {"Destination": failures}}
    assert (invoke_config["MaximumRetryAttempts"], invoke_config["MaximumEventAgeInSeconds"]) == (1, 90)


def test_a_function_without_reserved_concurrency_says_nothing_of_it(lambda_client: Any, deploy: Deploy) -> None:
    answer = lambda_client.get_function_concurrency(FunctionName=deploy(ECHO).name)
    assert "ReservedConcurrentExecutions" not in answer


def test_a_call_that_the_sandbox_does_not_have_says_so(lambda_client: Any, deploy: Deploy) -> None:
    with pytest.raises(ClientError) as refused:
        lambda_client.get_function_recursion_config(FunctionName=deploy(ECHO).name)
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    assert refused.value.response["Error"]["Message"] == "The sandbox's Lambda does not have this call."


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"maximum_retry_attempts": 3}, "MaximumRetryAttempts is 3, and must be from 0 to 2."),
        ({"maximum_event_age_s": 59}, "MaximumEventAgeInSeconds is 59, and must be from 60 to 21600."),
        ({"dead_letter_arn": "arn:aws:sqs:eu-west-1:000000000000:q.fifo"}, "is FIFO"),
        ({"dead_letter_arn": "arn:aws:s3:::failures"}, "is none of those"),
    ],
)
def test_settings_that_aws_refuses_are_refused(settings: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(BadFunction, match=told):
        Function(name="f", handler="app.handler", code=tmp_path, **settings)
