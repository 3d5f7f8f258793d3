"""From an idempotency record to what the handler would do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadletter.preflight import Protection, Record, at_send, is_protected, protection, worst

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LATER, EARLIER = (int((NOW + timedelta(seconds=s)).timestamp()) for s in (60, -60))


@pytest.mark.parametrize(
    ("record", "validation", "expected"),
    [
        (None, None, Protection.NOT_SEEN),
        (Record("COMPLETED", LATER, EARLIER * 1000), None, Protection.DONE),
        (Record("COMPLETED", EARLIER), None, Protection.EXPIRED),
        (Record("COMPLETED", int(NOW.timestamp())), None, Protection.DONE),
        (Record("INPROGRESS", LATER, LATER * 1000), None, Protection.RUNNING),
        (Record("INPROGRESS", LATER, EARLIER * 1000), None, Protection.CRASHED),
        (Record("INPROGRESS", EARLIER, EARLIER * 1000), None, Protection.CRASHED),
        (Record("INPROGRESS", LATER), None, Protection.RUNNING),
        (Record("COMPLETED", LATER, validation="a"), "a", Protection.DONE),
        (Record("COMPLETED", LATER, validation="a"), "b", Protection.REFUSED),
        (Record("COMPLETED", LATER), "b", Protection.REFUSED),
        (Record("COMPLETED", EARLIER, validation="a"), "b", Protection.EXPIRED),
        (Record("INPROGRESS", LATER, LATER * 1000, "a"), "b", Protection.REFUSED),
        (Record("SOMETHING", LATER), None, Protection.REFUSED),
    ],
)
def test_a_record_says_what_the_handler_would_do(
    record: Record | None, validation: str | None, expected: Protection
) -> None:
    assert protection(record, now=NOW, validation=validation) is expected


@given(states=st.lists(st.sampled_from(Protection), min_size=1))
def test_an_event_is_as_protected_as_its_least_protected_record(states: list[Protection]) -> None:
    assert is_protected(worst(states)) == all(is_protected(state) for state in states)
    assert (worst(states) is Protection.DONE) == (set(states) == {Protection.DONE})


def test_an_event_without_anything_to_key_is_unprotected() -> None:
    assert worst([]) is Protection.NO_KEY


@given(planned=st.sampled_from(Protection), found=st.sampled_from(Protection), skip=st.booleans())
def test_what_was_planned_as_done_never_runs(planned: Protection, found: Protection, skip: bool) -> None:  # noqa: FBT001 - Hypothesis hands it in
    runs = {Protection.NOT_SEEN, Protection.CRASHED, Protection.EXPIRED, Protection.NO_KEY}
    if planned is Protection.DONE and found in runs:
        assert "Plan it again" in (at_send(planned, found, skip_done=skip) or "")


def test_what_is_done_by_now_is_sent_only_on_wish() -> None:
    assert "Done already" in (at_send(Protection.NOT_SEEN, Protection.DONE, skip_done=True) or "")
    assert at_send(Protection.NOT_SEEN, Protection.DONE, skip_done=False) is None
    assert at_send(Protection.NOT_SEEN, Protection.NOT_SEEN, skip_done=True) is None
