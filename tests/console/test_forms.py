from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from console.forms import MAX_TICKED, Listing, local_path, read_rate, read_selection
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus

NOW = datetime(2026, 11, 23, 3, 14, 7, tzinfo=UTC)


def listing(**args: str) -> Listing:
    return Listing.from_args(MultiDict(args), now=NOW, default_status=EventStatus.UNRESOLVED)


def form(*pairs: tuple[str, str]) -> MultiDict[str, str]:
    return MultiDict(pairs)


def test_a_list_shows_what_is_unresolved_where_it_does_not_say() -> None:
    assert listing().chosen == EventFilter(status=EventStatus.UNRESOLVED)
    assert not listing().filtered


def test_all_means_every_status() -> None:
    assert listing(status="all").chosen == EventFilter()
    assert listing(status="all").filtered


def test_an_age_stays_an_age_in_the_address_and_is_a_time_in_the_filter() -> None:
    chosen = listing(since="24h", sort="events")
    assert chosen.chosen.since == NOW - timedelta(hours=24)
    assert chosen.query(status="resolved") == "since=24h&sort=events&status=resolved"


def test_another_filter_starts_at_the_first_page() -> None:
    assert listing(cursor="abc", function="f").query(function=None) == ""


def test_a_filter_that_is_none_says_what_there_is() -> None:
    with pytest.raises(BadInput, match="There is no filter named 'colour'"):
        listing(colour="red")


def test_ticked_events_are_those_events() -> None:
    chosen = read_selection(form(("scope", "page"), ("event", "7"), ("event", "3"), ("filter", "")), now=NOW)
    assert chosen == [3, 7]


def test_ticked_groups_are_narrowed_by_the_filter_of_their_list() -> None:
    pairs = form(("scope", "page"), ("group", "2"), ("group", "1"), ("filter", "status=unresolved&text=timeout"))
    assert read_selection(pairs, now=NOW) == EventFilter(status=EventStatus.UNRESOLVED, text="timeout", groups=(1, 2))


def test_a_filter_is_taken_whole_only_when_the_form_says_so() -> None:
    everything = form(("scope", "filter"), ("event", "7"), ("filter", "status=unresolved"))
    assert read_selection(everything, now=NOW) == EventFilter(status=EventStatus.UNRESOLVED)


def test_nothing_ticked_never_becomes_everything() -> None:
    with pytest.raises(BadInput, match="Nothing is ticked"):
        read_selection(form(("scope", "page"), ("filter", "status=unresolved")), now=NOW)
    with pytest.raises(BadInput, match="Nothing is ticked"):
        read_selection(form(), now=NOW)


def test_a_form_with_a_filter_alone_means_that_filter() -> None:
    assert read_selection(form(("filter", "group=12")), now=NOW) == EventFilter(group=12)


@pytest.mark.parametrize("value", ["x", "-1", "1e3", "9" * 19, "\u0661"])
def test_a_ticked_row_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(BadInput, match="is not the number of an event"):
        read_selection(form(("event", value)), now=NOW)


def test_more_ticked_rows_than_a_page_has_are_refused() -> None:
    with pytest.raises(BadInput, match="Choose all that match the filter"):
        read_selection(form(*[("event", str(n)) for n in range(MAX_TICKED + 1)]), now=NOW)


def test_a_rate_is_a_number_or_not_given() -> None:
    assert read_rate(form(("rate", " 2.5 "))) == 2.5
    assert read_rate(form()) is None
    with pytest.raises(BadInput, match="events per second"):
        read_rate(form(("rate", "fast")))


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb", "groups"])
def test_a_form_sends_nobody_elsewhere(path: str) -> None:
    assert local_path(path, "/groups") == "/groups"


def test_a_path_of_ours_is_kept_with_its_filter() -> None:
    assert local_path("/events?status=archived&text=a%20b", "/") == "/events?status=archived&text=a%20b"


@given(st.text(max_size=40))
def test_any_path_is_ours_or_the_default(text: str) -> None:
    assert local_path(text, "/groups").startswith("/")
