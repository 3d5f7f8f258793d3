from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deadletter.errors import BadInput
from deadletter.event import Producer
from deadletter.filters import EventFilter, read_time
from deadletter.outcome import EventStatus

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def words() -> st.SearchStrategy[str]:
    """Any text that means something once its edges are trimmed, as a form field would hold it."""
    anything = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))
    return anything.map(str.strip).filter(bool)


def moments() -> st.SearchStrategy[datetime]:
    offsets = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
        lambda d: timezone(timedelta(minutes=d.seconds // 60))
    )
    return st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=offsets)  # noqa: DTZ001 - zones come beside


def filters() -> st.SearchStrategy[EventFilter]:
    maybe = {
        "status": st.sampled_from(EventStatus),
        "group": st.integers(0, 10**18 - 1),
        "groups": st.lists(st.integers(0, 999), min_size=1, unique=True).map(lambda ids: tuple(sorted(ids))),
        "source": st.integers(0, 10**18 - 1),
        "function": words(),
        "error_type": words(),
        "producer": st.sampled_from(Producer),
        "since": moments(),
        "until": moments(),
        "text": words(),
        "expires": st.tuples(moments(), moments()).filter(lambda pair: pair[0] < pair[1]),
    }
    return st.builds(EventFilter, **{name: st.none() | values for name, values in maybe.items()})


@given(filters())
def test_what_a_filter_writes_into_a_url_it_reads_back(chosen: EventFilter) -> None:
    assume(not (chosen.since and chosen.until) or chosen.since < chosen.until)
    assert EventFilter.from_query(chosen.to_query(), now=NOW) == chosen


@given(st.sampled_from(["function", "error_type", "text"]), st.text())
def test_any_text_can_be_searched_for_and_survives_the_url(name: str, value: str) -> None:
    chosen = EventFilter.from_query([(name, value)], now=NOW)
    assert EventFilter.from_query(chosen.to_query(), now=NOW) == chosen


@pytest.mark.parametrize("query", ["PaymentError", "ord-7741=", "%00", "status=unresolved&groupe="])
def test_an_unknown_name_is_refused_even_without_a_value(query: str) -> None:
    with pytest.raises(BadInput, match="There is no filter named"):
        EventFilter.from_query(query, now=NOW)


@given(
    st.sampled_from(["status", "group", "source", "producer", "since", "until", "expires", "sort"]), st.text(min_size=1)
)
def test_a_value_that_is_not_one_of_its_kind_is_refused_with_a_sentence(name: str, value: str) -> None:
    try:
        EventFilter.from_query([(name, value)], now=NOW)
    except BadInput as error:
        refusal = str(error)
    else:
        refusal = "The value was one of its kind."
    assert refusal.endswith(".")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", EventFilter()),
        ("status=&group=&text=%20%20", EventFilter()),
        ("status=unresolved", EventFilter(status=EventStatus.UNRESOLVED)),
        ("status=unresolved&status=unresolved", EventFilter(status=EventStatus.UNRESOLVED)),
        ("expires=24h", EventFilter(expires=(NOW, NOW + timedelta(hours=24)))),
        ("group=12&source=3", EventFilter(group=12, source=3)),
        ("groups=7,3,+7", EventFilter(groups=(3, 7))),
        ("function=orders-capture&error_type=KeyError", EventFilter(function="orders-capture", error_type="KeyError")),
        ("producer=lambda-async-dlq", EventFilter(producer=Producer.LAMBDA_ASYNC_DLQ)),
        ("text=card+declined%20", EventFilter(text="card declined")),
        ("text=a%00b", EventFilter(text="a\ufffdb")),
        ("since=24h", EventFilter(since=NOW - timedelta(days=1))),
        ("since=7d&until=30m", EventFilter(since=NOW - timedelta(days=7), until=NOW - timedelta(minutes=30))),
        ("since=2026-11-23", EventFilter(since=datetime(2026, 11, 23, tzinfo=UTC))),
        ("since=2026-11-23T03:00", EventFilter(since=NOW)),
        ("since=2026-11-23T04:00%2B01:00", EventFilter(since=NOW)),
        ("since=2026-11-23T03:00Z", EventFilter(since=NOW)),
    ],
)
def test_a_query_means_what_it_says(query: str, expected: EventFilter) -> None:
    assert EventFilter.from_query(query, now=NOW) == expected


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("colour=red", "There is no filter named 'colour'. There are: status, group, groups, source,"),
        ("status=broken", "status is 'broken', and must be one of: unresolved, redriving, resolved, archived."),
        ("producer=cron", "producer is 'cron', and must be one of: lambda-async-dlq,"),
        ("group=KeyError", "group is 'KeyError', and must be its number"),
        ("groups=1,x", "groups is 'x', and must be its number"),
        ("group=-1", "group is '-1', and must be its number"),
        ("group=\u0661", "and must be its number"),
        ("group=" + "9" * 19, "and must be its number"),
        (
            "since=yesterday",
            "'yesterday' is not a time. Write 2026-11-23T03:00 (UTC), or an age such as 24h, 7d or 30m.",
        ),
        ("since=h", "'h' is not a time."),
        ("since=999999d", "'999999d' is longer ago than time has been counted."),
        ("since=0001-01-01T00:00%2B14:00", "is not a time."),
        ("until=9999-12-31T23:59-14:00", "is not a time."),
        ("status=resolved&status=archived", "status is given twice, as 'resolved' and 'archived'. Choose one of them."),
        ("since=1h&until=2h", "The time range ends before it begins: 2026-11-23T02:00:00Z to 2026-11-23T01:00:00Z."),
        ("since=1h&until=1h", "The time range ends before it begins"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_and_says_what_there_is(query: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        EventFilter.from_query(query, now=NOW)
    assert sentence in str(refused.value)


def test_a_filter_is_written_so_that_a_person_can_copy_it() -> None:
    chosen = EventFilter(status=EventStatus.UNRESOLVED, group=4, since=NOW)
    assert chosen.to_query() == "status=unresolved&group=4&since=2026-11-23T03%3A00%3A00Z"


def test_one_part_of_a_filter_can_be_changed_or_taken_out_in_its_url() -> None:
    chosen = EventFilter(status=EventStatus.UNRESOLVED, group=4)
    assert chosen.to_query(status="resolved", group=None) == "status=resolved"


def test_only_a_filter_without_any_part_is_empty() -> None:
    assert EventFilter().is_empty
    assert not EventFilter(group=0).is_empty
    assert EventFilter(group=1).with_(group=None).is_empty


def test_an_age_is_counted_back_from_now() -> None:
    assert read_time("90m", now=NOW) == NOW - timedelta(minutes=90)
