"""No secret gets out, and nothing else changes."""

import json
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deadletter.redact import is_secret, redact_json, redact_text
from deadletter.secret_rules import MASK, SecretRules

SECRET_KEYS = [
    "password", "db_password", "userPassword", "PASSWD", "pwd", "secret", "clientSecret", "token", "accessToken",
    "X-Amz-Security-Token", "authorization", "Authorization", "api_key", "apiKey", "X-Api-Key", "aws_access_key_id",
    "private-key", "cookie", "Set-Cookie", "sessionId", "card", "cardNumber", "card_no", "credit_card", "cvv", "cvc",
    "pan", "pin", "ssn", "iban", "credentials", "passphrase", "SecretAccessKey", "jwt", "auth", "AccountNumber",
]  # fmt: skip
OPEN_KEYS = [
    "orderId", "total", "cardType", "company", "discard", "spanId", "pinned", "key", "author", "authorId", "monkey",
    "keyboard", "passenger", "compass", "side", "account", "accountNotes", "", "\ud800", "7",
]  # fmt: skip
CARD = "4242 4242 4242 4242"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_what_stands_under_a_secret_key_is_masked(key: str) -> None:
    assert is_secret(key)
    assert redact_json({key: "hunter2", "n": 1}) == {key: MASK, "n": 1}
    assert redact_text(f'{{"{key}": "hunter2"}}') == f'{{"{key}": "{MASK}"}}'
    assert "hunter2" not in redact_text(f"cannot log in: {key}=hunter2, sorry")


@pytest.mark.parametrize("key", OPEN_KEYS)
def test_a_key_that_only_looks_like_one_is_left_alone(key: str) -> None:
    assert not is_secret(key)
    assert redact_json({key: "visible"}) == {key: "visible"}


def test_the_operators_own_keys_are_secret_too() -> None:
    mine = SecretRules(frozenset({"customer_ref"}))
    assert redact_json({"customerRef": "r-1", "Customer-Ref": 2}, mine) == {"customerRef": MASK, "Customer-Ref": MASK}
    assert redact_text('{"customerRef": "r-1"}', mine) == f'{{"customerRef": "{MASK}"}}'
    assert redact_text("customer_ref=r-1", mine) == f"customer_ref={MASK}"
    assert redact_text("customer_ref=r-1") == "customer_ref=r-1"


def test_structure_under_a_secret_key_is_still_seen() -> None:
    card = {"card": {"number": 4242, "holder": {"name": "Jo"}, "tags": ["a", True, None]}, "qty": 2}
    masked = {"card": {"number": MASK, "holder": {"name": MASK}, "tags": [MASK, MASK, None]}, "qty": 2}
    assert redact_json(card) == masked
    assert json.loads(redact_text(json.dumps(card))) == masked


def test_nothing_but_the_secret_changes_in_json_text() -> None:
    text = '{ "total": 18.40,\n"big":1e400, "n": %s, "n":-0, "x":"\\u0041\\/",  "token" : "abc" }' % ("9" * 5000)
    assert redact_text(text) == text.replace('"abc"', f'"{MASK}"')


def test_json_within_strings_is_opened() -> None:
    inner = json.dumps({"password": "hunter2", "total": 1})
    text = json.dumps({"Records": [{"body": json.dumps({"Message": inner})}]})
    redacted = redact_text(text)
    assert "hunter2" not in redacted
    assert json.loads(json.loads(json.loads(redacted)["Records"][0]["body"])["Message"]) == {
        "password": MASK,
        "total": 1,
    }
    assert redact_json(json.loads(text)) == json.loads(redacted)


