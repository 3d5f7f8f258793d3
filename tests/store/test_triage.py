"""Groups live: on whom they are, what is written about them, snoozed ones wake by themselves, solved ones regress."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from deadletter.errors import BadInput, NotFound
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, GroupState, Outcome
from deadletter.store import triage
from deadletter.store.archive import resolve_events, unresolve_events
from deadletter.store.audit import AuditFilter, list_audit
from deadletter.store.check import recount
from deadletter.store.event_pages import list_events
from deadletter.store.group_pages import count_standings, get_group, list_assignees, list_groups, list_notes
from deadletter.store.moves import move_events
from deadletter.store.redrives.selections import iter_candidates
from deadletter.store.rows import GroupRow
from tests.factories import ADA, BOB, NOW, make_parsed, store_some
from tests.statements import counted

HOUR = timedelta(hours=1)


def fail(session: Session, count: int = 1, **facts: object) -> int:
    """Let *count* events of one cause fail; return their group's id."""
    store_some(session, *(make_parsed(error_type=facts.get("error_type", "PaymentError")) for _ in range(count)))
    return list_groups(session, EventFilter(error_type=facts.get("error_type", "PaymentError")), now=NOW).rows[0].id


def look(session: Session, group_id: int, at: datetime = NOW) -> GroupRow:
    session.expire_all()
    return get_group(session, group_id, now=at)


def shown(session: Session, state: GroupState, at: datetime = NOW) -> list[int]:
    chosen = EventFilter(status=EventStatus.UNRESOLVED, state=state, as_of=at)
    return [row.id for row in list_groups(session, chosen, now=at).rows]


def test_a_resolved_group_that_fails_anew_has_regressed_until_it_is_resolved_again(session: Session) -> None:
    group = fail(session, 2)
    assert look(session, group).standing == "unresolved"
    assert triage.resolve(session, group, by=ADA, now=NOW) == 2
    assert look(session, group).standing == "resolved"
    assert fail(session) == group
    row = look(session, group)
    assert (row.standing, row.regressed_at) == ("regressed", row.last_seen)
    assert shown(session, GroupState.REGRESSED) == [group]
    triage.resolve(session, group, by=ADA, now=NOW)
    assert look(session, group).regressed_at is None
    assert recount(session) == []


def test_bringing_back_what_was_resolved_or_archived_is_no_regression(session: Session) -> None:
    group = fail(session, 3)
    triage.resolve(session, group, by=ADA, now=NOW)
    assert triage.unresolve(session, group, by=ADA, now=NOW) == 3
    assert look(session, group).standing == "unresolved"
    triage.archive(session, group, by=ADA, now=NOW)
    assert look(session, group).standing == "archived"
    assert triage.unarchive(session, group, by=ADA, now=NOW) == 3
    assert look(session, group).standing == "unresolved"
    assert recount(session) == []


def test_a_snoozed_group_wakes_when_its_time_comes_although_nothing_is_written(session: Session) -> None:
    group = fail(session)
    triage.snooze(session, group, until=NOW + HOUR, by=ADA, now=NOW)
    assert look(session, group).standing == "snoozed"
    assert (shown(session, GroupState.AWAKE), shown(session, GroupState.SNOOZED)) == ([], [group])
    later = NOW + HOUR
    assert look(session, group, later).standing == "unresolved"
    assert (shown(session, GroupState.AWAKE, later), shown(session, GroupState.SNOOZED, later)) == ([group], [])


def test_a_snoozed_group_wakes_with_the_failure_that_uses_its_number_up(session: Session) -> None:
    group = fail(session)
    triage.snooze(session, group, failures=3, by=ADA, now=NOW)
    fail(session, 2)
    assert look(session, group).standing == "snoozed"
    fail(session)
    assert look(session, group).standing == "unresolved"
    assert (shown(session, GroupState.AWAKE), shown(session, GroupState.SNOOZED)) == ([group], [])


