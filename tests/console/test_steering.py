"""Canary, breaker, pause and pace on the page of a redrive and in its forms."""

from __future__ import annotations

from datetime import timedelta

import pytest
from werkzeug.datastructures import MultiDict

from console import steering
from deadletter.breaker import Stage
from deadletter.errors import BadInput
from deadletter.manner import Manner, Pace
from deadletter.outcome import RedriveStatus
from tests.rows import NIGHT, make_redrive_row

NOW = NIGHT + timedelta(minutes=5)


def test_a_form_without_the_fields_means_the_careful_defaults() -> None:
    assert steering.read_manner(MultiDict(), now=NOW) == Manner()


def test_every_field_of_a_plan_is_read() -> None:
    form = {
        "canary": "9",
        "max_failures": "35%",
        "concurrency": "4",
        "window": "22:00-06:00",
        "starts_at": "2030-01-01",
    }
    manner = steering.read_manner(form, now=NOW)

    assert (manner.canary, manner.max_failures, manner.concurrency) == (9, 0.35, 4)
    assert str(manner.window) == "22:00-06:00 UTC"
    assert manner.starts_at is not None


def test_the_fields_of_a_plan_are_read_back_as_they_were() -> None:
    redrive = make_redrive_row(canary=9, max_failures=0.35, concurrency=4, window="22:00-06:00 UTC")
    manner = steering.read_manner(steering.fields_of(redrive), now=NOW)

    assert (manner.canary, manner.max_failures, manner.concurrency) == (9, 0.35, 4)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("canary", "many", "whole number"),
        ("canary", "20000", "from 0"),
        ("max_failures", "0", "above 0%"),
        ("max_failures", "few", "percentage"),
        ("concurrency", "0", "from 1"),
        ("window", "nights", "daily window"),
        ("starts_at", "tonight", "not a time"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(field: str, value: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        steering.read_manner({field: value}, now=NOW)


def test_a_pace_is_a_rate_and_how_many_at_once() -> None:
    assert steering.read_pace({"rate": "12.5", "concurrency": ""}) == Pace(12.5)
    with pytest.raises(BadInput, match="such as 20"):
        steering.read_pace({"rate": "fast"})
    with pytest.raises(BadInput, match="above 0"):
        steering.read_pace({"rate": "-1"})


def test_a_trip_says_what_was_seen_and_what_waits() -> None:
    tripped = make_redrive_row(
        status=RedriveStatus.TRIPPED, held_at=NIGHT, held_reason="The same cause came back.", waiting=1_995
    )
    held = steering.held(tripped, NOW)

    assert held is not None
    assert held.title == "It stopped by itself 5 min ago"
    assert held.text == "The same cause came back. Nothing more is sent; 1,995 events wait."


def test_a_pause_says_by_whom() -> None:
    paused = make_redrive_row(status=RedriveStatus.PAUSED, held_at=NIGHT, held_by="ada", waiting=88)

    assert steering.held(paused, NOW) == steering.Held(
        "Paused by ada 5 min ago", "Nothing more is sent; 88 events wait.", ""
    )


def test_a_canary_that_is_out_says_what_it_waits_for() -> None:
    canary = {"stage": Stage.CANARY, "canary": 5, "step": 5, "sent": 5, "waiting": 95, "kept_back": 95}
    out = make_redrive_row(status=RedriveStatus.RUNNING, settle_s=30.0, **canary)
    held = steering.held(out, NOW)

    assert held is not None
    assert held.title == "The canary is out: 5 outcomes awaited"
    assert held.text == "95 are kept back until then. Silence for 30 s counts as success."


def test_a_redrive_for_later_says_when() -> None:
    later = make_redrive_row(
        status=RedriveStatus.RUNNING, waiting=3, starts_at=NOW + timedelta(hours=2), window="04:00-09:00 UTC"
    )
    held = steering.held(later, NOW)

    assert held is not None
    assert "UTC, in 2 h" in held.title
    assert "within 04:00-09:00 UTC of every day" in held.text


def test_what_sends_is_not_held() -> None:
    assert steering.held(make_redrive_row(status=RedriveStatus.RUNNING, waiting=3), NOW) is None
    assert steering.held(make_redrive_row(status=RedriveStatus.FINISHED), NOW) is None
