"""Edits change what they say and nothing else: numbers stay as written, secrets whole, masks are never sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.editing import diff, editable, parse_transform, read_edited, with_payload, without_payload
from deadletter.editing.payload import payload_of
from deadletter.errors import BadInput
from deadletter.event import Producer
from deadletter.expressions import CannotApply
from deadletter.rebuild import rebuild
from deadletter.route import Route, Supplement
from deadletter.secret_rules import MASK
from tests.factories import TARGET, make_event, make_message

CARDS = '{"cards":[{"card":"4111111111111111"},{"card":"5500000000000004"}],"amount":18.40}'
texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(["password", "token", "card"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=json_values)
def test_a_form_that_is_sent_back_unchanged_changes_nothing(value: Any) -> None:
    text = json.dumps(value)
    assert json.loads(read_edited(editable(text), text)) == value


def test_numbers_stay_as_they_were_written() -> None:
    assert '"amount": 18.40' in read_edited(editable(CARDS), CARDS)
    patched = parse_transform('[{"op": "add", "path": "/note", "value": 1.50}]').apply(CARDS)
    assert patched is not None
    assert '"amount": 18.40' in patched
    assert '"note": 1.50' in patched


def test_a_form_never_shows_a_secret() -> None:
    assert "4111111111111111" not in editable(CARDS)
    assert MASK in editable(CARDS)


def test_a_masked_value_may_move_and_stays_itself() -> None:
    form = json.loads(editable(CARDS))
    form["cards"].reverse()
    assert json.loads(read_edited(json.dumps(form), CARDS))["cards"] == [
        {"card": "5500000000000004"},
        {"card": "4111111111111111"},
    ]


def test_a_masked_value_may_be_replaced() -> None:
    form = json.loads(editable(CARDS))
    form["cards"][0]["card"] = "new"
    cards = json.loads(read_edited(json.dumps(form), CARDS))["cards"]
    assert [each["card"] for each in cards] == ["new", "5500000000000004"]


@pytest.mark.parametrize("mask", [MASK, f"{MASK}#9", f"x{MASK}#1"])
def test_a_mask_that_stands_for_nothing_is_refused_with_its_place(mask: str) -> None:
    with pytest.raises(BadInput, match=r"At \$\.cards\[0\]\.card stands a mask"):
        read_edited(json.dumps({"cards": [{"card": mask}]}), CARDS)


def test_what_is_no_json_is_refused_with_line_and_column() -> None:
    with pytest.raises(BadInput, match="line 2, column 8"):
        read_edited('{\n  "a": }', "{}")


def test_text_that_hides_a_secret_cannot_be_edited() -> None:
    with pytest.raises(BadInput, match="not JSON and holds a secret"):
        editable("login password=hunter22 please")
    assert editable("just words") == "just words"
    assert read_edited("other words", "just words") == "other words"
    with pytest.raises(BadInput, match="mask"):
        read_edited(f"other {MASK}", "just words")


def test_a_jmespath_transform_makes_the_new_payload() -> None:
    changed = parse_transform("merge(@, {currency: 'EUR'})").apply('{"orderId": "ord-1", "amount": 1.10}')
    assert changed == '{"orderId": "ord-1", "amount": 1.10, "currency": "EUR"}'


def test_a_transform_says_where_it_changes_nothing() -> None:
    patch = parse_transform('[{"op": "replace", "path": "/currency", "value": "EUR"}]')
    assert patch.apply('{"currency": "EUR"}') is None
    assert patch.apply('{"currency": "USD"}') == '{"currency": "EUR"}'
    assert parse_transform('[{"op": "replace", "path": "/n", "value": true}]').apply('{"n": 1}') == '{"n": true}'


@pytest.mark.parametrize("payload", ["{}", "[]", "3", "not json", '{"currency": {}}'])
def test_a_transform_that_does_not_fit_an_event_says_why(payload: str) -> None:
    patch = parse_transform('[{"op": "test", "path": "/currency", "value": "USD"}]')
    with pytest.raises(CannotApply):
        patch.apply(payload)


def test_an_expression_that_finds_nothing_does_not_send_null() -> None:
    with pytest.raises(CannotApply, match="null"):
        parse_transform("detail").apply("{}")


@pytest.mark.parametrize(
    "text", ["", "nope(", '{"op": "add", "path": "/a", "value": 1}', '[{"op": "nope", "path": "/a"}]', f"'{MASK}'"]
)
def test_what_is_no_transform_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_transform(text)


def test_a_diff_shows_what_changed_and_no_secret() -> None:
    shown = diff(CARDS, CARDS.replace("18.40", "19.40"))
    assert [(line.kind, line.text.strip()) for line in shown.lines if line.kind in {"added", "removed"}] == [
        ("removed", '"amount": 18.40'),
        ("added", '"amount": 19.40'),
    ]
    assert "4111111111111111" not in str(shown)


def test_a_diff_says_that_something_hidden_changed() -> None:
    shown = diff(CARDS, CARDS.replace("4111111111111111", "4012888888881881"))
    assert (shown.lines, shown.secret_changed, shown.is_empty) == ((), True, False)
    assert diff(CARDS, CARDS).is_empty


def test_an_edit_takes_the_place_of_what_the_record_holds() -> None:
    moved = make_event(producer=Producer.SQS_REDRIVE, payload_text="{}")
    message, event = with_payload(make_message("{}"), moved, '{"a":1}')
    assert (message.body, event.payload_text) == ('{"a":1}', '{"a":1}')
    message, event = with_payload(make_message("record"), make_event(), '{"a":1}')
    assert (message.body, event.payload_text) == ("record", '{"a":1}')
    assert payload_of(message, event) == '{"a":1}'


def test_an_edited_notification_carries_the_edit_within() -> None:
    notified = make_event(producer=Producer.SNS_SUBSCRIPTION, payload_text="{}")
    message, _ = with_payload(make_message('{"Type": "Notification", "Message": "{}"}'), notified, '{"a":1}')
    assert json.loads(message.body) == {"Type": "Notification", "Message": '{"a":1}'}
    assert with_payload(make_message("{}"), notified, '{"a":1}')[0].body == '{"a":1}'


def test_an_edit_takes_the_place_of_what_was_fetched_or_looked_up() -> None:
    pointer, message = make_event(payload_text=None), make_message("record")
    part = make_event(producer=Producer.SCHEDULER, payload_text="[2", truncated=True)
    fetched = Supplement("[1]", Route(target=TARGET, payload_text=None))
    cut = Supplement(None, Route(target=TARGET, payload_text="[2]"))
    told = [payload_of(message, *each) for each in ((pointer, None), (pointer, fetched), (part, cut))]
    assert told == [None, "[1]", "[2]"]
    for event, supplement in ((pointer, fetched), (part, cut)):
        made = rebuild(
            *with_payload(message, event, "[3]"),
            TARGET,
            key=1,
            deduplication_id="d",
            supplement=without_payload(supplement, "[3]"),
        )
        assert made.payload == "[3]"
    assert without_payload(cut, None) is cut
