import json
from datetime import UTC, datetime, timedelta

import pytest

from console import format as fmt
from deadletter.outcome import EventStatus, Outcome, RedriveStatus
from deadletter.secret_rules import SecretRules
from deadletter.store.rows import Count

NOW = datetime(2026, 11, 23, 3, 14, 7, tzinfo=UTC)


def text_of(shown: fmt.Shown) -> str:
    return "".join(piece.text for piece in shown.pieces)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=4), "4 s ago"),
        (timedelta(minutes=14), "14 min ago"),
        (timedelta(hours=3, minutes=59), "3 h ago"),
        (timedelta(days=13), "13 d ago"),
        (timedelta(hours=-9), "in 9 h"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(age: timedelta, said: str) -> None:
    assert fmt.ago(NOW - age, NOW) == said


def test_a_count_that_stopped_at_a_limit_says_so() -> None:
    assert fmt.counted(Count(1000, exact=False)) == "1,000+"
    assert fmt.counted(Count(1204)) == "1,204"


def test_numbers_are_grouped_and_lose_no_part_that_matters() -> None:
    assert [fmt.number(n) for n in (1204, 20.0, 0.5)] == ["1,204", "20", "0.5"]


def test_one_event_is_not_one_events() -> None:
    assert (fmt.plural(1, "event"), fmt.plural(1204, "event")) == ("1 event", "1,204 events")


def test_every_state_has_a_tone_of_its_own_meaning() -> None:
    for state in (*EventStatus, *RedriveStatus, *Outcome):
        assert fmt.tone(state) in {"bad", "warn", "good", "busy", "none"}
    assert fmt.tone(Outcome.UNKNOWN) == "warn"


def test_masks_are_told_apart_from_the_text_around_them() -> None:
    assert fmt.masked("order <uuid> took <duration>") == [
        ("", "order "),
        ("mask", "<uuid>"),
        ("", " took "),
        ("mask", "<duration>"),
    ]


def test_json_is_indented_with_its_numbers_exact() -> None:
    shown = fmt.shown('{"price":18.40,"n":12345678901234567890123,"tiny":1e-400,"ok":true}')
    assert text_of(shown) == (
        '{\n  "price": 18.40,\n  "n": 12345678901234567890123,\n  "tiny": 1e-400,\n  "ok": true\n}'
    )


def test_keys_texts_and_numbers_of_json_are_told_apart() -> None:
    kinds = {piece.text: piece.kind for piece in fmt.shown('{"a":"b","n":-1.5}').pieces if piece.kind}
    assert kinds == {'"a"': "key", '"b"': "text", '"n"': "key", "-1.5": "number"}


def test_secrets_are_masked_in_json_and_in_text() -> None:
    shown = fmt.shown(json.dumps({"password": "hunter2", "orderId": "ord-1"}))
    assert "hunter2" not in text_of(shown)
    assert "ord-1" in text_of(shown)
    assert "secret" in {piece.kind for piece in shown.pieces}
    assert "hunter2" not in text_of(fmt.shown("POST / password=hunter2"))


def test_keys_that_the_settings_name_are_secret_as_well() -> None:
    assert "12-34" not in text_of(fmt.shown('{"badge":"12-34"}', SecretRules(frozenset({"badge"}))))


@pytest.mark.parametrize("text", ["", "plain", "{", '{"a":NaN}', "[" * 5000 + "]" * 5000, "17"])
def test_what_is_not_an_object_or_array_is_shown_as_it_is(text: str) -> None:
    shown = fmt.shown(text)
    assert not shown.is_json
    assert text_of(shown) == text


def test_a_body_of_a_mebibyte_is_cut_and_says_by_how_much() -> None:
    shown = fmt.shown("x" * 1_048_576)
    assert len(text_of(shown)) == fmt.SHOWN_CHARS
    assert shown.left_out == 1_048_576 - fmt.SHOWN_CHARS


def test_text_that_moves_the_cursor_or_turns_direction_is_named() -> None:
    assert fmt.visible("a\x00b\u202ec\x1b[2J\n\td") == "a\ufffdb[U+202E]c[U+001B][2J\n\td"


def test_a_lone_surrogate_can_be_written_to_a_page() -> None:
    assert text_of(fmt.shown('{"a":"\\ud800"}')).encode()
    assert fmt.visible("\ud800").encode()


def test_sizes_are_said_in_bytes_kilobytes_and_megabytes() -> None:
    assert [fmt.size(n) for n in (312, 4200, 1_048_576)] == ["312 B", "4.2 kB", "1.0 MB"]
