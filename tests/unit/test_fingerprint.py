"""One cause, one group: whatever ids, times and line numbers its events carry, and whatever came before them."""

import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.errors import BadInput
from deadletter.event import Cause, Producer
from deadletter.fingerprint import VERSION, Fingerprint, cause_from, cause_of, fingerprint, frames, mask, same_cause
from deadletter.fingerprint.masks import masked_text
from deadletter.parse import parse_message, read_entry

EVENTS = Path(__file__).parents[1] / "events"
FUNCTION = "arn:aws:lambda:eu-west-1:210987654321:function:orders-capture"
QUEUE = "arn:aws:sqs:eu-west-1:210987654321:orders-dlq"
STACK = (
    '  File "/var/task/app.py", line 31, in lambda_handler\n    capture(event)\n',
    '  File "/var/task/aws_lambda_powertools/utilities/idempotency/base.py", line 131, in handle\n    return f()\n',
    '  File "/var/lang/lib/python3.12/json/decoder.py", line 355, in raw_decode\n    raise JSONDecodeError()\n',
    '  File "/var/task/shop/gateway.py", line 12, in charge\n    raise PaymentError("at fake (/var/task/x.js:1:2)")\n',
)
DECLINED = Cause(FUNCTION, "PaymentError", "declined for order ord-7741: issuer answered 51", STACK)
ONLY_MESSAGE = replace(DECLINED, error_type=None, stack_trace=None)


def value(cause: Cause) -> str:
    return fingerprint(cause).value


def from_sample(name: str, *, stands_for: str | None = None) -> Cause:
    return cause_of(parse_message(read_entry((EVENTS / name).read_text())), stands_for=stands_for)


def test_a_fingerprint_says_what_made_it_and_what_did_not() -> None:
    made = fingerprint(DECLINED)
    assert made.value.startswith(f"{VERSION}:")
    assert made.function_name == "orders-capture"
    assert made.title == made.error_type == "PaymentError"
    assert made.masked == "declined for order <id>: issuer answered <int>"
    assert made.frames == ("app.py lambda_handler", "shop/gateway.py charge")
    assert made.left_out == ("line numbers", "the message's wording", "ids", "numbers")


def test_a_fingerprint_is_the_same_in_every_release_until_the_version_changes() -> None:
    assert value(DECLINED) == "1:cbab22bbc8e23a27cd2de9ceaf40e486"
    assert value(ONLY_MESSAGE) == "1:08d7f44f43e133f43296fe1be305197d"


@pytest.mark.parametrize(
    ("cause", "stored"),
    [
        (
            Cause(
                FUNCTION,
                "KeyError",
                "'id'",
                tuple(f'  File "/var/task/app/step_{n}.py", line {40 + n}, in step_{n}\n' for n in range(12)),
            ),
            "1:f6bc1a22febaf1c52886e5789a8f7466",
        ),
        (
            Cause(
                FUNCTION,
                "TypeError",
                "x is not a function",
                (
                    "    at handler (file:///var/task/index.mjs:7:11)",
                    "    at async go (/var/task/node_modules/a/b.js:1:2)",
                ),
            ),
            "1:6207d4ed628d5241310ffd58da66d515",
        ),
        (
            Cause(
                FUNCTION,
                "java.lang.IllegalStateException",
                "no stock",
                ("com.shop.Orders.lambda$take$0(Orders.java:17)", "com.shop.Orders.handle(Orders.java:40)"),
            ),
            "1:26247e8047103d810de2b5070293c5e0",
        ),
        (
            Cause(
                FUNCTION,
                error_message="RequestId: 9b1deb4d-3b7d-4bad Task timed out after 3.00 seconds",
            ),
            "1:c8a8fac854418ef3b1544f5842407400",
        ),
        (
            Cause(
                f"{FUNCTION}:7",
                error_message="user 4711 of 10.0.0.7:5432 at 2026-11-25T10:00:00Z: s3://b/k.json, status=503, key='x1'",
            ),
            "1:016034c9b6a4631688d1210251c6bb7c",
        ),
        (
            Cause(FUNCTION, condition="RetriesExhausted", producer=Producer.KINESIS_ESM),
            "1:00f27f1de6650411f4aa4c6e56ad02c9",
        ),
    ],
)
def test_what_is_stored_of_each_kind_of_cause_is_found_again(cause: Cause, stored: str) -> None:
    assert value(cause) == stored