def test_json_nested_beyond_measure_is_masked_whole() -> None:
    text = '{"password": "hunter2"}'
    for _ in range(12):
        text = json.dumps([text])
    redacted = redact_text(text)
    assert MASK in redacted
    assert "hunter2" not in redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"card {CARD} declined", f"card {MASK} declined"),
        ("card 378282246310005 declined", f"card {MASK} declined"),
        (f"Authorization: Bearer {JWT}", f"Authorization: {MASK}"),
        ("got Bearer abc.def-123 back", f"got Bearer {MASK} back"),
        (f"decoded {JWT}!", f"decoded {MASK}!"),
        ("denied for AKIAIOSFODNN7EXAMPLE", f"denied for {MASK}"),
        ("postgres://app:hunter2@db:5432/x refused", f"postgres://app:{MASK}@db:5432/x refused"),
        ("GET /x?X-Amz-Signature=abc&b=1", f"GET /x?X-Amz-Signature={MASK}&b=1"),
        ("{'password': 'a b', 'n': 1}", f"{{'password': '{MASK}', 'n': 1}}"),
        ('said "api_key": "a \\" b" and left', f'said "api_key": "{MASK}" and left'),
        ("a.b" * 99 + ".password=hunter2", "a.b" * 99 + f".password={MASK}"),
        ("error: password=hunter2", f"error: password={MASK}"),
        ('refused {"card": {"number": "41", "holder": "J', f'refused {{"card": {MASK}'),
        ("refused {'card': {'number': 41}, 'n': 1}", f"refused {{'card': {MASK}, 'n': 1}}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest", f"{MASK}\nrest"),
        ("used sk_live_51Hunter2Hunter2", f"used {MASK}"),
    ],
)
def test_a_secret_in_plain_text_is_known_by_its_looks(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted
    assert redact_json([text]) == [redacted]


@pytest.mark.parametrize(
    "text",
    [
        "declined for order ord-7741: issuer answered 51",
        "4242 4242 4242 4241",
        "1789370133218",
        "49668712034512098765432109876543210987654321098765432194",
        "5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913",
        "Unexpected token < in JSON at position 0",
        "arn:aws:lambda:eu-west-1:210987654321:function:orders:live",
        "AROAV7QK3MZEXAMPLE22:awslambda_412_20260914071533218",
        "https://shop.example/orders?id=7",
        '{"total": 1789370133218, "ms": 17893701332180000}',
        "",
        "{",
        '"',
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert redact_text(text) == text


def test_a_card_that_is_a_number_is_masked_too() -> None:
    assert redact_json({"n": 4242424242424242, "m": 4242424242424241}) == {"n": MASK, "m": 4242424242424241}
    assert redact_text("[4242424242424242]") == f'["{MASK}"]'


def test_neither_depth_nor_size_is_an_error() -> None:
    deep: object = {"password": "hunter2"}
    for _ in range(50_000):
        deep = [deep]
    flat = redact_json(deep)
    for _ in range(50_000):
        deep, flat = deep[0], flat[0]  # type: ignore[index]
    assert flat == {"password": MASK}
    assert deep == {"password": "hunter2"}
    assert redact_text("[" * 50_000 + '{"pin":1}' + "]" * 50_000).count(MASK) == 1
    assert redact_text('{"password":' * 20_000) == f'{{"password":{MASK}'


def test_the_value_that_was_given_is_not_changed() -> None:
    given_value = {"password": "hunter2", "list": [{"token": "t"}]}
    redact_json(given_value)
    assert given_value == {"password": "hunter2", "list": [{"token": "t"}]}


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
plain = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(OPEN_KEYS), inner, max_size=3),
    max_leaves=12,
)
MARK = "Zq9hunter2Zq"
secrets = st.recursive(
    st.text(max_size=5).map(lambda text: f"{MARK}{text}") | st.just(f'{{"a": "{MARK}"}}') | st.just(f'"{MARK}'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(OPEN_KEYS), inner, max_size=3),
    max_leaves=6,
)
with_secrets = st.recursive(
    plain | st.dictionaries(st.sampled_from(SECRET_KEYS), secrets, min_size=1, max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(OPEN_KEYS), inner | inner.map(json.dumps), max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(with_secrets, st.sampled_from([None, 1]))
def test_no_value_under_a_secret_key_gets_out(value: object, indent: int | None) -> None:
    assert MARK not in redact_text(json.dumps(value, indent=indent))
    assert MARK not in json.dumps(redact_json(value))


@settings(max_examples=150, deadline=None)
@given(plain)
def test_json_without_secrets_comes_back_as_it_was(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assume(not re.search(r"\d{13}|[=:]", "".join(re.findall(r'"[^"]*"', text))))
    assert redact_text(text) == text
    assert redact_json(value) == value


@settings(max_examples=150, deadline=None)
@given(with_secrets)
def test_masked_json_is_json_of_the_same_shape(value: object) -> None:
    assert shape(json.loads(redact_text(json.dumps(value)))) == shape(value)
    assert shape(redact_json(value)) == shape(value)


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return [shape(part) for part in value] if isinstance(value, list) else None


anything = st.text() | st.lists(st.sampled_from(['{"', '"', ":", "password", "=", "\\", "Bearer ", "}", "[", "x"])).map(
    "".join
)


@settings(max_examples=150, deadline=None)
@given(anything, anything)
def test_whatever_stands_around_it_a_password_does_not_get_out(before: str, after: str) -> None:
    assert MARK not in redact_text(f"{before} password={MARK} {after}")
