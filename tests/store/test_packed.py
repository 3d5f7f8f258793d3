"""Bodies are compressed where that pays, and come back byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text

from deadletter.store import read, write
from deadletter.store.models import Record
from deadletter.store.packed import MAGIC, PAYS_FROM, pack, unpack
from tests.factories import make_message, make_parsed, store_some

ANY_TEXT = st.text(st.characters(), max_size=200) | st.text(st.characters(categories=["Cs", "Cc"]), max_size=9)


@given(ANY_TEXT, st.integers(1, 400))
def test_whatever_is_packed_comes_back_byte_for_byte(words: str, times: int) -> None:
    body = (words * times).encode("utf-8", "surrogatepass")

    assert unpack(pack(body)) == body


def test_what_is_small_or_does_not_shrink_stays_as_it_is() -> None:
    small = b"x" * (PAYS_FROM - 1)
    incompressible = pack(b"x" * 10_000_000) * 3

    assert pack(small) is small
    assert len(pack(incompressible)) <= len(incompressible)
    assert pack(b"x" * PAYS_FROM).startswith(MAGIC)


def test_the_marker_begins_no_text() -> None:
    with pytest.raises(UnicodeDecodeError):
        MAGIC[:2].decode("utf-8", "surrogatepass")


def test_a_large_body_is_stored_small_and_found_by_its_words_and_older_rows_read_as_before(engine: Engine) -> None:
    large, older = '{"note": "' + "x" * 50_000 + '"}', '{"note": "' + "y" * 3_000 + '"}'
    with write(engine) as session:
        store_some(session, *(make_parsed(message=make_message(body)) for body in (large, older)))
        sizes = session.scalars(text("SELECT length(body) FROM records")).all()
        plain = {"old": older.encode(), "packed": pack(older.encode())}
        session.execute(text("UPDATE records SET body = :old WHERE body = :packed"), plain)

    assert max(sizes) < 1_000
    with read(engine) as session:
        assert {bytes(body) for body in session.scalars(select(Record.body))} == {large.encode(), older.encode()}