@given(st.text() | st.from_regex(r"(user [0-9]+|status=503|'a'|10\.0\.0\.7|[0-9a-f]{12} )+"))
def test_masked_text_alone_is_the_text_that_masking_gives(text: str) -> None:
    assert masked_text(text) == mask(text).text


def test_an_alias_or_a_version_is_not_another_cause() -> None:
    assert value(replace(DECLINED, function_arn=f"{FUNCTION}:live")) == value(DECLINED)


def test_a_release_that_moves_lines_is_not_another_cause() -> None:
    moved = tuple(entry.replace("line 31", "line 402").replace("line 12", "line 1") for entry in STACK)
    assert value(replace(DECLINED, stack_trace=moved)) == value(DECLINED)


def test_library_frames_do_not_count() -> None:
    assert value(replace(DECLINED, stack_trace=(STACK[0], STACK[3]))) == value(DECLINED)


def test_a_stack_in_one_text_is_the_same_stack() -> None:
    whole = "Traceback (most recent call last):\n" + "".join(STACK) + "PaymentError: declined"
    assert value(replace(DECLINED, stack_trace=(whole,))) == value(DECLINED)


def test_the_wording_does_not_count_where_there_are_frames() -> None:
    assert value(replace(DECLINED, error_message="issuer is on holiday")) == value(DECLINED)
    assert value(replace(ONLY_MESSAGE, error_message="issuer is on holiday")) != value(ONLY_MESSAGE)


@pytest.mark.parametrize(
    "other",
    [
        replace(DECLINED, error_type="GatewayError"),
        replace(DECLINED, function_arn=FUNCTION.replace("capture", "notify")),
        replace(DECLINED, function_arn=FUNCTION.replace("eu-west-1", "eu-west-2")),
        replace(DECLINED, stack_trace=STACK[:1]),
        replace(DECLINED, stack_trace=None),
    ],
    ids=["type", "function", "region", "frames", "no frames"],
)
def test_another_type_function_or_stack_is_another_cause(other: Cause) -> None:
    assert value(other) != value(DECLINED)


TIMED_OUT = [
    (None, "2026-09-14T07:15:33.187Z 5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913 Task timed out after 3.00 seconds"),
    (None, "RequestId: a1f4d7c3-22b9-4f60-b8e5-7c0d9e3f5a68 Error: Task timed out after 3.00 seconds"),
    ("Sandbox.Timedout", "RequestId: a1f4d7c3-22b9-4f60-b8e5-7c0d9e3f5a68 Error: Task timed out after 29.02 seconds"),
]
EXITED = [
    (None, "RequestId: a1f4d7c3-22b9-4f60-b8e5-7c0d9e3f5a68 Error: Runtime exited with error: signal: killed"),
    (
        "Runtime.ExitError",
        "RequestId: 5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913 Error: Runtime exited with error: signal: killed",
    ),
]


@pytest.mark.parametrize(("texts", "title"), [(TIMED_OUT, "Task timed out"), (EXITED, "Runtime exited")])
def test_an_end_by_the_runtime_is_one_group_in_all_its_spellings(texts: list, title: str) -> None:
    made = [fingerprint(Cause(FUNCTION, error_type, message)) for error_type, message in texts]
    assert len({each.value for each in made}) == 1
    assert {each.title for each in made} == {title}


def test_an_error_that_quotes_a_time_out_is_its_own_cause() -> None:
    quoting = Cause(FUNCTION, "UpstreamError", TIMED_OUT[1][1])
    assert fingerprint(quoting).title == "UpstreamError"
    assert value(quoting) != value(Cause(FUNCTION, None, TIMED_OUT[1][1]))


def test_the_samples_of_one_failure_by_two_ways_are_one_cause() -> None:
    by_destination = fingerprint(from_sample("async-destination-sqs.json"))
    by_dlq = fingerprint(from_sample("async-dlq-sqs.json", stands_for=by_destination.function_arn))
    assert by_destination.value != by_dlq.value
    assert knows(by_dlq, by_destination)
    assert knows(by_destination, by_dlq)


def test_the_first_kilobyte_in_a_dlq_is_the_same_cause_as_the_whole_message() -> None:
    message = "declined for order ord-7741: " + "issuer 51 is away, " * 200
    by_destination = fingerprint(replace(DECLINED, error_message=message))
    assert knows(by_destination, fingerprint(replace(ONLY_MESSAGE, error_message=message[:1024])))


