"""Which tests a process takes together, and which come first: the long ones that wait, so that the short ones fill in.

Not by xdist's own groups: with pytest 9.2 its mark does nothing, without a word (pytest-xdist issue 1386).
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TOGETHER = ("tests/lambdas/", "tests/e2e/test_s", "tests/e2e/test_c")
"""What shares what is dear to set up: the unpacked zip, Chromium."""

FIRST = (*TOGETHER, "tests/worker/test_kill", "tests/e2e/", "tests/faults/", "tests/worker/", "tests/contract/",
         "tests/console/test_cli", "tests/migrations/", "tests/store/")  # fmt: skip
"""What takes longest, by the beginnings of its files' names."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc] # xdist tells mypy nothing
    """Hand out file by file, in the order of the collection."""

    def __init__(self, config: pytest.Config, log: object) -> None:
        config.option.loadscopereorder = False  # by number of tests, which says nothing of their time
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((unit.rpartition("/")[0] for unit in TOGETHER if file.startswith(unit)), file)


def order(items: list[pytest.Item]) -> None:
    """Put what takes longest first; leave the order otherwise as it is."""
    items.sort(key=lambda item: next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))
