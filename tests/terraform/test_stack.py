"""What the article asks of a function that one can trust, asked of ours by reading the Terraform."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from console.policy import COLLECT, DELETE_OBJECTS, READ_OBJECTS, REDRIVE
from deadletter.aws import discovery
from deadletter.aws.listing import Listing
from tests.terraform.stack import FAILURE_HOME, ROOT, STACK, Block, blocks, local, of_type, statements

FUNCTIONS = local(STACK, "functions")
MODULES = pytest.mark.parametrize("folder", [STACK, FAILURE_HOME], ids=["stack", "failure-home"])
NO_SECRETS = re.compile(r"PASSWORD|TOKEN|(?<!_SECRET)_KEY$|SECRET(?!_ARN)|DATABASE_URL")


def is_everything(statement: dict[str, Any]) -> bool:
    resources = statement.get("resources", [])
    named = '"*"' in resources if isinstance(resources, str) else "*" in resources
    return named and statement.get("effect", "Allow") == "Allow"


def documents(folder: Path) -> dict[str, Block]:
    return of_type(folder, "aws_iam_policy_document")


def test_there_are_four_functions_and_each_says_why_its_limits_are_so() -> None:
    assert set(FUNCTIONS) == {"collect", "redrive", "tick", "console"}
    source = (ROOT / "main.tf").read_text()
    for name in FUNCTIONS:
        block = source.partition(f"    {name} = {{")[2].partition("    }")[0]
        assert re.search(r"timeout\s+= \d+\s+# \w+", block), name
        assert re.search(r"concurrency\s+= \d+\s+# \w+", block), name
        assert "memory" in block


def test_every_function_is_limited_traced_and_logs_json_into_a_group_that_ends() -> None:
    (function,) = of_type(STACK, "aws_lambda_function").values()
    assert function.value("for_each") == "local.functions"
    assert function.value("reserved_concurrent_executions") == "each.value.concurrency"
    assert function.value("timeout") == "each.value.timeout"
    assert function.inner("tracing_config") == {"mode": "Active"}
    assert function.inner("logging_config")["log_format"] == "JSON"
    assert function.value("architectures") == ["var.architecture"]
    groups = of_type(STACK, "aws_cloudwatch_log_group")
    assert all("retention_in_days" in group.body and "kms_key_id" in group.body for group in groups.values())
    assert groups["function"].value("for_each") == "local.functions"


def test_every_function_has_a_home_for_its_failures_retries_and_an_age() -> None:
    (config,) = of_type(STACK, "aws_lambda_function_event_invoke_config").values()
    assert config.value("for_each") == "local.functions"
    assert "destination = aws_sqs_queue.failures.arn" in config.text
    assert config.value("maximum_retry_attempts") == 2
    for name, function in FUNCTIONS.items():
        assert 60 <= function["keep_hours"] * 3600 <= 21_600, name


@pytest.mark.parametrize(
    "metric", ["Throttles", "DeadLetterErrors", "DestinationDeliveryFailures", "AsyncEventsDropped"]
)
@MODULES
def test_every_function_has_an_alarm_for_what_is_lost(folder: Path, metric: str) -> None:
    metrics = local(folder, "function_metrics" if folder == STACK else "metrics")
    assert metric in str(metrics)


def test_every_function_has_an_alarm_for_its_error_rate_and_its_slowness() -> None:
    alarms = of_type(STACK, "aws_cloudwatch_metric_alarm")
    for name in ("error_rate", "duration"):
        assert alarms[name].value("for_each") == "local.functions"
    assert alarms["duration"].value("extended_statistic") == "p99"
    assert "each.value.timeout" in alarms["duration"].value("threshold")


def test_whoever_reads_a_stream_is_told_when_it_falls_behind() -> None:
    assert "IteratorAge" in str(local(FAILURE_HOME, "metrics"))


@MODULES
def test_every_alarm_tells_somebody_and_says_what_silence_means(folder: Path) -> None:
    for alarm in of_type(folder, "aws_cloudwatch_metric_alarm").values():
        assert {"alarm_actions", "ok_actions", "treat_missing_data", "alarm_description"} <= alarm.body.keys(), (
            alarm.name
        )


def test_our_own_dead_ends_have_an_alarm() -> None:
    dead_ends = local(STACK, "dead_ends")
    without = {name for name, queue in of_type(STACK, "aws_sqs_queue").items() if "redrive_policy" not in queue.body}
    assert without == set(dead_ends)
    watched = (STACK / "alarms.tf").read_text()
    assert 'for name, queue in local.dead_ends : "${name}-not-empty"' in watched
    assert of_type(STACK, "aws_cloudwatch_metric_alarm")["watched"].value("for_each") == "local.watched"


def test_our_own_metrics_are_watched() -> None:
    alarms = (STACK / "alarms.tf").read_text()
    watched = re.findall(r'namespace  = "Redrive"\n\s+metric     = "(\w+)"', alarms)
    assert set(watched) == {"OldestUnresolvedAge", "Unknown"}


def test_a_queue_hides_a_message_for_six_times_as_long_as_its_function_may_take() -> None:
    assert local(STACK, "visibility") == "{for name, function in local.functions : name => 6 * function.timeout}"
    takers = {"work": "local.visibility.redrive", "failures": "local.visibility.collect"}
    for name, wanted in takers.items():
        assert of_type(STACK, "aws_sqs_queue")[name].value("visibility_timeout_seconds") == wanted
    home = of_type(FAILURE_HOME, "aws_sqs_queue")["failures"]
    assert home.value("visibility_timeout_seconds") == "6 * var.console.collect_timeout_s"
    assert all(6 * function["timeout"] <= 43_200 for function in FUNCTIONS.values()), "SQS hides for 12 hours at most"


@MODULES
def test_every_mapping_reports_its_failed_items_and_is_limited(folder: Path) -> None:
    mappings = of_type(folder, "aws_lambda_event_source_mapping")
    assert mappings
    for mapping in mappings.values():
        assert mapping.value("function_response_types") == ["ReportBatchItemFailures"]
        assert "maximum_concurrency" in mapping.inner("scaling_config")


@MODULES
def test_every_queue_is_encrypted_and_refuses_plain_http(folder: Path) -> None:
    for queue in of_type(folder, "aws_sqs_queue").values():
        assert queue.value("kms_master_key_id") == "aws_kms_key.this.arn"
    (policy,) = of_type(folder, "aws_sqs_queue_policy").values()
    covered = local(STACK, "queues") if folder == STACK else policy.value("for_each")
    assert set(covered) == set(of_type(folder, "aws_sqs_queue"))
    assert "aws:SecureTransport" in documents(folder)["queue"].text


@MODULES
def test_what_is_given_up_five_times_goes_to_a_queue_that_keeps_it_for_a_fortnight(folder: Path) -> None:
    for queue in of_type(folder, "aws_sqs_queue").values():
        if "redrive_policy" in queue.body:
            assert re.search(r"maxReceiveCount\s+= 5", queue.text)
            (target,) = re.findall(r"deadLetterTargetArn\s+= aws_sqs_queue\.(\w+)\.arn", queue.text)
            assert of_type(folder, "aws_sqs_queue")[target].value("message_retention_seconds") == "14 * 24 * 3600"


def test_no_secret_stands_in_an_environment_variable() -> None:
    environment = local(STACK, "environment")
    assert not [name for name in environment if NO_SECRETS.search(name)]
    assert not [value for value in environment.values() if "secret_string" in value or "password" in value]


def test_no_secret_stands_in_the_state() -> None:
    (version,) = of_type(STACK, "aws_secretsmanager_secret_version").values()
    assert "secret_string_wo" in version.body
    assert "secret_string" not in version.body
    assert not [b for b in blocks(STACK) if re.search(r"^\s*(master_)?password\s+=", b.text, re.MULTILINE)]
    assert of_type(STACK, "aws_rds_cluster")["this"].value("manage_master_user_password") is True


@MODULES
def test_no_statement_is_for_everything_without_a_reason_beside_it(folder: Path) -> None:
    for name, document in documents(folder).items():
        if any(is_everything(statement) for statement in statements(document)):
            assert "checkov:skip=CKV_AWS_356: " in document.text, name


@MODULES
def test_no_statement_allows_every_action_but_that_of_a_key_for_its_account(folder: Path) -> None:
    for name, document in documents(folder).items():
        for statement in statements(document):
            if any(action.endswith(":*") or action == "*" for action in statement["actions"]):
                assert name == "key" or statement["effect"] == "Deny", (name, statement)


def actions(name: str, folder: Path = STACK) -> set[str]:
    return {action for statement in statements(documents(folder)[name]) for action in statement["actions"]}


def test_a_function_may_do_what_its_code_calls() -> None:
    assert set(COLLECT) <= actions("collect")
    assert set(COLLECT) <= actions("collect", FAILURE_HOME)
    for kind in REDRIVE.values():
        assert set(kind) <= actions("send") | actions("limits")
    assert set(READ_OBJECTS + DELETE_OBJECTS) <= actions("send"), "what was left in a bucket is taken from there"
    listed = {each.action for each in vars(discovery).values() if isinstance(each, Listing)}
    assert listed <= actions("discover")


def test_nothing_but_the_sender_may_send() -> None:
    duties = local(STACK, "duties")
    assert [name for name, documents_ in duties.items() if "document.send." in str(documents_)] == ["redrive"]
    assert {"lambda:InvokeFunction"} == actions("send") & {"lambda:InvokeFunction"}
    assert "lambda:InvokeFunction" not in actions("collect") | actions("limits") | actions("discover")


def test_the_idempotency_table_forgets_and_can_be_brought_back() -> None:
    (table,) = of_type(STACK, "aws_dynamodb_table").values()
    assert table.inner("ttl") == {"attribute_name": "expiration", "enabled": True}
    assert table.inner("point_in_time_recovery") == {"enabled": True}
    assert table.value("hash_key") == "id"


def test_everything_that_calls_us_asynchronously_has_a_home_for_what_it_gives_up() -> None:
    assert "dead_letter_config" in of_type(STACK, "aws_scheduler_schedule")["tick"].text
    assert "dead_letter_config" in of_type(STACK, "aws_cloudwatch_event_target")["source"].text
    assert "deadLetterTargetArn" in of_type(STACK, "aws_sns_topic_subscription")["source"].text


@MODULES
def test_every_key_rotates(folder: Path) -> None:
    for key in of_type(folder, "aws_kms_key").values():
        assert key.value("enable_key_rotation") is True


def test_every_exception_of_checkov_says_why() -> None:
    for path in ROOT.rglob("*.tf"):
        for reason in re.findall(r"checkov:skip=\w+(.*)", path.read_text()):
            assert re.match(r": \w.+\.$", reason), (path.name, reason)


def test_the_failure_home_sets_what_lambda_takes() -> None:
    (config,) = of_type(FAILURE_HOME, "aws_lambda_function_event_invoke_config").values()
    assert config.value("maximum_retry_attempts") == "var.maximum_retry_attempts"
    assert config.value("maximum_event_age_in_seconds") == "var.maximum_event_age_s"
    variables = (FAILURE_HOME / "variables.tf").read_text()
    assert "var.maximum_event_age_s >= 60 && var.maximum_event_age_s <= 21600" in variables


def test_the_failure_home_is_given_what_the_stack_puts_out() -> None:
    put_out = set(re.findall(r"^    (\w+)\s+= ", (STACK / "outputs.tf").read_text(), re.MULTILINE))
    taken = (FAILURE_HOME / "variables.tf").read_text().partition('variable "console"')[2].partition("\n}")[0]
    assert set(re.findall(r"^    (\w+)\s+= ", taken, re.MULTILINE)) == put_out


def test_every_handler_is_a_function_of_ours() -> None:
    for function in FUNCTIONS.values():
        module, _, name = function["handler"].rpartition(".")
        path = ROOT.parent / f"{module.replace('.', '/')}.py"
        tree = ast.parse(path.read_text())
        names = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
        names |= {target.id for each in tree.body if isinstance(each, ast.Assign) for target in each.targets
                  if isinstance(target, ast.Name)}  # fmt: skip
        assert name in names, function["handler"]
