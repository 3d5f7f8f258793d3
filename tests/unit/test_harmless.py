"""What is said to be harmless is what masking would leave as it is: proven on texts made of what secrets look like."""

import gc
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.harmless import Harmless
from deadletter.jsontext import decode
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import NO_RULES, SecretRules, read_rules

RULES = {
    "none": NO_RULES,
    "keys": SecretRules(frozenset({"customer_ref"})),
    "patterns": read_rules(["loyalty"], "^x_[a-z]{1,9}$", "CUST-[0-9]{4}\n[0-9]{3}-[0-9]{2}-[0-9]{4}"),
    "a pattern of numbers": read_rules([], "", "77[0-9]{2}"),
}
NAMES = st.sampled_from(
    ["orderId", "n", "", "my pin", "card", "api key", "apiKey", ":token", "customerRef", "x_ref", "a:b", "pass_word"]
)
PIECES = st.sampled_from(
    [
        *("Bearer abcdefghijkl", "Basic\tdXNlcjpwYXNz", "eyJhbGciOiJ.eyJzdWIi.c2ln", "AKIAIOSFODNN7EXAMPLE", "ASIA"),
        *("4242 4242 4242 4242", "4242--4242-4242-4242", "4242424242424242", "sk_live_12345678", "xoxb-1234567890"),
        *(
            "ghp_abcdefghijklmnopqrst",
            "-----BEGIN RSA PRIVATE KEY-----",
            "https://u:p@h/",
            "pin=1",
            "token: x",
            "pwd =",
        ),
        *(
            '{"pin": "1"}',
            '{"pin": 1, "pin": null}',
            "[4242--4242-4242-4242]",
            "{",
            "[",
            '"',
            "\\",
            "\n",
            "é",
            "\ud800",
        ),
        *("CUST-1234", "123-45-6789", "7712", "a", " ", ":", "=", "2026-11-23T02:00:00Z", "arn:aws:sqs:eu-west-1:1:q"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=4).map("".join)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([4242424242424242, -4242424242424242, 1.5, 7712])
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """JSON as people write it: with and without escapes and blanks, and with a name twice."""
    value = draw(VALUES)
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    if isinstance(value, dict) and draw(st.booleans()):
        twice = {draw(NAMES): draw(VALUES)}
        text = f"{json.dumps(twice, ensure_ascii=False)[:-1]},{text[1:]}" if value else text
    return text


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=150)
@given(text=json_texts() | TEXTS)
def test_masking_changes_nothing_in_what_is_said_to_be_harmless(name: str, text: str) -> None:
    rules, harmless = RULES[name], Harmless(RULES[name])
    is_json, value = decode(text)
    for _ in range(2):  # what was learnt of names the first time holds the second time
        if is_json and harmless.is_json(text):
            assert redact_text(text, rules) == text
            assert redact_json(value, rules) == value
        if is_json and harmless.is_value(text, value):
            assert redact_json(value, rules) == value
        if harmless.is_text(text):
            assert redact_text(text, rules) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"orderId": "ord-1", "items": [{"sku": "a-1", "n": 2}], "note": "as usual", "paid": true}',
        '{"at": "2026-11-23T02:00:00Z", "queue": "arn:aws:sqs:eu-west-1:123456789012:orders", "a=b": null}',
        "[]",
        '{"": 18.40, "caf\u00e9": "\u00fc"}',
    ],
)
def test_an_everyday_payload_is_harmless(text: str) -> None:
    assert Harmless(NO_RULES).is_json(text)
    assert Harmless(RULES["keys"]).is_json(text)
    assert Harmless(NO_RULES).is_value(text, json.loads(text))


def test_escapes_are_read_before_they_are_called_harmless() -> None:
    text = json.dumps({"note": "line one\nline two", "inner": '{"n": 1}', "who": "J\u00f6rg"})
    assert not Harmless(NO_RULES).is_json(text)
    assert not Harmless(NO_RULES).is_json('{"p\\u0069n": "1"}')
    assert not Harmless(NO_RULES).is_value(text, {"inner": '{"pin": 1, "pin": null}'})
    assert Harmless(NO_RULES).is_value(text, json.loads(text))


def test_a_house_whose_patterns_could_find_anything_has_everything_looked_at() -> None:
    assert not Harmless(RULES["a pattern of numbers"]).is_json('{"n": 1}')
    assert not Harmless(RULES["patterns"]).is_text("CUST-12")
    assert Harmless(read_rules([], "", "CUST-[0-9]{4}")).is_text("an everyday message")


def test_a_text_that_is_too_long_for_its_rules_is_never_called_harmless() -> None:
    slow = read_rules([], "ref[a-z]{1,900}$", "")
    assert Harmless(slow).is_text("short")
    assert not Harmless(slow).is_text("x " * 100_000)


def test_names_that_payloads_make_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deadletter.harmless._MOST_KNOWN", 1_000)
    harmless = Harmless(NO_RULES)
    peaks = []
    for start in (0, 5_000, 10_000):
        tracemalloc.start()
        for first in range(start, start + 5_000, 1_000):
            assert harmless.is_json(json.dumps({f"k{n}x": n for n in range(first, first + 1_000)}))
        gc.collect()
        peaks.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert max(peaks) < 1_000_000
