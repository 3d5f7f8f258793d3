"""Payloads at rest under a key: unreadable without it, whole with it, and moved to another key while all goes on."""

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DatabaseError

from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.keys import use_keys
from deadletter.redrive.editing import ByHand
from deadletter.settings import Settings
from deadletter.store import models, read, sealing, write
from deadletter.store.packed import Packed, pack, unpack
from deadletter.store.queries import get_event, list_events
from deadletter.store.reseal import BODIES, reseal
from tests.factories import make_parsed, store_some
from tests.store import redriving

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
SECRET = '{"order_id": "ord-7741", "note": "xylophone"}'


@pytest.fixture(autouse=True)
def _no_keys_afterwards() -> Iterator[None]:
    yield
    sealing.use({})


def stored(engine: Engine) -> bytes:
    with engine.connect() as connection:
        return bytes(connection.scalar(text("SELECT body FROM records")))


def collect(engine: Engine) -> None:
    with write(engine) as session:
        store_some(session, make_parsed(payload_text=SECRET))


def payload_of(engine: Engine) -> str:
    with read(engine) as session:
        [event] = list_events(session, EventFilter()).rows
        return get_event(session, event.id).main.body


@given(st.text(max_size=5_000))
def test_what_was_sealed_opens_byte_for_byte_and_differs_each_time(text: str) -> None:
    sealing.use(OLD)
    body = text.encode("utf-8", "surrogatepass")
    assert unpack(pack(body)) == body
    assert pack(body) != pack(body)


def test_without_a_key_nothing_is_sealed(engine: Engine) -> None:
    collect(engine)
    assert b"xylophone" in stored(engine)


def test_a_payload_is_unreadable_in_the_database_and_whole_on_the_page(engine: Engine) -> None:
    sealing.use(OLD)
    collect(engine)
    assert b"xylophone" not in stored(engine)
    assert "xylophone" in payload_of(engine)


def test_the_words_of_a_sealed_payload_are_in_no_index(engine: Engine) -> None:
    sealing.use(OLD)
    collect(engine)
    with read(engine) as session:
        assert list_events(session, EventFilter(text="xylophone")).rows == []
        assert len(list_events(session, EventFilter(text="declined")).rows) == 1


def test_a_key_is_changed_by_putting_the_new_one_first_and_sealing_anew(engine: Engine) -> None:
    collect(engine)
    sealing.use(OLD)
    assert reseal(engine) == 1
    sealing.use(NEW | OLD)
    assert "xylophone" in payload_of(engine)
    assert (reseal(engine), reseal(engine)) == (1, 0)
    assert stored(engine).startswith(sealing.MAGIC + b"\x03new")
    sealing.use({})
    assert reseal(engine) == 1
    assert b"xylophone" in stored(engine)


def refused(engine: Engine, change: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
        connection.execute(text(f"UPDATE edits SET {change}"))  # noqa: S608 - ours


def test_an_edited_payload_moves_to_the_new_key_too_and_changes_in_no_other_way(engine: Engine) -> None:
    event_ids = redriving.store(engine, 1)
    redriving.plan(engine, event_ids, edit=ByHand(SECRET))
    refused(engine, "payload = 'x'")
    sealing.use(OLD)
    assert reseal(engine) == 2
    sealing.use(NEW | OLD)
    assert (reseal(engine), reseal(engine)) == (2, 0)
    with read(engine) as session:
        [edit] = session.scalars(select(models.Edit))
        assert edit.payload == SECRET.encode()
    refused(engine, "made_by = 'eve'")


def test_no_column_that_holds_a_payload_is_left_out() -> None:
    packed = {column for table in models.Base.metadata.tables.values() for column in table.c
              if isinstance(column.type, Packed)}  # fmt: skip
    assert packed == {body.property.columns[0] for _, body in BODIES}


def test_a_key_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    sealing.use({"lost": b"l" * 32})
    body = pack(b"payload")
    monkeypatch.setattr(sealing, "_ring", {})
    with pytest.raises(sealing.CannotOpen, match="under the key 'lost', which REDRIVE_ENCRYPTION_KEYS does not have"):
        unpack(body)


@pytest.mark.parametrize("at", [5, 10, -1])
def test_a_row_that_was_changed_does_not_open(at: int) -> None:
    sealing.use(OLD)
    body = bytearray(pack(b"payload"))
    body[at] ^= 1
    with pytest.raises((sealing.CannotOpen, UnicodeDecodeError)):
        unpack(bytes(body))


@pytest.mark.parametrize("key", ["", "x", "AAEC", base64.b64encode(b"k" * 31).decode()])
def test_a_key_of_another_length_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(BadInput, match="and must have 32, in base64") as refused:
        use_keys(Settings(encryption_keys=(("k", key),)))
    assert not key or key not in str(refused.value)
