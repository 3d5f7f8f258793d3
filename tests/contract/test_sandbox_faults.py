"""What a failed handler answers in the sandbox is what AWS's own runtime (`awslambdaric`) answers for the same code."""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sandbox.functions import FunctionName
from sandbox.local import Sandbox
from tests.sandbox_fixture import Deploy

REAL_RUNTIME = """
import json, sys
from awslambdaric import bootstrap

class Client:
    marshaller = bootstrap.LambdaRuntimeClient.marshaller
    asked = False

    def answer(self, payload):
        with open(sys.argv[3], "w") as out:
            out.write(payload if isinstance(payload, str) else bootstrap.to_json(payload))

    def wait_next_invocation(self):
        if self.asked:
            sys.exit()
        self.asked = True
        request = dict.fromkeys(["x_amzn_trace_id", "client_context", "cognito_identity", "tenant_id", "invocation_id"])
        request |= {"invoke_id": sys.argv[2], "invoked_function_arn": "arn", "deadline_time_in_ms": 0}
        return type("Request", (), {**request, "event_body": b"{}", "content_type": "application/json"})

    def post_invocation_error(self, invoke_id, error, xray, invocation_id=None):
        self.answer(error)

    def post_invocation_result(self, invoke_id, result, content_type, invocation_id=None):
        self.answer(result)

    def post_init_error(self, error, error_type=None):
        self.answer(error)

sys.path.insert(0, "")
bootstrap.run(sys.argv[1], Client())
"""

CASES = {
    "an exception deep in the handler": """
        def handler(event, context):
            return reserve({"sku": "TEA-03"})

        def reserve(item):
            raise ValueError(f"inventory service refused sku {item['sku']}")
        """,
    "a KeyError, whose text is a quoted key": """
        def handler(event, context):
            return event["shippingAddress"]
        """,
    "an exception without a text": """
        class Declined(Exception):
            pass

        def handler(event, context):
            raise Declined
        """,
    "an exception with a cause": """
        def handler(event, context):
            try:
                {}["a"]
            except KeyError as error:
                raise RuntimeError("é 漢 two\\nlines") from error
        """,
    "a frame of the standard library": """
        import json

        def handler(event, context):
            return json.loads("{")
        """,
    "a source of several lines": """
        def handler(event, context):
            return sum(
                [1, 2,
                 event["three"]],
            )
        """,
    "recursion without end": """
        def handler(event, context):
            return handler(event, context)
        """,
    "an answer that is not JSON": """
        def handler(event, context):
            return {1, 2}
        """,
    "an answer with decimals": """
        from decimal import Decimal

        def handler(event, context):
            return {"total": Decimal("18.40"), "ok": True, "nothing": None, "word": "é"}
        """,
    "a module that raises while it is imported": """
        table = {}["TABLE"]

        def handler(event, context):
            return None
        """,
    "a module that imports what is not there": """
        import warehouse_client

        def handler(event, context):
            return None
        """,
    "a module with a syntax error": """
        def handler(event, context)
            return None
        """,
    "a module that imports a name that is not there": """
        from json import nothing

        def handler(event, context):
            return None
        """,
    "a message with the path of its own code": """
        import pathlib

        def handler(event, context):
            pathlib.Path(__file__).with_name("rates.json").read_text()
        """,
    "a module without the handler": """
        def lambda_handler(event, context):
            return None
        """,
}


@pytest.mark.parametrize("source", CASES.values(), ids=CASES.keys())
def test_a_fault_is_what_awslambdaric_reports(source: str, sandbox: Sandbox, deploy: Deploy, tmp_path: Path) -> None:
    pytest.importorskip("awslambdaric", reason="AWS's runtime client has wheels for Linux only")
    function = deploy(source)
    request_id, ours = sandbox.lambda_service.invoke(FunctionName(function.name), "{}")
    theirs = run_awslambdaric(function.code, "app.handler", request_id, tmp_path)
    assert json.loads(as_deep(ours.payload)) == json.loads(as_deep(theirs))
    assert list(json.loads(ours.payload)) == list(json.loads(theirs))


@pytest.mark.parametrize("handler", ["nodots", "nowhere.handler"])
def test_a_handler_that_cannot_be_found_is_reported_alike(
    handler: str, sandbox: Sandbox, deploy: Deploy, tmp_path: Path
) -> None:
    pytest.importorskip("awslambdaric", reason="AWS's runtime client has wheels for Linux only")
    function = deploy("", handler=handler)
    request_id, ours = sandbox.lambda_service.invoke(FunctionName(function.name), "{}")
    assert json.loads(ours.payload) == json.loads(run_awslambdaric(function.code, handler, request_id, tmp_path))


def as_deep(payload: str) -> str:
    """Recursion ends at Python's limit, which counts the frames below the handler: a few more or less."""
    return re.sub(r"repeated \d+ more", "repeated N more", payload)


def run_awslambdaric(code: Path, handler: str, request_id: str, tmp_path: Path) -> str:
    """Run the handler in AWS's runtime client; return its answer, with the paths as they are on AWS."""
    out = tmp_path / "answer.json"
    command = [sys.executable, "-c", REAL_RUNTIME, handler, request_id, str(out)]
    subprocess.run(command, cwd=code, check=False, capture_output=True, timeout=20)
    stdlib = sysconfig.get_path("stdlib")
    return out.read_text().replace(str(code), "/var/task").replace(stdlib, f"/var/lang/lib/{Path(stdlib).name}")


def test_a_stack_has_no_path_of_this_machine(sandbox: Sandbox, deploy: Deploy) -> None:
    function = deploy("""
        from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

        def handler(event, context):
            return process_partial_response(event, print, BatchProcessor(EventType.SQS), context)
        """)
    _, result = sandbox.lambda_service.invoke(FunctionName(function.name), "{}")
    stack = json.loads(result.payload)["stackTrace"]
    assert stack[0].startswith('  File "/var/task/app.py", line 5, in handler\n')
    assert stack[1].startswith('  File "/opt/python/aws_lambda_powertools/')
    assert str(function.code) not in result.payload
    assert sys.prefix not in result.payload