def knows(group: Fingerprint, new: Fingerprint) -> bool:
    return same_cause(
        function_name=group.function_name,
        error_type=group.error_type,
        masked=group.masked,
        frames=group.frames,
        new=new,
    )


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"error_message": "issuer is on holiday"}, True),
        ({"error_type": None, "stack_trace": None}, True),
        ({"error_type": None, "stack_trace": None, "error_message": "issuer is on holiday"}, False),
        ({"stack_trace": None}, True),
        ({"error_type": "GatewayError"}, False),
        ({"stack_trace": STACK[:1]}, False),
        ({"function_arn": FUNCTION.replace("capture", "notify")}, False),
    ],
)
def test_the_same_cause_is_known_with_fewer_facts_and_never_with_other_ones(changes: dict, *, same: bool) -> None:
    known, new = fingerprint(DECLINED), fingerprint(replace(DECLINED, **changes))
    assert knows(known, new) is same
    assert knows(new, known) is same


@pytest.mark.parametrize(
    ("cause", "title"),
    [
        (Cause(error_message="card declined for order ord-7741: issuer answered 51"), "card declined for order <id>"),
        (Cause(error_message="bad order: 51"), "bad order: <int>"),
        (from_sample("sqs-redrive-dlq-standard.json"), "Received too often, never deleted"),
        (Cause(FUNCTION, condition="ZeroReservedConcurrency"), "Reserved concurrency was 0"),
        (Cause(FUNCTION, condition="SomethingNew"), "SomethingNew"),
        (Cause(QUEUE, producer=Producer.UNRECOGNISED), "Unrecognised message"),
        (Cause(), "No error recorded"),
        (Cause(error_message="  \n "), "No error recorded"),
        (Cause(error_message="one\ntwo"), "one two"),
        (Cause(error_message="word " * 40), "word " * 15 + "word…"),
    ],
)
def test_a_cause_without_a_type_gets_a_readable_title(cause: Cause, title: str) -> None:
    assert fingerprint(cause).title == title


def test_failures_without_any_error_differ_by_what_is_known() -> None:
    moved = Cause(QUEUE, producer=Producer.SQS_REDRIVE)
    unknown = Cause(QUEUE, producer=Producer.UNRECOGNISED)
    assert value(moved) != value(unknown)
    assert fingerprint(moved).function_name == "orders-dlq"
    assert fingerprint(Cause()).function_name == "unknown function"


def test_a_moved_message_is_named_after_its_source_queue() -> None:
    assert fingerprint(from_sample("sqs-redrive-dlq-standard.json")).function_name == "orders"
    named = from_sample("sqs-redrive-dlq-standard.json", stands_for=FUNCTION)
    assert fingerprint(named).function_name == "orders-capture"


NODE = """PaymentError: at fake (/var/task/evil.js:1:1)
    at charge (/var/task/src/gateway.mjs:12:7)
    at async Runtime.handler (file:///var/task/index.mjs:3:9)
    at /var/task/node_modules/got/index.js:5:5
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at Runtime.handleOnceNonStreaming (file:///var/runtime/index.mjs:1173:29)"""
JAVA = """com.shop.PaymentError: declined
    at com.shop.Gateway.charge(Gateway.java:31)
    at com.shop.Handler.lambda$handle$3(Handler.java:12)
    at java.base/java.util.ArrayList.forEach(ArrayList.java:1596)
    at lambdainternal.EventHandlerLoader.loadEventHandler(EventHandlerLoader.java:899)"""


@pytest.mark.parametrize(
    ("stack", "frames"),
    [
        (NODE, ("src/gateway.mjs charge", "index.mjs Runtime.handler")),
        (JAVA, ("Gateway.java com.shop.Gateway.charge", "Handler.java com.shop.Handler.lambda$handle$")),
        ('  File "/home/dev/shop/app.py", line 3, in handler\n', ("app.py handler",)),
        ('  File "/home/dev/.venv/lib/python3.11/site-packages/x/y.py", line 3, in handler\n', ()),
        ('  File "<frozen importlib._bootstrap>", line 3, in _load\n', ()),
        ('  File "/var/task/app.py", line 1, in f\n    f()\n' * 900, ("app.py f",)),
        ("no stack at all", ()),
        ("", ()),
    ],
)
def test_frames_are_the_functions_own_in_every_runtime(stack: str, frames: tuple[str, ...]) -> None:
    assert fingerprint(replace(DECLINED, stack_trace=(stack,))).frames == frames


