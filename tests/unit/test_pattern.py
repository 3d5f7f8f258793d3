"""Which rules of a bus an event matches: as AWS's guide says, and where that is not known, that it is not."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.event import Json
from deadletter.pattern import as_put, matches

EVENT = {
    "source": "shop.orders",
    "detail-type": "Order placed",
    "resources": ["arn:aws:s3:::a", "arn:aws:s3:::b"],
    "detail": {"total": 18.4, "state": "open", "tags": ["x", "y"], "paid": True, "ip": "10.0.0.7", "lines": [{"n": 1}]},
}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ({}, True),
        ({"source": ["shop.orders", "other"]}, True),
        ({"source": ["other"]}, False),
        ({"source": ["shop.orders"], "detail": {"state": ["closed"]}}, False),
        ({"source": [{"prefix": "shop."}]}, True),
        ({"source": [{"prefix": {"equals-ignore-case": "SHOP."}}]}, True),
        ({"source": [{"suffix": ".orders"}]}, True),
        ({"detail-type": [{"equals-ignore-case": "ORDER PLACED"}]}, True),
        ({"source": [{"wildcard": "shop.*ers"}]}, True),
        ({"source": [{"wildcard": "shop\\*"}]}, False),
        ({"source": [{"wildcard": "*shop.*s"}]}, True),
        ({"source": [{"wildcard": "shop.orders*orders"}]}, False),
        ({"detail": {"state": [{"anything-but": "open"}]}}, False),
        ({"detail": {"state": [{"anything-but": ["closed", "gone"]}]}}, True),
        ({"detail": {"state": [{"anything-but": {"prefix": "cl"}}]}}, True),
        ({"detail": {"state": [{"anything-but": {"prefix": ["op", "x"]}}]}}, False),
        ({"detail": {"tags": [{"anything-but": "x"}]}}, None),
        ({"detail": {"gone": [{"anything-but": "x"}]}}, False),
        ({"detail": {"total": [{"numeric": [">", 10, "<=", 18.4]}]}}, True),
        ({"detail": {"total": [{"numeric": ["<", 10]}]}}, False),
        ({"detail": {"total": [{"numeric": ["~", 10]}]}}, None),
        ({"detail": {"total": [18.4]}}, True),
        ({"detail": {"paid": [True]}}, True),
        ({"detail": {"paid": [1]}}, False),
        ({"detail": {"tags": ["y", "z"]}}, True),
        ({"detail": {"lines": {"n": [1]}}}, True),
        ({"detail": {"lines": {"n": [2]}}}, False),
        ({"detail": {"gone": [{"exists": False}]}}, True),
        ({"detail": {"state": [{"exists": False}]}}, False),
        ({"detail": {"deep": {"er": [{"exists": False}]}}}, True),
        ({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}, True),
        ({"detail": {"ip": [{"cidr": "10.0.1.0/24"}]}}, False),
        ({"detail": {"state": [{"cidr": "10.0.1.0/24"}]}}, False),
        ({"resources": ["arn:aws:s3:::b"]}, True),
        ({"$or": [{"source": ["other"]}, {"detail": {"state": ["open"]}}]}, True),
        ({"$or": [{"source": ["other"]}, {"detail": {"state": ["shut"]}}]}, False),
        ({"detail": {"$or": [{"state": ["open"]}, {"total": [0]}]}}, True),
        ({"source": [{"sounds-like": "shop"}]}, None),
        ({"source": [{"sounds-like": "shop"}], "detail": {"state": ["shut"]}}, False),
        ({"account": ["123456789012"]}, None),
        ({"id": ["x"], "source": ["other"]}, False),
    ],
    ids=json.dumps,
)
def test_a_pattern_matches_as_the_guide_says(pattern: dict[str, Any], found: bool | None) -> None:  # noqa: FBT001
    assert matches(json.dumps(pattern), EVENT) is found


def test_what_is_no_pattern_is_not_known() -> None:
    assert [matches(text, EVENT) for text in ("", "[]", "{", '"x"')] == [None] * 4


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
OPERATORS = st.sampled_from(["prefix", "suffix", "wildcard", "anything-but", "numeric", "cidr", "exists", "$or", "x"])
PATTERNS = st.dictionaries(
    st.sampled_from(["source", "detail", "state", "$or"]), JSON | st.lists(st.dictionaries(OPERATORS, JSON, max_size=1))
)


@given(PATTERNS, JSON)
def test_any_pattern_and_any_event_have_an_answer(pattern: dict[str, Json], detail: Json) -> None:
    assert matches(json.dumps(pattern), {**EVENT, "detail": detail}) in {True, False, None}


def test_what_a_bus_would_not_take_is_no_event_and_what_it_sets_itself_is_left_out() -> None:
    assert [as_put(text) for text in ("", "[]", '{"detail": {}}', '{"source": "s"}')] == [None] * 4
    put = as_put('{"id": "1", "time": "t", "source": "s", "detail-type": "d", "detail": {"a": 1}}')
    assert put == {"source": "s", "detail-type": "d", "detail": {"a": 1}, "resources": []}


@given(st.lists(st.sampled_from(["a", "b", "*"]), max_size=6), st.text("ab", max_size=8))
def test_a_wildcard_matches_what_the_same_regular_expression_does(wanted: list[str], value: str) -> None:
    same = "".join(".*" if part == "*" else part for part in wanted)
    expected = re.fullmatch(same, value) is not None
    assert matches(json.dumps({"source": [{"wildcard": "".join(wanted)}]}), {"source": value}) is expected


def test_a_wildcard_takes_no_long_look_at_a_hostile_text() -> None:
    pattern = json.dumps({"source": [{"wildcard": "*a" * 60 + "b"}]})
    assert matches(pattern, {"source": "a" * 100_000}) is False