def test_a_group_that_regresses_wakes_however_long_it_was_to_sleep(session: Session) -> None:
    group = fail(session)
    triage.snooze(session, group, until=NOW + 1000 * HOUR, by=ADA, now=NOW)
    triage.resolve(session, group, by=ADA, now=NOW)
    fail(session)
    assert look(session, group).standing == "regressed"


def test_waking_by_hand_ends_a_sleep(session: Session) -> None:
    group = fail(session)
    triage.snooze(session, group, failures=50, by=ADA, now=NOW)
    triage.wake(session, group, by=BOB, now=NOW)
    assert look(session, group).standing == "unresolved"


def test_a_redrive_of_the_open_list_leaves_snoozed_groups_asleep(session: Session) -> None:
    asleep, awake = fail(session, 2), fail(session, 3, error_type="TimeoutError")
    triage.snooze(session, asleep, failures=50, by=ADA, now=NOW)
    chosen = EventFilter.from_query("status=unresolved&state=awake", now=NOW)
    assert sum(map(len, iter_candidates(session, chosen))) == 3
    assert sum(map(len, iter_candidates(session, EventFilter.from_query("state=snoozed", now=NOW)))) == 2
    assert shown(session, GroupState.AWAKE) == [awake]


def test_standings_are_counted_as_the_lists_show_them(session: Session) -> None:
    groups = [fail(session, error_type=f"Error{n}") for n in range(4)]
    triage.snooze(session, groups[0], failures=9, by=ADA, now=NOW)
    triage.resolve(session, groups[1], by=ADA, now=NOW)
    fail(session, error_type="Error1")
    triage.archive(session, groups[2], by=ADA, now=NOW)
    assert count_standings(session, EventFilter(as_of=NOW)) == {
        "snoozed": 1,
        "regressed": 1,
        "archived": 1,
        "unresolved": 1,
    }


def test_who_is_on_a_group_narrows_groups_and_their_events(session: Session) -> None:
    hers, free = fail(session, 2), fail(session, error_type="TimeoutError")
    triage.assign(session, hers, " ada ", by=BOB, now=NOW)
    rows = {name: list_groups(session, EventFilter(assignee=name), now=NOW).rows for name in ("ada", "nobody", "bob")}
    assert {name: [row.id for row in found] for name, found in rows.items()} == {
        "ada": [hers],
        "nobody": [free],
        "bob": [],
    }
    assert list_assignees(session) == ["ada"]
    assert sum(map(len, iter_candidates(session, EventFilter(assignee="ada")))) == 2
    triage.assign(session, hers, None, by=BOB, now=NOW)
    assert look(session, hers).assignee is None


def test_a_note_survives_what_becomes_of_the_events_and_can_be_taken_away(session: Session) -> None:
    group = fail(session)
    first = triage.add_note(session, group, " vendor is down, ticket 12 ", by=ADA, now=NOW)
    triage.resolve(session, group, by=ADA, now=NOW)
    fail(session)
    second = triage.add_note(session, group, "again", by=BOB, now=NOW + HOUR)
    notes = list_notes(session, group)
    assert [(note.id, note.who, note.text) for note in notes] == [
        (second, "bob", "again"),
        (first, "ada", "vendor is down, ticket 12"),
    ]
    assert look(session, group).notes == 2
    triage.remove_note(session, group, first, by=BOB, now=NOW)
    assert [note.id for note in list_notes(session, group)] == [second]
    with pytest.raises(NotFound, match="has no note"):
        triage.remove_note(session, group + 1, second, by=BOB, now=NOW)


