from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.errors import RedriveError
from deadletter.event import TargetKind, TargetRef
from deadletter.planned import PlannedItem
from deadletter.preflight import Protection
from deadletter.redrive.aside import Aside

any_text = st.text(st.characters(codec=None))  # lone surrogates too: payloads hold them
targets = st.builds(TargetRef, st.sampled_from(TargetKind), st.text())
items = st.lists(
    st.builds(
        PlannedItem,
        st.integers(1),
        st.none() | targets,
        *(st.none() | kind for kind in (any_text, st.sampled_from(Protection), any_text, any_text, any_text, any_text)),
    )
)


@settings(max_examples=40)
@given(items, st.dictionaries(st.integers(1), any_text), st.sampled_from([1, 1_000_000]))
def test_what_is_put_aside_comes_back_as_it_was_from_memory_and_from_a_file(
    decided: list[PlannedItem], payloads: dict[int, str], in_memory: int
) -> None:
    with Aside(in_memory) as aside:
        aside.add(decided, payloads)
        aside.add(decided[:1], {})
        assert list(aside.items()) == [*decided, *decided[:1]]
        assert list(aside.edits()) == list(payloads.items())


def test_a_full_disk_says_where_and_what_to_do() -> None:
    class Full(Aside):
        def add(self, *given: Any) -> None:
            self._items = open("/dev/full", "w+b", buffering=0)  # type: ignore[assignment] # noqa: SIM115, PTH123
            with self._items:
                super().add(*given)

    with Full() as aside, pytest.raises(RedriveError, match=r"No space left on device\. Make room there, set TMPDIR"):
        aside.add([PlannedItem(1, None, "No.")], {})
