"""Slices are exact, and nothing is too deep, too long or too broken for them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.jsontext import MAX_DEPTH, decode, members

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=5), st.sampled_from([None, 0, 2]), st.booleans())
def test_members_are_the_slices_that_decode_to_the_values(value: dict, indent: int | None, ascii_only: bool) -> None:  # noqa: FBT001 - drawn, not chosen
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = members(text)
    assert {name: json.loads(part) for name, part in found.items()} == value
    assert all(part in text for part in found.values())


def test_the_last_of_equal_names_wins() -> None:
    assert members('{"a": 1, "a" : 2.50 }') == {"a": "2.50"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '"{}"',
        "{",
        '{"a"',
        '{"a":',
        '{"a":}',
        '{"a":1',
        '{"a":1}x',
        '{"a":[1}',
        "{a:1}",
        '{"a":1,}',
        '{"a":"',
    ],
)
def test_what_is_no_object_has_no_members(text: str) -> None:
    assert members(text) == {}


def test_an_empty_object_has_none_either() -> None:
    assert members(" { } ") == {}


@given(st.text(alphabet='{}[]":,\\ a1') | st.text())
def test_no_text_is_an_error(text: str) -> None:
    assert all(value in text for value in members(text).values())
    is_json, value = decode(text)
    assert is_json or value is None


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e400", "-1e400", "9" * 5000, "{'a': 1}", '"\x00"', "[1,]", ""])
def test_what_cannot_be_written_again_is_not_decoded(text: str) -> None:
    assert decode(text) == (False, None)


def test_depth_is_a_number_and_not_the_callers_stack() -> None:
    assert decode("[" * MAX_DEPTH + "]" * MAX_DEPTH)[0]
    assert not decode("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))[0]
    assert decode(json.dumps(["[" * 1000, {"{": "{" * 1000}]))[0]
    assert decode(json.dumps([[]] * 1000))[0]