def test_source_lines_in_a_trace_are_no_frames() -> None:
    entry = '  File "/var/task/app.py", line 1, in f\n    File "/var/task/evil.py", line 2, in g\n'
    entry += "    at h (/var/task/i.js:1:1)\n"
    assert fingerprint(replace(DECLINED, stack_trace=(entry,))).frames == ("app.py f",)


def test_a_fingerprint_does_not_depend_on_the_process() -> None:
    program = (
        "from deadletter.event import Cause; from deadletter.fingerprint import fingerprint;"
        f"print(fingerprint(Cause({FUNCTION!r}, None, {ONLY_MESSAGE.error_message!r})).value)"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == value(ONLY_MESSAGE)


ids = st.tuples(st.uuids(), st.integers(0, 10**9), st.datetimes(), st.integers(0, 99_999))


def with_ids(uuid: object, number: int, moment: object, order: int) -> str:
    return f"order ord-{order} of {uuid} failed {number} times since {moment.isoformat()}Z"  # type: ignore[attr-defined]


@settings(max_examples=200, deadline=None)
@given(ids, ids)
def test_new_ids_and_times_make_no_new_group(one: tuple, other: tuple) -> None:
    assert value(Cause(FUNCTION, None, with_ids(*one))) == value(Cause(FUNCTION, None, with_ids(*other)))


texts = st.none() | st.text(max_size=200)
causes = st.builds(
    Cause,
    function_arn=st.none() | st.just(FUNCTION) | st.text(max_size=20),
    error_type=texts,
    error_message=texts,
    stack_trace=st.none() | st.lists(st.sampled_from(STACK) | st.text(max_size=80), max_size=4),
)


@settings(max_examples=200, deadline=None)
@given(causes, st.lists(causes, max_size=4))
def test_what_came_before_changes_nothing(cause: Cause, before: list[Cause]) -> None:
    first = fingerprint(cause)
    for each in before:
        fingerprint(each)
    assert fingerprint(cause) == first
    assert knows(first, first)


@settings(max_examples=200, deadline=None)
@given(causes, st.text(min_size=1, max_size=20))
def test_another_error_type_is_always_another_group(cause: Cause, error_type: str) -> None:
    typed = replace(cause, error_type=error_type)
    assert (value(typed) == value(cause)) == (error_type == cause.error_type)


@pytest.mark.parametrize(
    "hostile", ["a.b.", "a-", "1", "1.", "deadbeef", "=\"'", "http://.", "ab:", "/var/folders/", "a@", 'File "']
)
def test_a_mebibyte_of_anything_takes_no_time(hostile: str) -> None:
    text = hostile * (2**20 // len(hostile))
    made = fingerprint(Cause(FUNCTION, None, text, [text] * 3))
    assert made.masked is not None
    assert len(made.title) <= 81


def test_a_line_of_json_is_read_as_a_cause() -> None:
    line = {"error_type": "E", "error_message": None, "stack_trace": "  File", "function_arn": FUNCTION, "more": 1}
    assert cause_from(json.loads(json.dumps(line))) == Cause(FUNCTION, "E", None, ("  File",))
    assert cause_from({"stack_trace": ["a", "b"]}) == Cause(stack_trace=("a", "b"))
    assert cause_from({}) == Cause()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"error_type": 7}, "error_type is 7, and must be a text or null"),
        ({"stack_trace": [1]}, r"stack_trace is \[1\], and must be a text, a list of texts, or null"),
        ({"function_arn": {}}, "function_arn is {}"),
        (["x" * 99], r"Expected an object with error_type.*\.\.\."),
    ],
)
def test_a_line_that_is_no_cause_is_refused_with_a_sentence(fields: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        cause_from(fields)


def test_what_is_huge_is_not_kept_in_memory() -> None:
    def huge(number: int) -> Cause:
        line = '  File "/var/task/app.py", line {}, in step_{}\n    go({})\n'
        trace = tuple(line.format(n, n, f"{number}" * 300) for n in range(99))
        return Cause(error_type=f"E{number}" * 100_000, stack_trace=trace)

    fingerprint(huge(0))
    tracemalloc.start()
    for number in range(20):
        assert len(fingerprint(huge(number)).frames) == frames.MAX_FRAMES
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 3_000_000  # of 4 MB of names and 1 MB of traces
