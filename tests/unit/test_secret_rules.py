"""A house's own secrets: what its patterns mask, and which of them are refused before they could take forever."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.errors import BadInput
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import MASK, MOST_WORK, read_rules

RULES = read_rules(
    ["loyalty_no"], "(?i)^x-.{1,20}-ref$\nbadge", r"KD-\d{4}-\d{2}" + "\n" + r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b"
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"a": "for KD-4711-99, twice"}', f'{{"a": "for {MASK}, twice"}}'),
        ('{"a": 18.40, "X-Shop-Ref": 7}', f'{{"a": 18.40, "X-Shop-Ref": "{MASK}"}}'),
        ("card declined for KD-4711-99 and DE89370400440532013000", f"card declined for {MASK} and {MASK}"),
        ("badgeCode=swordfish loyaltyNo=5", f"badgeCode={MASK} loyaltyNo={MASK}"),
        (r'{"inner": "{\"to\": \"KD-4711-99\"}"}', rf'{{"inner": "{{\"to\": \"{MASK}\"}}"}}'),
        ("KD-4711-9 is none", "KD-4711-9 is none"),
        ('{"KD-4711-99": true}', '{"KD-4711-99": true}'),  # names of keys are no values
    ],
)
def test_values_and_names_are_masked_by_pattern(text: str, masked: str) -> None:
    assert redact_text(text, RULES) == masked


def test_a_number_that_fits_is_masked_as_a_whole() -> None:
    rules = read_rules([], "", r"^4711\d{3}$")
    assert redact_json({"no": 4711000, "n": 47110001, "yes": True}, rules) == {"no": MASK, "n": 47110001, "yes": True}
    assert redact_text('{"no": 4711000, "yes": true}', rules) == f'{{"no": "{MASK}", "yes": true}}'


def test_a_short_text_is_looked_at_too() -> None:
    assert redact_text("A1", read_rules([], "", r"A\d")) == MASK


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("[", "which is no regular expression: unterminated character set"),
        (r"\d+", "a repeat has no end"),
        ("(a*)*b", "a repeat has no end"),
        (r"\d{1,5000}", "or one above 1,000"),
        ("(a{0,50}){0,50}b", "more than 10,000 steps for each character"),
        ("(a|a){40}b", "more than 10,000 steps for each character"),
        (r"(\w)\1", "refers back"),
        ("x?", "fits an empty text"),
        ("a" * 501, "501 characters"),
    ],
)
@pytest.mark.parametrize("place", ["names", "values"])
def test_a_pattern_that_is_none_or_could_take_forever_is_refused(pattern: str, says: str, place: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_rules([], **{"names": "", "values": ""} | {place: pattern})
    assert says in str(refused.value)
    assert ("REDRIVE_SECRET_VALUES" if place == "values" else "REDRIVE_SECRET_KEY_PATTERNS") in str(refused.value)


def test_there_are_not_too_many_patterns() -> None:
    with pytest.raises(BadInput, match="has 101 patterns"):
        read_rules([], "", "\n".join(f"abc{n}" for n in range(101)))


def test_what_no_pattern_had_the_steps_for_is_masked_unseen() -> None:
    rules = read_rules([], "", r"[\w.+-]{1,64}@[\w.-]{1,100}")
    long = "a" * 1_000_000
    assert redact_text(long, rules) == long  # without what it needs, a text costs nothing
    address = "ann@example.com"
    most = MOST_WORK // (rules.values[0].steps * len(address))
    masked = redact_json(["the end @ ann", *["a@" + "-" * 13] * most, address], rules)
    assert (masked[0], masked[-1]) == (MASK, MASK)  # the last was looked at first
    began = time.monotonic()
    assert redact_text("@" * 1_000_000, rules) == MASK
    assert time.monotonic() - began < 60


def test_names_that_no_pattern_had_the_steps_for_hide_what_stands_under_them() -> None:
    rules = read_rules([], r"(?i)x.{0,40}y.{0,40}z", "")
    (name,) = rules.names
    key = "x" * 1_000
    most = MOST_WORK // (name.steps * len(key))
    began = time.monotonic()
    masked = redact_json({f"{key}{n}": "shown" for n in range(most + 2)}, rules)
    assert set(masked.values()) == {"shown", MASK}
    assert time.monotonic() - began < 60


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_and_its_text_are_masked_alike(value: object) -> None:
    assert json.loads(redact_text(json.dumps([value]), RULES)) == redact_json([value], RULES)
