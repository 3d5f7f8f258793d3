"""Searching finds what people type, in both databases alike."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.filters import EventFilter
from deadletter.store import read, write
from deadletter.store.queries import count_events, count_groups, list_events, list_groups
from deadletter.store.words import MAX_CHARS, words_of
from tests.factories import NOW, make_event, make_parsed, store_some


def labels(session: Session, text: str) -> set[str | None]:
    return {row.label for row in list_events(session, EventFilter(text=text)).rows}


@pytest.fixture
def shop(engine: Engine) -> Engine:
    """Three events: ord-7741 and ord-77 were declined, ord-8812 was slow."""
    facts = [
        ("ord-7741", "PaymentError", "card was declined by Crédit Agricole", "BLUE-9 kettle"),
        ("ord-77", "PaymentError", "card was declined", "lamp 7741"),
        ("ord-8812", "TimeoutError", "no answer from https://pay.example.com/v1/charge", "naïve Straße 東京"),
    ]
    with write(engine) as session:
        for label, error_type, message, item in facts:
            payload = f'{{"order_id": "{label}", "items": ["{item}"]}}'
            store_some(session, make_parsed(error_type=error_type, error_message=message, payload_text=payload))
    return engine


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ord-7741", {"ord-7741"}),
        ("ord-77", {"ord-7741", "ord-77"}),
        ("ord-774", {"ord-7741"}),
        ("7741", {"ord-7741", "ord-77"}),
        ("declined", {"ord-7741", "ord-77"}),
        ("DECLINED card", {"ord-7741", "ord-77"}),
        ("declined lamp", {"ord-77"}),
        ("paymenterr", {"ord-7741", "ord-77"}),
        ("pay.example.com/v1", {"ord-8812"}),
        ("credit", {"ord-7741"}),
        ("strasse", {"ord-8812"}),
        ("東京", {"ord-8812"}),
        ("payment error", set()),
        ("lined", set()),
        ("kettle lamp", set()),
        ("!!!", set()),
        ('"', set()),
    ],
)
def test_each_word_must_occur_and_the_last_may_be_unfinished(shop: Engine, text: str, found: set[str]) -> None:
    with read(shop) as session:
        assert labels(session, text) == found
        assert count_events(session, EventFilter(text=text)).n == len(found)


def test_an_event_is_found_by_its_request_id(shop: Engine) -> None:
    with write(shop) as session:
        event = make_event(request_id="5f3c1a2b-77aa-4c1d-9e55-0123456789ab", payload_text='{"id": "one"}')
        store_some(session, make_parsed(event))
        assert labels(session, "5f3c1a2b-77aa-4c1d-9e55-0123456789ab") == {"one"}
        assert labels(session, "5f3c1a2b-77aa-4c1e") == set()


def test_groups_are_found_by_their_own_words_and_by_their_events(shop: Engine) -> None:
    with read(shop) as session:
        for text, types in (("orders-capture", {"PaymentError", "TimeoutError"}), ("ord-8812", {"TimeoutError"})):
            rows = list_groups(session, EventFilter(text=text), now=NOW).rows
            assert {row.error_type for row in rows} == types
            assert sum(count_groups(session, EventFilter(text=text)).values()) == len(rows)


HOSTILE = [
    "'",
    '"',
    '"a',
    "a AND",
    "NOT b",
    "NEAR(a b)",
    "a*",
    "words:a",
    "(",
    "a & b",
    "a | !b",
    "<->",
    ":*",
    "\\",
    "%",
    "_",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_operators_are_only_text(shop: Engine, text: str) -> None:
    with read(shop) as session:
        events = list_events(session, EventFilter(text=text)).rows
        groups = list_groups(session, EventFilter(text=text), now=NOW).rows
    assert {event.group_id for event in events} <= {group.id for group in groups}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=60))
def test_no_text_is_an_error_and_what_is_stored_is_found(session: Session, text: str) -> None:
    store_some(session, make_parsed(error_message=text, payload_text=f'{{"note": "{text}"}}'))
    found = list_events(session, EventFilter(text=text)).rows
    assert bool(found) is bool(words_of(text))


def test_only_the_beginning_of_a_payload_is_searched(session: Session) -> None:
    store_some(session, make_parsed(payload_text="early " + "x" * MAX_CHARS + " late"))
    assert len(list_events(session, EventFilter(text="early")).rows) == 1
    assert list_events(session, EventFilter(text="late")).rows == []


def test_hits_are_paged_the_latest_stored_first(session: Session) -> None:
    for _ in range(5):
        store_some(session, make_parsed(error_message="card was declined"))
    seen: list[int] = []
    cursor = None
    while True:
        page = list_events(session, EventFilter(text="declined"), cursor=cursor, limit=2)
        seen += [row.id for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5