def test_everything_that_is_done_to_a_group_is_its_history(session: Session) -> None:
    group = fail(session)
    triage.assign(session, group, "bob", by=ADA, now=NOW)
    triage.add_note(session, group, "look at the pool", by=ADA, now=NOW)
    triage.snooze(session, group, until=NOW + HOUR, failures=50, by=BOB, now=NOW)
    triage.wake(session, group, by=BOB, now=NOW)
    triage.resolve(session, group, by=BOB, now=NOW)
    entries = list_audit(session, AuditFilter(kind="group", subject=str(group))).rows
    assert [(row.who, row.verb) for row in reversed(entries)] == [
        ("ada", "assign"),
        ("ada", "note"),
        ("bob", "snooze"),
        ("bob", "wake"),
        ("bob", "resolve"),
    ]
    assert entries[2].details == {"until": (NOW + HOUR).isoformat(), "failures": 50}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "until when"),
        ({"until": NOW}, "is past"),
        ({"failures": 0}, "not 0"),
        ({"failures": 10**9}, "not 1,0"),
    ],
)
def test_a_snooze_that_means_nothing_is_refused(session: Session, given: dict[str, object], says: str) -> None:
    group = fail(session)
    with pytest.raises(BadInput, match=says):
        triage.snooze(session, group, **given, by=ADA, now=NOW)


@pytest.mark.parametrize("text", ["", "  ", "x" * 5000])
def test_a_note_that_is_none_is_refused(session: Session, text: str) -> None:
    with pytest.raises(BadInput, match="note"):
        triage.add_note(session, fail(session), text, by=ADA, now=NOW)


def test_what_does_not_exist_cannot_be_decided_about(session: Session) -> None:
    for act in (triage.resolve, triage.unresolve, triage.archive, triage.unarchive, triage.wake):
        with pytest.raises(NotFound, match="no group 4711"):
            act(session, 4711, by=ADA, now=NOW)
    with pytest.raises(BadInput, match="nobody's"):
        triage.assign(session, fail(session), "Nobody", by=ADA, now=NOW)


def test_everything_that_a_filter_means_is_resolved_at_once_and_opened_again(session: Session) -> None:
    one, two = fail(session, 3), fail(session, 2, error_type="TimeoutError")
    asleep = fail(session, error_type="VendorError")
    triage.snooze(session, asleep, until=NOW + HOUR, by=ADA, now=NOW)
    every = EventFilter.from_query("status=unresolved&state=awake", now=NOW)
    assert resolve_events(session, every, by=ADA, now=NOW) == 5
    assert [look(session, group).standing for group in (one, two, asleep)] == ["resolved", "resolved", "snoozed"]
    assert recount(session) == []
    fail(session)
    assert look(session, one).standing == "regressed"
    assert unresolve_events(session, EventFilter(group=two), by=BOB, now=NOW) == 2
    assert look(session, two).standing == "unresolved"
    assert recount(session) == []
    told = [(row.who, row.verb, row.details["count"]) for row in list_audit(session, AuditFilter(kind="events")).rows]
    assert told == [("bob", "unresolve", 2), ("ada", "resolve", 5)]


def test_resolving_many_is_one_update_however_many_groups(session: Session) -> None:
    for number in range(6):
        fail(session, error_type=f"Error{number}")
    session.flush()
    with counted(session.get_bind().engine) as said:
        assert resolve_events(session, EventFilter(status=EventStatus.UNRESOLVED), by=ADA, now=NOW) == 6
    assert sum("UPDATE events" in each for each, _ in said) == 1


def test_what_a_redrive_resolved_is_not_opened_again_in_bulk(session: Session) -> None:
    group = fail(session, 2)
    events = [row.id for row in list_events(session, EventFilter(group=group)).rows]
    move_events(session, events[:1], EventStatus.REDRIVING, release=False)
    move_events(session, events[:1], EventStatus.RESOLVED, outcome=Outcome.SUCCEEDED)
    assert resolve_events(session, events, by=ADA, now=NOW) == 1
    assert unresolve_events(session, events, by=ADA, now=NOW) == 1
    assert look(session, group).counts.resolved == 1
    assert recount(session) == []
