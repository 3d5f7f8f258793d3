"""The key that we compute is the key that Powertools computes, for any event that a handler can get."""

import base64
import gzip
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from hypothesis import given
from hypothesis import strategies as st

from deadletter.errors import BadInput
from deadletter.expressions import MAX_UNPACKED, CannotApply, compile_expression
from deadletter.preflight import KeyRules, Rules, keys_of, validation_of

PREFIX = "orders-ingest.app.lambda_handler"
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
PATHS = (
    "",
    "orderId",
    "[orderId, customer.id]",
    "{order: orderId, customer: customer.id}",
    "powertools_json(body)",
    "powertools_json(body).orderId",
    "powertools_base64(packed)",
    "powertools_base64_gzip(zipped)",
    "Records[*].powertools_json(body)",
    "Records[0].Sns.Message | powertools_json(@)",
    "detail",
    "Records[*].kinesis.powertools_json(powertools_base64(data))",
    "length(Records)",
)


class Layer(BasePersistenceLayer):
    """Powertools' own code, without a table behind it."""

    def _nothing(self, *_: Any) -> Any:
        raise NotImplementedError

    _get_record = _put_record = _update_record = _delete_record = _nothing


def theirs(event: Any, **config: Any) -> Callable[[], str | None]:
    layer = Layer()
    layer.configure(IdempotencyConfig(**config), key_prefix=PREFIX)

    def key() -> str | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: str | None = layer._get_hashed_idempotency_key(event)  # noqa: SLF001 - what the handler calls
            return found

    return key


def ours(event: Any, path: str, **given: Any) -> str | None:
    rules = KeyRules.of(Rules(table="t", prefix=PREFIX, key_path=path, **given))
    return keys_of(event, rules)[0][0]


def packed(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


events = st.builds(
    lambda **parts: {name: value for name, value in parts.items() if value != "left out"},
    orderId=anything | st.just("left out"),
    customer=anything | st.builds(lambda each: {"id": each}, anything),
    body=anything.map(json.dumps) | st.text(max_size=5) | st.just("left out"),
    packed=st.text().map(lambda text: base64.b64encode(text.encode("utf-8", "replace")).decode()),
    zipped=anything.map(packed) | st.text(max_size=5),
    detail=anything,
    Records=st.lists(
        st.fixed_dictionaries(
            {
                "body": anything.map(json.dumps),
                "Sns": st.fixed_dictionaries({"Message": anything.map(json.dumps)}),
                "kinesis": st.fixed_dictionaries(
                    {"data": anything.map(lambda each: base64.b64encode(json.dumps(each).encode()).decode())}
                ),
            }
        ),
        max_size=2,
    ),
)


@given(event=events | anything, path=st.sampled_from(PATHS))
def test_any_events_key_is_the_one_that_powertools_computes(event: Any, path: str) -> None:
    their_key = theirs(event, event_key_jmespath=path)
    try:
        expected = their_key()
    except Exception:  # noqa: BLE001 - whatever the handler would raise, we say that it would
        with pytest.raises(CannotApply):
            ours(event, path)
        return
    assert ours(event, path) == expected


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512", "blake2b"])
def test_any_hash_function_gives_the_key_that_powertools_gives(name: str) -> None:
    event = {"orderId": "ord-ä", "amount": 18.40}
    assert ours(event, "", hash_function=name) == theirs(event, hash_function=name)()


@given(event=events)
def test_each_record_of_a_batch_has_the_key_of_the_function_that_gets_it(event: Any) -> None:
    rules = KeyRules.of(
        Rules(table="t", prefix=PREFIX, data_path="Records[*].powertools_json(body)", key_path="to_string(@)")
    )
    handed = [json.loads(record["body"]) for record in event["Records"]]
    expected = [theirs(each, event_key_jmespath="to_string(@)")() for each in handed if each is not None]
    assert [key for key, _ in keys_of(event, rules)] == expected


@given(event=events)
def test_a_payloads_validation_hash_is_the_one_that_powertools_stores(event: Any) -> None:
    layer = Layer()
    layer.configure(IdempotencyConfig(payload_validation_jmespath="[customer, detail]"), key_prefix=PREFIX)
    rules = KeyRules.of(Rules(table="t", prefix=PREFIX, validation_path="[customer, detail]"))
    assert validation_of(event, rules) == layer._get_hashed_payload(event)  # noqa: SLF001 - what the handler calls


def test_the_recorded_item_has_our_key_under_its_id() -> None:
    rules = KeyRules.of(Rules(table="t", prefix=PREFIX, key_path="orderId"))
    assert keys_of({"orderId": "ord-1"}, rules)[0][0] == f"{PREFIX}#{theirs_digest('ord-1')}"


def theirs_digest(value: str) -> str:
    key = theirs({"orderId": value}, event_key_jmespath="orderId")()
    assert key is not None
    return key.partition("#")[2]


def test_what_unpacks_without_end_is_refused() -> None:
    bomb = base64.b64encode(gzip.compress(b"0" * (MAX_UNPACKED + 1))).decode()
    with pytest.raises(CannotApply, match="larger than"):
        compile_expression("powertools_base64_gzip(@)")(bomb)


@pytest.mark.parametrize("path", ["orderId[", "nope(@", "a" * 5_000, "("])
def test_what_is_no_expression_is_refused_in_a_sentence(path: str) -> None:
    with pytest.raises(BadInput, match="expression"):
        KeyRules.of(Rules(table="t", prefix=PREFIX, key_path=path))


def test_a_hash_that_has_no_one_length_is_refused() -> None:
    with pytest.raises(BadInput, match="must be one of"):
        KeyRules.of(Rules(table="t", prefix=PREFIX, hash_function="shake_128"))
